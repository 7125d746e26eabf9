"""The command that writes scenes: truth as labels and tables, one part alone, and nothing from a list that leaks."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import soundfile

from device.errors import RecordingError
from training.__main__ import main
from training.data.split_list import CRY_LIST, SCREAM_LIST, read_list, write_list
from training.evaluation.alarms.scenes_command import refuse_shared
from training.evaluation.alarms.timelines import is_scenes_folder, read_scenes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.real_audio
def test_scenes_of_real_screams_lie_beside_their_truth(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scenes"
    words = ["--data", str(data_dir), "--part", "val", "--task", "scream", "--hours", "0.05", "--out", str(out)]
    assert main(["scenes", *words]) == 0
    told = capsys.readouterr().out
    assert told.startswith("2 scenes of val: 0.03 h ordinary, 0.03 h hard, ")
    assert " times one again, " in told
    head, timelines = read_scenes(out)
    assert is_scenes_folder(out)
    assert (head["task"], head["part"]) == ("scream", "val")
    part = {clip.file: clip.part for clip in read_list(SCREAM_LIST)}
    with (out / "truth.csv").open(encoding="utf-8") as lines:
        truth = list(csv.DictReader(lines))
    with (out / "backgrounds.csv").open(encoding="utf-8") as lines:
        sounds = list(csv.DictReader(lines))
    assert {part[row["file"]] for row in (*truth, *sounds)} == {"val"}
    assert len(truth) == sum(len(one.events) for one in timelines) > 0
    for timeline in timelines:
        track = (out / timeline.name).with_suffix(".txt").read_text().splitlines()
        assert [line.split("\t")[2] for line in track] == ["scream"] * len(timeline.events)
        assert soundfile.info(timeline.recording.file).duration == pytest.approx(timeline.recording.duration_s)
    assert main(["scenes", *words]) == 2
    assert "exists already" in capsys.readouterr().err


def test_a_list_that_divides_a_subject_writes_no_scene(tmp_path: Path) -> None:
    clips = read_list(CRY_LIST)
    taught = next(clip for clip in clips if clip.set == "donateacry" and clip.part == "train")
    judged = next(clip for clip in clips if clip.set == "donateacry" and clip.part == "test")
    write_list(tmp_path / "list.csv", [replace(one, subject=taught.subject) if one == judged else one for one in clips])
    with pytest.raises(RecordingError, match=f"group {taught.subject} is divided"):
        refuse_shared(tmp_path / "list.csv")
    refuse_shared(CRY_LIST)
    refuse_shared(SCREAM_LIST)


def test_a_list_with_the_same_sound_on_two_sides_writes_no_scene(tmp_path: Path) -> None:
    clips = read_list(SCREAM_LIST)
    shared = "scream/scream/femaleScream-028.ogg"
    moved = [replace(one, part="test", subject="apart") if one.file == shared else one for one in clips]
    write_list(tmp_path / "list.csv", moved)
    if next(one for one in clips if one.file == "scream/scream/femaleScream-065.ogg").part == "test":
        moved = [replace(one, part="train", subject="apart") if one.file == shared else one for one in clips]
        write_list(tmp_path / "list.csv", moved)
    with pytest.raises(RecordingError, match="hold the same sound"):
        refuse_shared(tmp_path / "list.csv")


def test_no_hours_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenes", "--data", str(tmp_path), "--hours", "0", "--out", str(tmp_path / "out")]) == 2
    assert "--hours 0: give more than 0" in capsys.readouterr().err
