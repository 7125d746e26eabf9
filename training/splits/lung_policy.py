"""The lung list: which patients train, validate and test a model of breath sounds; seeded and repeatable.

A subject is a patient, whatever the part that publishers put a recording in: SPRSound's `test_intra` shares all its
patients with `train`, so it is divided anew by patient. A patient is drawn in the stratum of its rarest label, so that
each part holds some of each. ICBHI's recordings keep the part of the official split unless a patient is on both
sides (156 and 218 of the whole database are); some of its training patients choose. The three filters of KAUH are one
recording and stay together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from training.data.split_list import ListedClip, Part
from training.splits.cry_parts import fill_parts
from training.splits.cry_policy import file_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording

SETS = ("sprsound", "kauh", "icbhi_more")

_SHARES = (0.60, 0.15, 0.25)
_ICBHI_SHARES = (0.80, 0.20, 0.0)


def make_list(recordings: Sequence[AnnotatedRecording], data: Path) -> tuple[ListedClip, ...]:
    """The list of all recordings, in their order; equal arguments give an equal list."""
    groups = [f"{recording.set}:{recording.subject}" for recording in recordings]
    parts = _parts(dict(_strata(recordings, groups)))
    return tuple(
        ListedClip(file_name(recording, data), recording.set, group, parts[group], "lung", doubtful=False, reason="")
        for recording, group in zip(recordings, groups, strict=True)
    )


def _parts(strata: Mapping[str, Mapping[str, float]]) -> dict[str, Part]:
    """Group -> part."""
    parts: dict[str, Part] = {}
    for name in sorted(strata):
        if name == "icbhi_more/official test":
            parts |= dict.fromkeys(strata[name], "test")
        else:
            shares = _ICBHI_SHARES if name.startswith("icbhi") else _SHARES
            parts |= fill_parts(name, strata[name], {}, shares=shares)
    return parts


def _strata(recordings: Sequence[AnnotatedRecording], groups: Sequence[str]) -> Iterator[tuple[str, dict[str, float]]]:
    """Stratum -> its groups, weighed in seconds."""
    members: defaultdict[str, list[AnnotatedRecording]] = defaultdict(list)
    for recording, group in zip(recordings, groups, strict=True):
        members[group].append(recording)
    frequency = Counter((one.set, label) for one in recordings for label in labels_in(one))
    strata: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for group, held in members.items():
        strata[_stratum(held, frequency)][group] = sum(one.duration_s for one in held)
    yield from strata.items()


def _stratum(held: Iterable[AnnotatedRecording], frequency: Mapping[tuple[str, str], int]) -> str:
    """The set and the rarest label of a patient; of ICBHI the official part instead."""
    held = tuple(held)
    name = held[0].set
    if name == "icbhi_more":
        return f"{name}/official {'test' if {one.official_split for one in held} == {'test'} else 'train'}"
    found = {label for one in held for label in labels_in(one)}
    return f"{name}/{min(found, key=lambda label: (frequency[name, label], label))}"


def labels_in(recording: AnnotatedRecording) -> set[str]:
    """The labels of a recording and of its events."""
    return {*recording.labels, *(event.label for event in recording.events)}
