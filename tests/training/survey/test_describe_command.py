"""`describe` tells what a collection holds, all that is wrong with it, and draws what it sounds like."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.training.data.datasets.written_audio import write_text
from training.__main__ import main
from training.splits.near_duplicates import read_near_duplicates

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 16_000


def sound(kind: str, seed: int) -> np.ndarray:
    """Two seconds: gliding tones for a cry, noise in steps of level for anything else."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.uniform(300, 600, 16), RATE_HZ // 8)
    if kind == "cry":
        return np.asarray(0.3 * np.sin(2 * np.pi * np.cumsum(steps) / RATE_HZ), dtype=np.float32)
    return np.asarray(rng.normal(0, 0.1, len(steps)) * (steps > 450), dtype=np.float32)


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen infants, a cry and a noise each; one label is wrong, one line too, and two names hold one sound."""
    folder = tmp_path_factory.mktemp("nights")
    for subject in range(14):
        for number, label in enumerate(("cry", "noise")):
            kind = "noise" if (subject, label) == (3, "cry") else label
            audio = folder / f"s{subject}" / f"{label}.wav"
            audio.parent.mkdir(exist_ok=True)
            soundfile.write(audio, sound(kind, 100 * subject + number), RATE_HZ)
            write_text(audio.with_suffix(".txt"), f"0.0\t2.0\t{label}\n")
    write_text(folder / "s0" / "cry.txt", "0.0\t2.0\tcry\n1.5\t0.5\tcry\n")
    soundfile.write(folder / "s1" / "copy.wav", 0.5 * sound("cry", 200), RATE_HZ)
    write_text(folder / "s1" / "copy.txt", "0.0\t2.0\tcry\n")
    soundfile.write(folder / "s2" / "loud.wav", np.clip(20 * sound("cry", 7), -1, 1), RATE_HZ)
    write_text(folder / "s2" / "loud.txt", "")
    return folder


def test_the_report_names_everything_that_was_planted(nights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["describe", str(nights), "--workers", "1"]) == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == f"{nights.name}: 30 recordings, 1.0 min, 14 subjects, 3 labels"
    assert "rates     30 at 16000 Hz" in lines
    assert "lengths   2.0 to 2.0 s, median 2.0" in lines
    assert "clipped   1 recordings with over 0.1% of samples at full scale" in lines
    assert "s2/loud.wav" in text
    assert [line.split() for line in lines if line.startswith("cry ")] == [["cry", "15", "15", "30.0", "14"]]
    assert [line.split()[:3] for line in lines if line.startswith("unusable ")] == [["unusable", "0", "1"]]
    assert "problems  1 annotations or recordings that cannot be used as they stand" in lines
    assert f"  {nights / 's0' / 'cry.txt'}, line 2: ends at 0.5 s, before it begins at 1.5 s" in lines
    assert "near duplicates  1 pairs of recordings of the same sound, 1 of two subjects" in lines
    assert "  s1/copy.wav and s2/cry.wav, 1.00, +0.00 s" in lines
    assert '  s3/cry.wav, 0.00 s, cry: sounds like "noise": 10 of its 10 nearest are, none is "cry"' in lines


def test_the_same_figures_as_json_and_the_folder_with_pictures(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["describe", str(nights), "--workers", "1", "--json", "--out", str(tmp_path / "seen")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "seen" / "report.json").read_text(encoding="utf-8"))
    assert printed["labels"]["cry"] == {"recordings": 15, "events": 15, "seconds": 30.0, "subjects": 14}
    assert printed["levels"]["s2/loud.wav"]["clipped"] > 0.3
    assert [one["file"] for one in printed["suspicious"]] == ["s3/cry.wav"]
    (pair,) = read_near_duplicates(tmp_path / "seen" / "near_duplicates.csv")
    assert (pair.file_a, pair.file_b) == ("s1/copy.wav", "s2/cry.wav")
    with (tmp_path / "seen" / "examples.png").open("rb") as picture:
        head = picture.read(24)
    assert head.startswith(b"\x89PNG")
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    assert (width, height) == (1_100, 440)  # two labels, two rows
    assert (tmp_path / "seen" / "report.txt").read_text(encoding="utf-8").startswith(nights.name)


def test_a_recording_that_cannot_be_decoded_is_a_problem_and_the_rest_is_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cry/a.flac", "noise/b.flac"):
        (tmp_path / name).parent.mkdir()
        soundfile.write(tmp_path / name, sound("cry", 1), RATE_HZ)
    damaged = (tmp_path / "noise" / "b.flac").read_bytes()
    (tmp_path / "noise" / "b.flac").write_bytes(damaged[:2_000] + bytes(len(damaged) - 2_000))
    assert main(["describe", str(tmp_path), "--workers", "1", "--skip-sounds"]) == 0
    out = capsys.readouterr().out
    assert "near duplicates  not searched for (--skip-sounds)" in out
    assert "2 recordings of an unknown subject may only train" in out
    assert "problems  1 annotations or recordings that cannot be used as they stand" in out
    assert f"noise/b.flac: {tmp_path / 'noise' / 'b.flac'} cannot be read as audio" in out


@pytest.mark.real_audio
def test_icbhi_s_sample_is_described_with_each_missing_recording(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["describe", str(data_dir / "icbhi_sample"), "--workers", "1", "--skip-sounds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "icbhi_sample: 8 recordings, 2.7 min, 3 subjects, 3 labels"
    assert "rates     6 at 4000 Hz, 2 at 44100 Hz" in lines
    assert "official  test 7, train 1" in lines
    assert "problems  913 annotations or recordings that cannot be used as they stand" in lines
    assert sum(line.endswith(".wav is missing") for line in lines) == 912
