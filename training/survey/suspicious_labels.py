"""Labels that somebody should listen to again, and how that is judged. Pure.

A label is suspicious if its stretch is digital silence though the label promises a sound; if it lasts less than 20 ms;
if its name differs by upper and lower case from another, or by one letter from one that is ten times as frequent; or if
its sound lies among another label's: of its ten nearest neighbours by spectrum (mean and spread of 40 log-mel bands,
without level, each scaled to unit variance), all of other subjects, nine or more carry one and the same other label and
none its own. The last is judged only for labels of which most stretches do find their own label among their neighbours,
that is where the spectrum tells labels apart at all. A finding says "listen here", not "this is wrong".
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from training.survey.recording_facts import LabelledStretch

NEIGHBOURS = 10
OF_ONE_OTHER = 9
MAY_BE_SILENT = frozenset({"silence", "normal", "none", "negative", "background", "other", "noise", "no_scream"})
"""Labels that promise no sound."""

SHORTEST_S = 0.02
_OFTEN = 10
_TOLD_APART = 0.5


@dataclass(frozen=True, slots=True)
class PlacedStretch:
    """A stretch, the recording it is in, and whose that is."""

    file: str
    subject: str
    stretch: LabelledStretch


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A label to listen to again.

    Attributes:
        file: the recording, or empty where all of a label's are meant.
        start_s: of the stretch.
        label: as annotated.
        reason: why, in words.
    """

    file: str
    start_s: float
    label: str
    reason: str


def suspicious_labels(placed: Sequence[PlacedStretch]) -> tuple[Suspicion, ...]:
    """All suspicions: about names first, then by recording."""
    counts = Counter(one.stretch.label for one in placed)
    found = [*_misspelt(counts), *_empty(placed), *_misplaced(placed)]
    return tuple(sorted(found, key=lambda one: (bool(one.file), one.file, one.start_s)))


def _misspelt(counts: Mapping[str, int]) -> Iterator[Suspicion]:
    for rare, count in counts.items():
        for name, often in counts.items():
            if name == rare:
                continue
            if name.casefold().strip() == rare.casefold().strip() and (often, name) > (count, rare):
                yield Suspicion("", 0.0, rare, f'{count} called so, {often} called "{name}": one name, written twice?')
            elif often >= _OFTEN * count and _one_letter_apart(rare.casefold(), name.casefold()):
                yield Suspicion("", 0.0, rare, f'{count} called so, {often} called "{name}": a slip of the pen?')


def _one_letter_apart(one: str, other: str) -> bool:
    """Whether one letter was left out, put in or changed, or two neighbours were swapped."""
    if min(len(one), len(other)) < 3 or abs(len(one) - len(other)) > 1:
        return False
    head = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    swapped = one[head + 1 : head + 2] + one[head : head + 1] == other[head : head + 2] and one != other
    ends = ((head + 1, head + 1), (head, head + 1), (head + 1, head))
    return one != other and (
        any(one[a:] == other[b:] for a, b in ends) or (swapped and one[head + 2 :] == other[head + 2 :])
    )


def _empty(placed: Sequence[PlacedStretch]) -> Iterator[Suspicion]:
    for one in placed:
        stretch = one.stretch
        if stretch.levels.digital_silence and stretch.label.casefold() not in MAY_BE_SILENT:
            yield Suspicion(one.file, stretch.start_s, stretch.label, "is digital silence")
        elif stretch.end_s - stretch.start_s < SHORTEST_S:
            length_ms = 1000 * (stretch.end_s - stretch.start_s)
            yield Suspicion(one.file, stretch.start_s, stretch.label, f"lasts {length_ms:.0f} ms")


def _misplaced(placed: Sequence[PlacedStretch]) -> Iterator[Suspicion]:
    """Stretches among another label's; those of one place with several labels are left out, as are unknown subjects."""
    labels_at = defaultdict[tuple[str, float, float], set[str]](set)
    for one in placed:
        labels_at[one.file, one.stretch.start_s, one.stretch.end_s].add(one.stretch.label)
    held = [
        one for one in placed if one.stretch.spectrum is not None and one.subject and len(labels_at[_place(one)]) == 1
    ]
    if len({one.subject for one in held}) < 2 or len(held) <= NEIGHBOURS:
        return
    near = _neighbours(held)
    around = [Counter(held[index].stretch.label for index in row) for row in near]
    finds_own = defaultdict[str, list[bool]](list)
    for one, labels in zip(held, around, strict=True):
        finds_own[one.stretch.label].append(one.stretch.label in labels)
    for one, labels in zip(held, around, strict=True):
        label, (other, count) = one.stretch.label, labels.most_common(1)[0]
        if label not in labels and count >= OF_ONE_OTHER and np.mean(finds_own[label]) > _TOLD_APART:
            reason = f'sounds like "{other}": {count} of its {labels.total()} nearest are, none is "{label}"'
            yield Suspicion(one.file, one.stretch.start_s, label, reason)


def _place(one: PlacedStretch) -> tuple[str, float, float]:
    return one.file, one.stretch.start_s, one.stretch.end_s


def _neighbours(held: Sequence[PlacedStretch]) -> npt.NDArray[np.intp]:
    """Indices of the nearest stretches of other subjects: (n, at most `NEIGHBOURS`)."""
    vectors = np.stack([one.stretch.spectrum for one in held if one.stretch.spectrum is not None])
    spread = vectors.std(axis=0)
    vectors = (vectors - vectors.mean(axis=0))[:, spread > 1e-6] / spread[spread > 1e-6]
    subjects = np.unique([one.subject for one in held], return_inverse=True)[1]
    squares = (vectors**2).sum(axis=1)
    count = min(NEIGHBOURS, len(held) - int(np.bincount(subjects).max()))
    near = []
    for first in range(0, len(held), 512):  # rows at a time: all distances of 8,000 stretches would be half a gigabyte
        rows = slice(first, first + 512)
        distance = squares[rows, None] + squares - 2 * vectors[rows] @ vectors.T
        distance[subjects[rows, None] == subjects] = np.inf
        near.append(np.argsort(distance, axis=1, kind="stable")[:, :count])
    return np.concatenate(near)
