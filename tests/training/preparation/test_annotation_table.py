"""The annotations of a collection as a CSV that other programs read."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import RecordingError
from tests.training.train.system.small_collection import write_collection
from training.__main__ import main
from training.data.datasets.annotated_recording import AnnotatedRecording
from training.data.examples import Example
from training.preparation.annotation_table import read_annotations, write_annotations


def test_each_example_is_a_line_with_its_target(tmp_path: Path) -> None:
    recording = AnnotatedRecording(Path("/set/a b,1.wav"), "mine", (), "p1", "", "", 4000, 9.0, (), "")
    examples = [Example(recording, 0.5, 2.25, (1, 0), "p1", "train"), Example(recording, 3, 4, (0, 0), "p1", "train")]
    write_annotations(tmp_path / "a.csv", examples, Path("/set"), ("wheeze", "crackle"))
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines() == [
        "file,subject,part,start_s,end_s,wheeze,crackle",
        '"a b,1.wav",p1,train,0.500,2.250,1,0',
        '"a b,1.wav",p1,train,3.000,4.000,0,0',
    ]
    assert read_annotations(tmp_path / "a.csv")[0]["file"] == "a b,1.wav"


def test_another_table_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,label\n", encoding="utf-8")
    with pytest.raises(RecordingError, match=r"lacks the column\(s\) subject, part, start_s, end_s"):
        read_annotations(tmp_path / "a.csv")
    with pytest.raises(RecordingError, match=r"gone\.csv is missing"):
        read_annotations(tmp_path / "gone.csv")


def test_a_collection_becomes_a_table_and_what_is_left_out_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sounds, split = write_collection(tmp_path, {"train": 4, "val": 4, "test": 4})
    split.write_text(split.read_text(encoding="utf-8").replace("train0.wav,train-0,train\n", ""), encoding="utf-8")
    given = ["annotations", str(sounds), "--task", "breath_sounds", "--split", str(split)]
    assert main([*given, "--out", str(tmp_path / "table.csv")]) == 0
    rows = read_annotations(tmp_path / "table.csv")
    assert len(rows) == 11
    assert [(row["file"], row["part"], row["wheeze"], row["crackle"]) for row in rows[:3]] == [
        ("train1.wav", "train", "1", "0"),
        ("train2.wav", "train", "0", "1"),
        ("train3.wav", "train", "1", "1"),
    ]
    assert capsys.readouterr().out.splitlines() == [
        "11 examples of 12 recordings",
        "left out: 1, the split names no part for it",
    ]
