"""ESC-50 reads as published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.errors import RecordingError
from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.esc50 import read_esc50
from training.data.datasets.layouts import read_dataset

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "filename,fold,target,category,esc10,src_file,take\n"


def publish(root: Path, table: str, *files: str) -> Path:
    (root / "meta").mkdir()
    (root / "audio").mkdir()
    (root / "meta" / "esc50.csv").write_text(table, encoding="utf-8")
    for file in files:
        soundfile.write(root / "audio" / file, np.zeros(22_050, np.float32), 44_100)
    return root


def test_clips_of_one_freesound_sound_share_a_subject(tmp_path: Path) -> None:
    table = (
        HEAD + "1-211527-A-20.wav,1,20,crying_baby,True,211527,A\n1-211527-B-20.wav,1,20,crying_baby,True,211527,B\n"
    )
    first, second = read_esc50(publish(tmp_path, table, "1-211527-A-20.wav", "1-211527-B-20.wav"))
    assert first.subject == second.subject == "211527"
    assert (first.labels, first.official_split, first.note) == (("crying_baby",), "fold1", "take=A esc10=True")
    assert (first.sample_rate_hz, first.duration_s) == (44_100, 0.5)
    assert len(load_audio(second, 16_000)) == 8_000


def test_a_folder_that_is_not_esc50_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"esc50\.csv is missing: give the folder of ESC-50"):
        read_esc50(tmp_path)


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"lacks the column\(s\) src_file, take"):
        read_esc50(publish(tmp_path, HEAD.replace(",src_file,take", "")))


def test_a_listed_clip_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"1-1-A-0\.wav cannot be read"):
        read_esc50(publish(tmp_path, HEAD + "1-1-A-0.wav,1,0,dog,True,1,A\n"))


def test_missing_and_repeated_clips_are_told_by_line(tmp_path: Path) -> None:
    name = "1-211527-A-20.wav"
    lines = f"{name},1,20,crying_baby,False,211527,A", "gone.wav,1,20,dog,False,1,A", f"{name},1,20,dog,x,1,A", "x"
    table = HEAD + "".join(f"{line}\n" for line in lines)
    dataset = read_dataset(publish(tmp_path, table, name))
    assert [(one.line, one.sentence.partition(":")[0]) for one in dataset.problems] == [
        (3, "its audio gone.wav is missing"),
        (4, f"{name} is listed already in line 2"),
        (5, "lacks a column"),
    ]
    (one,) = dataset.recordings
    assert (one.labels, one.official_split, one.subject) == (("crying_baby",), "fold1", "211527")
