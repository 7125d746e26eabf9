"""The policy of the scream list: as the cry list's, doubtful screams judge nothing, and pets are cut between blocks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from tests.training.splits.listed_recordings import DATA, recording
from training.data.split_list import CRY_LIST, SCREAM_LIST, ListedClip, read_list
from training.splits.make_lists import SCREAM_EVIDENCE, parted_between
from training.splits.near_duplicates import NearDuplicate
from training.splits.scream_evidence import ScreamEvidence, gather, read_evidence, write_evidence
from training.splits.scream_policy import label_of, make_list

if TYPE_CHECKING:
    from pathlib import Path

CERTAIN, DOUBTFUL = ScreamEvidence("", 0.9, 2.0), ScreamEvidence("", 0.02, 0.1)


def screams(count: int = 30) -> list[str]:
    return [f"scream/scream/s{number}.ogg" for number in range(count)]


def made(evidence: ScreamEvidence, *duplicates: NearDuplicate) -> list[ListedClip]:
    recordings = [recording(file, "scream", subject=file) for file in screams()]
    recordings += [recording("scream_mg/scream_like/1.ogg", "scream_like", subject="block", note="scream=0.90")]
    return list(make_list(recordings, DATA, duplicates=duplicates, evidence=dict.fromkeys(screams(), evidence)))


def test_certain_screams_are_in_every_part() -> None:
    clips = made(CERTAIN)
    assert {clip.part for clip in clips} == {"train", "val", "test"}
    assert {clip.label for clip in clips} == {"scream"}


def test_doubtful_screams_are_marked_in_training_and_ignored_elsewhere() -> None:
    for clip in made(DOUBTFUL)[:-1]:
        assert (clip.label, clip.doubtful) == (("scream", True) if clip.part == "train" else ("ignore", False))
        assert clip.reason.startswith("YAMNet hears no scream (0.02)")


def test_both_measures_must_doubt() -> None:
    for evidence in (ScreamEvidence("", 0.02, 2.0), ScreamEvidence("", 0.9, 0.0)):
        assert not any(clip.doubtful or clip.label == "ignore" for clip in made(evidence))


def test_a_recording_that_scream_mg_shares_trains_with_it() -> None:
    held_out = next(clip.file for clip in made(CERTAIN) if clip.part == "test")
    found = made(CERTAIN, NearDuplicate(held_out, "scream_mg/scream_like/1.ogg", 0.99, 0.98, 0.0))
    shared = [clip for clip in found if clip.file in {held_out, "scream_mg/scream_like/1.ogg"}]
    assert {clip.part for clip in shared} == {"train"}
    assert len({clip.subject for clip in shared}) == 1
    assert sum(clip.part == "test" for clip in found) == sum(clip.part == "test" for clip in made(CERTAIN)) - 1


def test_a_pet_that_another_set_holds_too_is_ignored_with_its_neighbours() -> None:
    files = [f"pets/cat/cat_{number}.ogg" for number in range(150, 158)]
    recordings = [recording(file, "cat") for file in files] + [recording("esc50/cat/1-1-A-5.ogg", "cat", subject="1")]
    found = make_list(
        recordings,
        DATA,
        duplicates=[NearDuplicate("esc50/cat/1-1-A-5.ogg", files[3], 0.99, 0.9, 0.0)],
        evidence={},
    )
    assert [clip.label for clip in found] == ["other"] + ["ignore"] * 5 + ["other"] * 3


@pytest.mark.parametrize(
    ("file", "labels", "note", "label"),
    [
        ("scream_mg/scream_like/1.ogg", ("scream_like",), "yamnet scream=0.6000", "scream"),
        ("scream_mg/scream_like/2.ogg", ("scream_like",), "yamnet scream=0.3000", "ignore"),
        ("scream_mg/no_scream/1.ogg", ("no_scream",), "yamnet scream=0.0300", "other"),
        ("scream_mg/no_scream/2.ogg", ("no_scream",), "yamnet scream=0.2000", "ignore"),
        ("scream/scream/359154__muffled-female-cry.ogg", ("scream",), "", "ignore"),
        ("donateacry/cry/a.ogg", ("cry", "hungry"), "", "other"),
        ("esc50/crying_baby/a.ogg", ("crying_baby",), "", "other"),
        ("hard_neg/acted_speech/a.ogg", ("speech", "distress_acted"), "", "ignore"),
        ("pets/cat/cat_150.ogg", ("cat",), "", "other"),
        ("pets/cat/cat_140.ogg", ("cat",), "", "ignore"),
        ("pets/dog/dog_barking_79.ogg", ("dog",), "", "ignore"),
    ],
)
def test_what_a_recording_counts_as(file: str, labels: tuple[str, ...], note: str, label: str) -> None:
    assert label_of(recording(file, *labels, note=note), None)[0] == label


def test_a_clip_said_to_hold_no_scream_in_which_somebody_screams_is_ignored() -> None:
    other = recording("scream_audioset/no_scream/a.ogg", "no_scream")
    assert label_of(other, ScreamEvidence("", 0.6, 0.0))[0] == "ignore"
    assert label_of(other, ScreamEvidence("", 0.4, 0.0))[0] == "other"


def test_the_committed_list_judges_no_scream_of_a_guessed_subject_and_none_that_is_doubtful() -> None:
    clips = read_list(SCREAM_LIST)
    judged = [clip for clip in clips if clip.part in {"val", "test"} and clip.label == "scream"]
    assert {clip.set for clip in judged} == {"scream", "scream_audioset"}
    assert not any(clip.doubtful for clip in judged)
    assert len({clip.subject for clip in judged if clip.part == "test"}) >= 15
    assert {clip.part for clip in clips if clip.set == "scream_mg"} == {"train"}


def test_no_clip_trains_by_one_list_and_judges_by_the_other() -> None:
    assert parted_between(read_list(CRY_LIST), read_list(SCREAM_LIST)) == []
    clip = ListedClip("a/b.ogg", "a", "a:b", "train", "other", doubtful=False, reason="")
    moved = ListedClip("a/b.ogg", "a", "a:b", "test", "other", doubtful=False, reason="")
    assert parted_between([clip], [moved]) == ["a/b.ogg is listed as train in one list and as test in the other"]


def test_evidence_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = (ScreamEvidence("b.ogg", 0.25, 1.5), ScreamEvidence("a.ogg", 0.5, 0.0))
    write_evidence(tmp_path / "evidence.csv", found)
    assert tuple(read_evidence(tmp_path / "evidence.csv").values()) == tuple(sorted(found))


@pytest.mark.real_audio
def test_the_committed_evidence_is_what_is_measured(data_dir: Path, peers_dir: Path) -> None:
    file = "scream/scream/maleScream-002.ogg"
    one = recording(file, "scream")
    listed = dataclasses.replace(one, file=data_dir / file)
    (found,) = gather([listed], data_dir, peers_dir / "yamnet.tflite")
    committed = read_evidence(SCREAM_EVIDENCE)[file]
    assert (found.screaming, found.voice_s) == pytest.approx((committed.screaming, committed.voice_s), abs=0.006)
