"""The policy of the lung list: patients whole, rare labels in every part, ICBHI's official split kept."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.training.splits.listed_recordings import DATA, recording
from training.data.split_list import LUNG_LIST, ListedClip, read_list
from training.splits.lung_policy import SETS, labels_in, make_list
from training.splits.make_lists import read_recordings

if TYPE_CHECKING:
    from pathlib import Path

PARTS = {"train", "val", "test"}


def parts_by_subject(clips: list[ListedClip]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for clip in clips:
        found[clip.subject].add(clip.part)
    return found


def test_a_patient_of_two_publishers_parts_stays_whole() -> None:
    recordings = [
        recording(f"sprsound/{part}/{patient}.flac", "Normal", subject=str(patient), official_split=part)
        for patient in range(20)
        for part in ("train", "test_intra")
    ]
    found = parts_by_subject(list(make_list(recordings, DATA)))
    assert all(len(parts) == 1 for parts in found.values())
    assert {part for parts in found.values() for part in parts} == PARTS


def test_a_rare_label_is_in_every_part() -> None:
    recordings = [recording(f"sprsound/n{n}.flac", "Normal", subject=f"n{n}") for n in range(200)]
    recordings += [recording(f"sprsound/r{n}.flac", "CAS", subject=f"r{n}") for n in range(5)]
    clips = make_list(recordings, DATA)
    assert {clip.part for clip in clips if clip.file.startswith("sprsound/r")} == PARTS


def test_icbhis_official_test_judges_unless_the_patient_also_trains() -> None:
    recordings = [
        recording("icbhi_more/a.flac", "Normal", subject="a", official_split="test"),
        recording("icbhi_more/b.flac", "Normal", subject="156", official_split="test"),
        recording("icbhi_more/c.flac", "Normal", subject="156", official_split="train"),
    ]
    first, second, third = make_list(recordings, DATA)
    assert first.part == "test"
    assert second.part == third.part != "test"


@pytest.mark.real_audio
def test_the_committed_list_holds_each_event_label_in_each_part(data_dir: Path) -> None:
    part = {clip.file: clip.part for clip in read_list(LUNG_LIST)}
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for one in read_recordings(data_dir, SETS[:1]):
        for label in labels_in(one):
            labels[label].add(part[one.file.relative_to(data_dir).as_posix()])
    assert {label for label, parts in labels.items() if parts != PARTS} == set()
