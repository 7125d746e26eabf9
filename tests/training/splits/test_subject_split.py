"""A split survives its file, and one that divides a subject is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import RecordingError
from training.splits.subject_split import (
    PARTS,
    Assignment,
    check_subjects,
    divided_subjects,
    load_assignments,
    save_assignments,
)

if TYPE_CHECKING:
    from pathlib import Path


@given(
    lines=st.lists(
        st.builds(Assignment, st.text("ab/,\"' ", min_size=1), st.text("xy1"), st.sampled_from(PARTS), st.booleans()),
        unique_by=lambda one: one.file,
    )
)
def test_what_is_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, lines: list[Assignment]) -> None:
    path = tmp_path_factory.mktemp("split") / "split.csv"
    save_assignments(path, lines)
    assert load_assignments(path) == tuple(sorted(lines, key=lambda one: one.file))


def test_only_a_publishers_split_has_a_fourth_column(tmp_path: Path) -> None:
    save_assignments(tmp_path / "own.csv", [Assignment("a.wav", "s", "train")])
    save_assignments(tmp_path / "official.csv", [Assignment("a.wav", "s", "train", official=True)])
    assert (tmp_path / "own.csv").read_text(encoding="utf-8") == "file,subject,part\na.wav,s,train\n"
    assert (tmp_path / "official.csv").read_text(encoding="utf-8").splitlines()[1] == "a.wav,s,train,true"


def test_a_subject_in_two_parts_fails_the_run() -> None:
    lines = [Assignment("a", "156", "train"), Assignment("b", "156", "test"), Assignment("c", "7", "val")]
    assert divided_subjects(lines) == {"156": ("test", "train")}
    with pytest.raises(RecordingError, match=r"1 subject\(s\) are in two parts: 156 \(test and train\)"):
        check_subjects(lines)
    with pytest.raises(RecordingError, match="are in two parts"):
        check_subjects(lines, official_split=True)  # not the publishers': nobody may ask for it
    check_subjects(lines[1:])


def test_a_publishers_split_that_shares_subjects_must_be_asked_for() -> None:
    lines = [Assignment("a", "156", "train", official=True), Assignment("b", "156", "test", official=True)]
    with pytest.raises(RecordingError, match="--official-split takes it as it is"):
        check_subjects(lines)
    check_subjects(lines, official_split=True)


def test_a_recording_of_an_unknown_subject_may_only_train() -> None:
    check_subjects([Assignment("a", "", "train"), Assignment("b", "", "train"), Assignment("c", "7", "test")])
    with pytest.raises(RecordingError, match=r"1 recording\(s\) of an unknown subject judge, the first is b"):
        check_subjects([Assignment("a", "", "train"), Assignment("b", "", "val")])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,subject\n", r"lacks the column\(s\) part"),
        ("file,subject,part\na,s,dev\n", "line 2 says 'dev' of 'a': it must name a file and train, val, test"),
        ("file,subject,part\na,s\n", "line 2 says None"),
        ("file,subject,part,official\na,s,val,yes\n", "official says 'yes'"),
        ("file,subject,part\na,s,val\na,s,val\n", "names a twice"),
    ],
)
def test_a_split_that_makes_no_sense_is_told_by_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "split.csv").write_text(text, encoding="utf-8")
    with pytest.raises(RecordingError, match=sentence):
        load_assignments(tmp_path / "split.csv")


def test_a_missing_split_names_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"python -m training split DIR --out"):
        load_assignments(tmp_path / "split.csv")
