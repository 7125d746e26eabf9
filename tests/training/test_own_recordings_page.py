"""docs/own-recordings.md, followed to the letter: from synthesized recordings to a bundle that replay loads."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from converter.__main__ import main as converter_main
from device.__main__ import main as auricle_main
from training.__main__ import main as training_main
from training.scaling import scaling_options

PAGE = Path(__file__).resolve().parents[2] / "docs" / "own-recordings.md"


def commands() -> list[list[str]]:
    """The words of each command on the page: the lines that are indented by four spaces."""
    return [shlex.split(line) for line in re.findall(r"^    (\S.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)]


def follow(words: list[str]) -> int:
    """Run a command as its program would."""
    if words[:3] == ["python", "-m", "training"]:
        return training_main(words[3:])
    if words[:3] == ["python", "-m", "converter"]:
        return converter_main(words[3:])
    assert words[0] == "auricle", words
    return auricle_main(words[1:])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, of numpy's interface
def test_the_page_leads_from_recordings_to_a_bundle_that_hears_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scaling_options, "usable_cores", lambda: 1)  # no worker processes for six recordings
    told: dict[str, str] = {}
    for words in commands():
        assert follow(words) == 0, (words, capsys.readouterr().err)
        told[words[1] if words[0] == "auricle" else words[3]] = capsys.readouterr().out
    assert list(told) == ["demo", "describe", "split", "train", "evaluate", "convert", "replay"]
    shown = re.findall(r"(?s)```text\n(.*?)```", PAGE.read_text(encoding="utf-8"))[0]
    assert (tmp_path / "nights" / "infant-1" / "night.txt").read_text(encoding="utf-8") == shown
    assert told["describe"].startswith("nights: 6 recordings, 2.0 min, 6 subjects, 1 label")
    assert [line.split()[1] for line in told["split"].splitlines()] == ["4", "1", "1"]
    assert "12 epochs, finished" in told["train"]
    figures = json.loads(Path("own.json").read_text(encoding="utf-8"))["measured"]["figures"]
    assert {"event recall", "false alarms an hour"} <= {one["measure"] for one in figures}
    assert "own.tflite: verified" in told["convert"]
    assert re.search(r"night\.wav .* cry begins", told["replay"])
