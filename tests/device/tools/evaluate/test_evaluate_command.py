"""`auricle evaluate` on synthesized bedside scenes, whose contents are known to the sample."""

from __future__ import annotations

import csv
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from device.__main__ import main
from device.demo.demo_command import write_scene
from device.demo.scene import Scene, bedside
from device.runtime.model_loader import shifted

pytestmark = pytest.mark.usefixtures("own")

SEEDS = (20_240_229, 7)
THRESHOLD = 0.425
"""Of `cry`, two of three windows in a row."""


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes with a cry each, and half a minute of talk and a knock, all labelled."""
    folder = tmp_path_factory.mktemp("nights")
    (folder / "labels").mkdir()
    for number, seed in enumerate(SEEDS):
        scene = bedside(np.random.default_rng(seed))
        write_scene(folder / f"{number}.wav", scene)
        (cry,) = (item for item in scene.items if item.label == "cry")
        (folder / "labels" / f"{number}.txt").write_text(f"{cry.start_s}\t{cry.end_s}\tcry\n")
    rate_hz = scene.sample_rate_hz
    write_scene(folder / "talk.wav", Scene(scene.samples[: 26 * rate_hz], rate_hz, ()))
    (folder / "labels" / "talk.txt").touch()
    return folder


@pytest.fixture
def own(nights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of their label tracks in `labels` beside links to the recordings; the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("labels").mkdir()
    for track in (nights / "labels").iterdir():
        (Path("labels") / track.name).write_bytes(track.read_bytes())
    for recording in nights.glob("*.wav"):
        Path(recording.name).symlink_to(recording)


RECORDINGS = ("0.wav", "1.wav", "talk.wav")


def evaluate(*words: str, recordings: tuple[str, ...] = RECORDINGS) -> int:
    return main(["evaluate", "--labels", "labels", *words, *recordings])


def scored(recording: str) -> list[tuple[float, float]]:
    """The end and the score of each window, by a replay."""
    assert main(["replay", recording, "--scores", "scores.csv"]) == 0
    rows = csv.DictReader(Path("scores.csv").read_text().splitlines())
    return [(float(row["end_s"]), float(row["probability"])) for row in rows if row["model"] == row["label"] == "cry"]


def decided_after_s(windows: list[tuple[float, float]], sensitivity: int) -> float:
    """Seconds from the cry's start to the second window of three at the threshold.

    Processors round a network's sums in orders of their own, so a score beside a threshold is above it on some of them.
    """
    ends_s = [end_s for end_s, score in windows if score >= shifted(THRESHOLD, sensitivity)]
    return next(later for former, later in itertools.pairwise(ends_s) if later - former <= 1.0) - 28.0


def figures(name: str = "out.json") -> Any:
    return json.loads(Path(name).read_text())


def test_the_demos_cries_are_found_with_the_figures_that_the_scene_gives(capfd: pytest.CaptureFixture[str]) -> None:
    assert evaluate("--json", "out.json") == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "3 recordings, 0.04 h, 2 labelled sounds"
    assert "  found         2 of 2 (100 %)" in lines
    assert "  false alarms  0 in 0.04 h: 0.00 (0.00 to 90.96) an hour" in lines  # -ln(0.025) / (146 / 3600)
    assert lines[-2:] == [
        (
            "cry: keep sensitivity = 0: it found 2 of 2 and raised 0.00 false alarms an hour; no other finds more "
            "with at most 0.5."
        ),
        "scream: no such sound is labelled, so nothing can be said about what would be missed.",
    ]
    found = figures()
    assert (found["recordings"], found["hours"]) == (3, round(146 / 3600, 6))
    cry, scream = found["labels"]
    assert (scream["model"], scream["label"], scream["recommended"]) == ("scream", "scream", 0)
    assert (cry["model"], cry["label"], cry["sensitivity"], cry["recommended"]) == ("cry", "cry", 0, 0)
    assert (cry["missed"], cry["false_alarms"]) == ([], [])
    steps = {step["sensitivity"]: step for step in cry["sensitivities"]}
    assert list(steps) == list(range(-5, 6))
    assert {(step["found"], step["false_alarms"]) for step in cry["sensitivities"][:10]} == {(2, 0)}
    delays_s = {step: [steps[step]["delay_median_s"], steps[step]["delay_90_s"]] for step in steps if step < 5}
    windows = [scored(name) for name in RECORDINGS[:2]]
    assert delays_s == {step: sorted(decided_after_s(each, step) for each in windows) for step in delays_s}
    assert delays_s[0] == [1.0, 1.0]
    assert delays_s[-5] > delays_s[0]
    assert all(abs(error) < 0.5 for error in cry["onset_errors_s"] + cry["offset_errors_s"])
    assert len(cry["onset_errors_s"]) == 2


def test_what_was_missed_and_what_was_false_is_named_with_its_place(capfd: pytest.CaptureFixture[str]) -> None:
    Path("labels/1.txt").write_text("5\t6\tcry\n")  # talk in its place
    assert evaluate("--json", "out.json") == 0
    lines = capfd.readouterr().out.splitlines()
    assert "  missed        1.wav  5.00 to 6.00 s" in lines
    (false,) = [line for line in lines if line.startswith("  false alarm   1.wav  2")]
    assert "  found         1 of 2 (50 %)" in lines
    cry = figures()["labels"][0]
    assert cry["missed"] == [{"source": "1.wav", "start_s": 5.0, "end_s": 6.0}]
    assert [alarm["source"] for alarm in cry["false_alarms"]] == ["1.wav"]
    assert abs(cry["false_alarms"][0]["start_s"] - 28.0) < 0.5, false
    (advice,) = [line for line in lines if line.startswith("cry: ")]
    assert "no sensitivity stays within 0.5 false alarms an hour" in advice


def test_workers_give_the_same_figures() -> None:
    assert evaluate("--json", "one.json", "--workers", "1") == 0
    assert evaluate("--json", "two.json", "--workers", "2") == 0
    assert Path("one.json").read_bytes() == Path("two.json").read_bytes()


def test_a_configured_sensitivity_is_the_one_that_is_judged(capfd: pytest.CaptureFixture[str]) -> None:
    Path("a.toml").write_text("[model.cry.label.cry]\non = 0.3\noff = 0.01\nsensitivity = 5\n")
    assert evaluate("--config", "a.toml", "--json", "out.json") == 0
    cry = figures()["labels"][0]
    assert cry["sensitivity"] == 5
    assert cry["recommended"] == 4  # the nearest that raises no false alarm
    (advice,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith("cry: ")]
    assert advice.startswith(
        "cry: sensitivity = 4 in [model.cry.label.cry] would have found 2 of 2 (now 2) and raised 0.00 "
    )


def test_every_bad_label_is_a_line_and_nothing_is_counted(capfd: pytest.CaptureFixture[str]) -> None:
    Path("labels/0.txt").write_text("30\t28\tcry\n28\t40\tcyr\n59\t61\tcry\n")
    Path("labels/talk.txt").unlink()
    Path("labels/gone.txt").touch()
    assert evaluate("--json", "out.json") == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert not Path("out.json").exists()
    lines = [line.removeprefix("auricle: ") for line in err.splitlines()]
    assert lines[0] == "labels/0.txt:1: the label ends at 28 s, before it starts at 30 s: exchange them"
    assert lines[1].startswith('labels/0.txt:2: no model has a label "cyr"; it must be ')
    assert lines[2].startswith("talk.wav has no label track labels/talk.txt: ")
    assert lines[3].startswith("labels/gone.txt has no recording gone among those given")
    assert lines[4].startswith("labels/0.txt:3: the label ends at 61 s, 0.wav at 60.000 s: ")
    assert len(lines) == 5


def test_hours_without_labels_are_counted_only_if_they_are_said_to_be_quiet() -> None:
    Path("labels/talk.txt").unlink()
    assert evaluate("--json", "out.json") == 2
    assert evaluate("--json", "out.json", "--unlabelled-is-quiet") == 0
    assert figures()["hours"] == round(146 / 3600, 6)


def test_a_recording_that_breaks_off_is_left_out_and_said(capfd: pytest.CaptureFixture[str]) -> None:
    content = Path("0.wav").read_bytes()
    Path("0.wav").unlink()
    Path("0.wav").write_bytes(content[: len(content) * 3 // 4])
    assert evaluate("--json", "out.json") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "0.wav breaks off after 45.0" in line
    assert line.endswith("It is left out.")
    assert (figures()["recordings"], figures()["labels"][0]["sensitivities"][5]["labelled"]) == (2, 1)


@pytest.mark.parametrize("name", ["0.wav", "labels/0.txt", "a.toml"])
def test_an_input_is_no_output(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("a.toml").write_text("")
    before = Path(name).read_bytes()
    assert evaluate("--config", "a.toml", "--json", name) == 2
    assert "is the input" in capfd.readouterr().err
    assert Path(name).read_bytes() == before


def test_sigterm_ends_it_with_its_workers() -> None:
    for stem in ("x", "y"):
        noise = 1e-3 * np.random.default_rng(0).standard_normal(1800 * 16000)
        soundfile.write(f"{stem}.wav", noise, 16000)
        Path(f"labels/{stem}.txt").touch()
    tracks = [*RECORDINGS, "x.wav", "y.wav"]
    command = [sys.executable, "-m", "device", "evaluate", "--labels", "labels", "--workers", "2", *tracks]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            deadline_s = time.monotonic() + 60.0
            while len(children_of(process.pid)) < 3:  # two, and multiprocessing's tracker
                assert time.monotonic() < deadline_s
                time.sleep(0.1)
            time.sleep(2.0)
            workers = children_of(process.pid)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20.0) == 128 + signal.SIGTERM
        finally:
            process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == b""
    deadline_s = time.monotonic() + 20.0
    while any(map(runs, workers)):
        assert time.monotonic() < deadline_s, "a worker goes on"
        time.sleep(0.1)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
