"""`split` divides by subject, says where it cannot, and lets no sound into two parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.errors import RecordingError
from tests.training.data.datasets.written_audio import write_audio, write_text
from training.__main__ import main
from training.splits.collection.shared_sound import check_sounds
from training.splits.near_duplicates import NearDuplicate
from training.splits.subject_split import Assignment, check_subjects, load_assignments

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 8_000
HEAD = "file,set,labels,subject,session,split,sr,duration,source_file,events,note\n"


def chirps(seed: int, duration_s: float = 2.5) -> np.ndarray:
    """Tones that glide at random: two seeds share nothing."""
    rng = np.random.default_rng(seed)
    steps = np.repeat(rng.uniform(400, 3_000, round(duration_s * 8)), RATE_HZ // 8)
    return np.asarray(0.3 * np.sin(2 * np.pi * np.cumsum(steps) / RATE_HZ), dtype=np.float32)


def class_folders(folder: Path, subjects: int = 6) -> Path:
    for subject in range(subjects):
        for label in ("cry", "other"):
            write_audio(folder / label / f"s{subject}" / f"{label}{subject}.wav")
    return folder


def split(folder: Path, *options: str) -> int:
    return main(["split", str(folder), "--out", str(folder / "split.csv"), *options])


def test_a_collection_is_divided_by_subject_the_same_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class_folders(tmp_path, 10)
    assert split(tmp_path, "--seed", "4") == 0
    first = (tmp_path / "split.csv").read_bytes()
    assignments = load_assignments(tmp_path / "split.csv")
    check_subjects(assignments)
    assert {one.subject for one in assignments} == {f"s{number}" for number in range(10)}
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in out] == [["train", "6"], ["val", "2"], ["test", "2"]]
    assert out[2].endswith("2 cry, 2 other")
    assert split(tmp_path, "--seed", "4") == 0
    assert (tmp_path / "split.csv").read_bytes() == first
    assert split(tmp_path, "--seed", "5") == 0
    assert (tmp_path / "split.csv").read_bytes() != first


def test_where_no_subject_is_known_one_sentence_says_what_would_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cry/1.wav", "other/2.wav"):
        write_audio(tmp_path / name)
    assert split(tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("training split: of none of the 2 recordings is the subject known: put each subject's")
    assert "SUBJECT__anything.wav" in line
    assert "--subject-column" in line


def test_a_column_of_a_table_names_the_subjects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(4):
        write_audio(tmp_path / "cry" / f"{number}.wav")
        write_audio(tmp_path / "other" / f"{number + 4}.wav")
    rows = "".join(f"{number}.wav,baby{number % 4},home{number % 3}\n" for number in range(7))
    write_text(tmp_path / "subjects.csv", f"file,subject,home\n{rows}")
    assert split(tmp_path) == 0
    found = {one.file: one.subject for one in load_assignments(tmp_path / "split.csv")}
    assert (found["cry/1.wav"], found["other/5.wav"], found["other/7.wav"]) == ("baby1", "baby1", "")
    assert "1 recording(s) of an unknown subject only train" in capsys.readouterr().out
    assert split(tmp_path, "--subject-column", "home") == 0
    assert {one.subject for one in load_assignments(tmp_path / "split.csv")} == {"home0", "home1", "home2", ""}
    assert split(tmp_path, "--subject-column", "cot") == 2
    assert "(subjects.csv: file, subject, home; split.csv: file, subject, part)" in capsys.readouterr().err


def test_subjects_that_share_a_sound_stay_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for subject in range(6):
        for label in ("cry", "other"):
            folder = tmp_path / label / f"s{subject}"
            folder.mkdir(parents=True)
            soundfile.write(folder / "a.wav", chirps(10 * subject + len(label)), RATE_HZ)
    copy = 0.2 * np.concatenate([np.zeros(1_200, np.float32), chirps(3)])  # later and quieter: no hash would find it
    soundfile.write(tmp_path / "cry" / "s5" / "b.wav", copy, RATE_HZ)
    parts = []
    for seed in range(4):
        assert split(tmp_path, "--seed", str(seed)) == 0
        part = {one.subject: one.part for one in load_assignments(tmp_path / "split.csv")}
        assert part["s0"] == part["s5"]
        parts.append(part["s0"])
    assert "the same sound: cry/s0/a.wav and cry/s5/b.wav, +0.15 s" in capsys.readouterr().err
    apart = set[bool]()
    for seed in range(8):
        assert split(tmp_path, "--skip-sounds", "--seed", str(seed)) == 0
        part = {one.subject: one.part for one in load_assignments(tmp_path / "split.csv")}
        apart.add(part["s0"] != part["s5"])
    assert True in apart  # it is the search that keeps them together


def test_of_recordings_at_4_khz_only_equal_ones_are_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, samples in enumerate((chirps(1), chirps(1), 0.5 * chirps(1), chirps(2))):
        (tmp_path / "cry" / f"s{number}").mkdir(parents=True)
        soundfile.write(tmp_path / "cry" / f"s{number}" / "a.wav", samples, 4_000)
    assert split(tmp_path, "--layout", "classes") == 0
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("the same sound")]
    assert told == ["the same sound: cry/s0/a.wav and cry/s1/a.wav, +0.00 s"]


def test_a_sound_in_two_parts_fails_the_run() -> None:
    lines = [Assignment("a", "1", "train"), Assignment("b", "2", "test"), Assignment("c", "3", "train")]
    check_sounds(lines, [NearDuplicate("a", "c", 0.9, 0.9, 0.0)])
    with pytest.raises(RecordingError, match=r"1 pair\(s\) of recordings hold the same sound.* is a and b"):
        check_sounds(lines, [NearDuplicate("a", "b", 0.9, 0.9, 0.0)])


def published(folder: Path, *parts_of: tuple[str, str]) -> Path:
    """A manifest of recordings (subject, official part)."""
    lines = [f"{index}.wav,x,cry,{who},,{part},8000,2,,,\n" for index, (who, part) in enumerate(parts_of)]
    for index in range(len(parts_of)):
        write_audio(folder / f"{index}.wav")
    write_text(folder / "manifest.csv", HEAD + "".join(lines))
    return folder


def test_the_publishers_parts_are_taken_as_they_are_and_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published(tmp_path, ("156", "train"), ("156", "test_intra"), ("7", "train"), ("8", "train"), ("9", ""))
    assert split(tmp_path, "--official-split") == 0
    out = capsys.readouterr().out
    assert "1 subject(s) are in two of the publishers' parts: 156" in out
    assert "1 recording(s) are in none of the publishers' parts" in out
    assignments = load_assignments(tmp_path / "split.csv")
    assert all(one.official for one in assignments)
    part = {one.file: one.part for one in assignments}
    assert (part["0.wav"], part["1.wav"]) == ("train", "test")
    assert {part["2.wav"], part["3.wav"]} == {"train", "val"}  # one of those in no test validates
    with pytest.raises(RecordingError, match="--official-split takes it as it is"):
        check_subjects(assignments)


def test_without_being_asked_for_the_publishers_parts_divide_no_subject(tmp_path: Path) -> None:
    published(tmp_path, ("156", "train"), ("156", "test"), ("7", "train"), ("8", "test"))
    assert split(tmp_path) == 0
    check_subjects(load_assignments(tmp_path / "split.csv"))


def test_numbered_folds_end_in_validation_and_test(tmp_path: Path) -> None:
    published(tmp_path, *((f"s{fold}", f"fold{fold}") for fold in (1, 2, 3, 4, 10)))
    assert split(tmp_path, "--official-split") == 0
    parts = [one.part for one in load_assignments(tmp_path / "split.csv")]
    assert parts == ["train", "train", "train", "val", "test"]


@pytest.mark.parametrize(
    ("official", "options", "sentence"),
    [
        ("", ("--official-split",), "has no official split: leave --official-split out"),
        ("spring", ("--official-split",), 'the official part "spring" is neither train, val, test nor a fold'),
        ("train", ("--shares", "0.6", "0.2", "0.3"), "do not add up to 1"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], official: str, options: tuple[str, ...], sentence: str
) -> None:
    published(tmp_path, *((f"s{number}", official) for number in range(4)))
    assert split(tmp_path, *options) == 2
    assert sentence in capsys.readouterr().err


def test_problems_with_annotations_are_shown_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published(tmp_path, *((f"s{number}", "") for number in range(4)))
    (tmp_path / "3.wav").unlink()
    assert split(tmp_path) == 0
    err = capsys.readouterr().err
    assert "manifest.csv, line 5: its audio 3.wav is missing" in err
    assert "1 problem(s) with the annotations" in err


@pytest.mark.real_audio
def test_sprsound_s_own_split_is_known_to_share_its_patients(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["split", str(data_dir / "sprsound"), "--out", str(tmp_path / "split.csv"), "--skip-sounds"]
    assert main([*command, "--official-split"]) == 0
    assert "162 subject(s) are in two of the publishers' parts" in capsys.readouterr().out
    with pytest.raises(RecordingError, match="are in two parts"):
        check_subjects(load_assignments(tmp_path / "split.csv"))
