"""The ICBHI 2017 database reads as published, and what is missing of it is counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.training.data.datasets.written_audio import write_audio, write_text
from training.data.datasets.annotated_recording import AnnotatedSpan
from training.data.datasets.annotation_checks import UNUSABLE
from training.data.datasets.layouts import read_dataset

if TYPE_CHECKING:
    from pathlib import Path

NAME = "101_1b1_Al_sc_Meditron"


@pytest.mark.real_audio
def test_the_sample_gives_three_patients_and_counts_the_missing_recordings(data_dir: Path) -> None:
    dataset = read_dataset(data_dir / "icbhi_sample")
    assert [one.subject for one in dataset.recordings] == ["102", "103", *["104"] * 6]
    assert {(one.subject, one.official_split) for one in dataset.recordings} == {
        ("102", "test"),
        ("103", "train"),
        ("104", "test"),
    }
    asthma = dataset.recordings[1]
    assert (asthma.labels, asthma.session) == (("Normal", "Wheeze"), "103_2b2")
    assert asthma.note == "diagnosis=Asthma place=Ar mode=mc device=LittC2SE"
    assert asthma.events[0] == AnnotatedSpan(0.364, 3.25, "Wheeze")
    missing = [one for one in dataset.problems if one.sentence.endswith(".wav is missing")]
    assert len(missing) == 920 - 8
    (listed,) = [one for one in dataset.problems if one not in missing]
    assert (listed.file.name, listed.line) == ("ICBHI_challenge_train_test.txt", 920)
    assert listed.sentence == "226_1b1_Pl_sc_Meditron (train) has neither audio nor annotation here"


@pytest.mark.real_audio
def test_all_annotations_give_the_published_numbers_of_cycles(data_dir: Path, tmp_path: Path) -> None:
    """6898 cycles: 3642 normal, 1864 with crackles, 886 with wheezes, 506 with both."""
    write_text(tmp_path / "ICBHI_challenge_train_test.txt", f"{NAME}\ttrain\r\n")
    for annotation in (data_dir / "icbhi_sample" / "annotations_all").iterdir():
        target = tmp_path / annotation.name
        target.symlink_to(annotation)
    long = write_audio(tmp_path / "long.wav", 100.0)
    for annotation in sorted(tmp_path.glob("*_*_*_*.txt")):
        if annotation.name != "ICBHI_challenge_train_test.txt":
            annotation.with_suffix(".wav").symlink_to(long)
    dataset = read_dataset(tmp_path, "icbhi")
    assert len(dataset.recordings) == 920
    counted = Counter(span.label for one in dataset.recordings for span in one.events)
    assert counted == {"Normal": 3642, "Crackle": 1864, "Wheeze": 886, "Crackle+Wheeze": 506}
    assert {one.sentence for one in dataset.problems} == {"the official split names no part for it"}
    assert len(dataset.problems) == 919


def test_a_wrong_cycle_is_told_by_its_line_and_an_unknown_flag_by_its_value(tmp_path: Path) -> None:
    write_audio(tmp_path / f"{NAME}.wav")
    wrong = "0.9\t0.5\t1\t0\n0.5\t0.9\t2\t0\n1.0\t1.5\t1\n1.5\t2.9\t0\t1\n"
    write_text(tmp_path / f"{NAME}.txt", f"0.0\t0.5\t0\t0\n{wrong}")
    dataset = read_dataset(tmp_path)
    assert [(one.line, one.sentence) for one in dataset.problems] == [
        (2, "ends at 0.5 s, before it begins at 0.9 s"),
        (3, 'the label "crackles=2 wheezes=0" is unknown: there are Crackle, Crackle+Wheeze, Normal, Wheeze'),
        (4, '"1.0\t1.5\t1" is no annotation'),
        (5, "ends at 2.9 s, beyond the end of its recording at 2.000 s"),
    ]
    labels = [span.label for span in dataset.recordings[0].events]
    assert labels == ["Normal", UNUSABLE, "crackles=2 wheezes=0", UNUSABLE, UNUSABLE]


def test_a_sound_without_annotation_and_copies_that_differ_are_told(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio" / f"{NAME}.wav")
    write_text(tmp_path / "audio" / f"{NAME}.txt", "0\t1\t0\t0\n")
    write_text(tmp_path / "all" / f"{NAME}.txt", "0\t1\t1\t0\n")
    write_audio(tmp_path / "audio" / "102_1b1_Ar_sc_Meditron.wav")
    dataset = read_dataset(tmp_path)
    assert dataset.recordings[0].labels == ("Normal",)  # the copy beside the sound is the one that is read
    assert [one.sentence for one in dataset.problems] == [
        f"differs from audio/{NAME}.txt, which is read",
        "its annotation 102_1b1_Ar_sc_Meditron.txt is missing",
    ]


def test_the_diagnoses_of_the_database_s_own_page_are_read_too(tmp_path: Path) -> None:
    write_audio(tmp_path / f"{NAME}.wav")
    write_text(tmp_path / f"{NAME}.txt", "0\t1\t0\t0\n")
    table = write_text(tmp_path / "ICBHI_Challenge_diagnosis.txt", "101\tURTI\n101\tCOPD\nnonsense\n")
    dataset = read_dataset(tmp_path)
    assert dataset.recordings[0].note.startswith("diagnosis=URTI ")
    assert [(one.file, one.line, one.sentence) for one in dataset.problems] == [
        (table, 2, "101 is listed already in line 1"),
        (table, 3, '"nonsense" is no line of two columns'),
    ]
