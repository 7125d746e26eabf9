"""The annotations of a collection as a CSV that other programs read."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import RecordingError
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
