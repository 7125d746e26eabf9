"""The command holds the committed lists to their laws, and says which clip breaks one."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from training.data.split_list import CRY_LIST, ListedClip, read_list, write_list
from training.splits import make_lists
from training.splits.cry_policy import SETS
from training.splits.make_lists import (
    add_arguments,
    differences,
    divided_duplicates,
    divided_subjects,
    missing_files,
    read_recordings,
    run,
    summary,
    too_doubtful,
)
from training.splits.near_duplicates import NearDuplicate, write_near_duplicates

if TYPE_CHECKING:
    from pathlib import Path

CLIPS = [
    ListedClip(f"a/{n}.ogg", "a", f"a:{n}", "train" if n < 6 else "test", "cry", doubtful=False, reason="")
    for n in range(10)
]


def command(*words: str) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args(words))


def test_a_list_differs_from_nothing_but_another_list() -> None:
    assert differences(CLIPS, reversed(CLIPS)) == []
    moved = [*CLIPS[:9], replace(CLIPS[9], part="val")]
    (difference,) = differences(moved, CLIPS)
    assert difference == "a/9.ogg is listed as val cry of a:9, '', the code makes it test cry of a:9, ''"
    assert differences(CLIPS[1:], CLIPS) == ["a/0.ogg is not listed"]
    assert differences(CLIPS, CLIPS[1:]) == ["a/0.ogg is listed but in no manifest"]


def test_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for clip in CLIPS[:9]:
        (tmp_path / clip.file).touch()
    assert missing_files(CLIPS, tmp_path) == ["a/9.ogg is missing"]


def test_a_divided_subject_is_told_and_an_excluded_clip_divides_none(tmp_path: Path) -> None:
    assert divided_subjects(CLIPS, (), tmp_path) == []
    divided = [*CLIPS[:9], replace(CLIPS[9], subject="a:0")]
    assert divided_subjects(divided, (), tmp_path) == ["group a:0 is divided: test, train"]
    assert divided_subjects([*divided[:9], replace(divided[9], part="exclude")], (), tmp_path) == []


def test_copies_on_two_sides_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_lists, "DUPLICATES", tmp_path / "near_duplicates.csv")
    found = [NearDuplicate("a/0.ogg", one, 0.9, 0.9, 0.0) for one in ("a/1.ogg", "a/9.ogg")]
    write_near_duplicates(tmp_path / "near_duplicates.csv", found)
    assert divided_duplicates(CLIPS) == ["a/0.ogg (train) and a/9.ogg (test) hold the same sound"]
    assert divided_duplicates([*CLIPS[:9], replace(CLIPS[9], part="exclude")]) == []


def test_too_many_doubts_of_one_source_are_told() -> None:
    doubted = [replace(CLIPS[0], doubtful=True), *CLIPS[1:]]
    assert too_doubtful(doubted) == []
    doubted[1] = replace(CLIPS[1], doubtful=True)
    assert too_doubtful(doubted) == ["2 of 10 cries of a are called doubtful, at most 12% may be"]


@pytest.mark.real_audio
def test_the_committed_lists_hold(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--data", str(data_dir)) == 0
    printed = capsys.readouterr()
    assert printed.out == "17915 clips listed, none missing, no subject and no near duplicate in two parts\n"
    assert printed.err == ""


@pytest.mark.real_audio
def test_a_list_that_was_touched_by_hand_is_refused(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = read_list(CRY_LIST)
    taught = next(clip for clip in clips if clip.set == "donateacry" and clip.part == "test")
    write_list(tmp_path / "cry.csv", [replace(clip, part="train") if clip == taught else clip for clip in clips])
    monkeypatch.setattr(make_lists, "CRY_LIST", tmp_path / "cry.csv")
    assert command("--data", str(data_dir), "--check") == 1
    assert f"cry.csv: {taught.file} is listed as train cry" in capsys.readouterr().err


@pytest.mark.real_audio
def test_lists_made_anew_are_the_committed_bytes(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CRY_LIST", "SCREAM_LIST", "LUNG_LIST", "IMPULSE_RESPONSE_LIST"):
        committed = getattr(make_lists, name)
        monkeypatch.setattr(make_lists, name, tmp_path / committed.name)
    assert command("--data", str(data_dir), "--make") == 0
    for name in ("cry.csv", "scream.csv", "lung.csv", "rir.csv"):
        assert (tmp_path / name).read_bytes() == CRY_LIST.with_name(name).read_bytes()


@pytest.mark.real_audio
def test_the_summary_accounts_for_every_clip(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--data", str(data_dir), "--summary") == 0
    printed, _, _ = capsys.readouterr().out.partition("scream.csv:")
    rows = [line for line in printed.splitlines()[2:] if line]
    counted = sum(int(cell.split(" / ")[1]) for row in rows for cell in row.split("|") if " / " in cell)
    assert counted == len(read_list(CRY_LIST)) == len(read_recordings(data_dir, SETS))
    assert summary((), (), data_dir).splitlines()[0] == "| set | label | train | val | test | exclude |"
