"""How well breath sounds are classified, as the makers of SPRSound and of ICBHI 2017 count it.

Pure counting of verdicts against labels; knows no sound, no network and no file.

SPRSound's tasks and SE, SP, AS, HS: Q. Zhang et al., "Grand Challenge on Respiratory Sound Classification", IEEE
Biomedical Circuits and Systems Conference (BioCAS) 2022, on the database of Q. Zhang et al., "SPRSound", IEEE
Transactions on Biomedical Circuits and Systems 16:5 (2022) 867-881. ICBHI's classes and its score: B. M. Rocha et al.,
"An open access database for the evaluation of respiratory sound classification algorithms", Physiological Measurement
40:3 (2019) 035001.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Counts = npt.NDArray[np.int64]

NORMAL, ADVENTITIOUS, POOR = "Normal", "Adventitious", "Poor Quality"

_CONTINUOUS = ("wheeze", "rhonchi", "stridor")
_CRACKLES = ("crackle", "fine crackle", "coarse crackle")
_BOTH = ("both", "wheeze+crackle", "crackle+wheeze")


@dataclass(frozen=True, slots=True)
class LungTask:
    """What is to be told apart, in an event or in a whole record.

    Attributes:
        name: as in tables.
        unit: what gets one verdict: an annotated "event" (ICBHI: a breath cycle) or a "record".
        classes: the first one is `NORMAL`.
        truth: label of the collection, lower case -> class; a label that is missing is not part of the task.
    """

    name: str
    unit: Literal["event", "record"]
    classes: tuple[str, ...]
    truth: Mapping[str, str]

    def class_of(self, label: str) -> str | None:
        """The class of a collection's label; None if the task does not know it."""
        return self.truth.get(label.casefold())


def _all_of(names: Sequence[str], to: str) -> dict[str, str]:
    return dict.fromkeys(names, to)


_TYPES = (NORMAL, "Rhonchi", "Wheeze", "Stridor", "Coarse Crackle", "Fine Crackle", "Wheeze+Crackle")
_RECORDS = (NORMAL, "CAS", "DAS", "CAS & DAS", POOR)
_ABNORMAL = (*_CONTINUOUS, *_CRACKLES, *_BOTH)

SPRSOUND_TASKS = (
    LungTask("SPRSound 1-1", "event", (NORMAL, ADVENTITIOUS), {"normal": NORMAL} | _all_of(_ABNORMAL, ADVENTITIOUS)),
    LungTask("SPRSound 1-2", "event", _TYPES, {name.casefold(): name for name in _TYPES}),
    LungTask(
        "SPRSound 2-1",
        "record",
        (NORMAL, ADVENTITIOUS, POOR),
        {"normal": NORMAL, "poor quality": POOR} | _all_of(("cas", "das", "cas & das"), ADVENTITIOUS),
    ),
    LungTask("SPRSound 2-2", "record", _RECORDS, {name.casefold(): name for name in _RECORDS}),
)
"""Tasks 1-1 and 1-2 on events, 2-1 and 2-2 on records; poor quality is a class of the latter two."""

ICBHI_TASKS = (
    LungTask("ICBHI 2 classes", "event", (NORMAL, ADVENTITIOUS), {"normal": NORMAL} | _all_of(_ABNORMAL, ADVENTITIOUS)),
    LungTask(
        "ICBHI 4 classes",
        "event",
        (NORMAL, "Crackle", "Wheeze", "Both"),
        {"normal": NORMAL} | _all_of(_CRACKLES, "Crackle") | _all_of(_CONTINUOUS, "Wheeze") | _all_of(_BOTH, "Both"),
    ),
)
"""Breath cycles, normal against the rest, and normal, crackle, wheeze, both."""


@dataclass(frozen=True, slots=True)
class LungScores:
    """The measures of one task, each in [0, 1]; None where a class that it needs does not occur.

    Attributes:
        se: sensitivity: the share of what is not normal that got its own class, not just any abnormal one.
        sp: specificity: the share of what is normal that was called so.
        average: AS = (SE + SP) / 2; of ICBHI's tasks this is the score that its authors define.
        harmonic: HS = 2 SE SP / (SE + SP), 0 if both are 0.
        score: (AS + HS) / 2, by which SPRSound's challenge ranked.
    """

    se: float | None
    sp: float | None
    average: float | None
    harmonic: float | None
    score: float | None

    def named(self) -> dict[str, float | None]:
        """The measures by the names that tables use."""
        return {"SE": self.se, "SP": self.sp, "AS": self.average, "HS": self.harmonic, "Score": self.score}


def confusion(truth: Sequence[str], verdicts: Sequence[str], classes: Sequence[str]) -> Counts:
    """How often each class (row) got each verdict (column): int (classes, classes).

    Raises:
        ValueError: the lengths differ, or a name is none of the classes.
    """
    place = {name: index for index, name in enumerate(classes)}
    unknown = sorted({*truth, *verdicts} - place.keys())
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: the classes are {', '.join(classes)}")
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for actual, said in zip(truth, verdicts, strict=True):
        counts[place[actual], place[said]] += 1
    return counts


def lung_scores(counts: Counts) -> LungScores:
    """SE, SP, AS, HS and Score of a confusion matrix whose first class is the normal one.

    SE = (sum of the diagonal without its first entry) / (sum of the rows without the first): in the tasks with more
    than two classes an abnormal sound that was called by another abnormal class is an error. In tasks 2-1 and 2-2 a
    record of poor quality counts among these rows, so it must be called so.
    """
    right, totals = np.diag(counts), counts.sum(axis=1)
    sp = _share(int(right[0]), int(totals[0]))
    se = _share(int(right[1:].sum()), int(totals[1:].sum()))
    if se is None or sp is None:
        return LungScores(se, sp, None, None, None)
    average = (se + sp) / 2
    harmonic = 2 * se * sp / (se + sp) if se + sp else 0.0
    return LungScores(se, sp, average, harmonic, (average + harmonic) / 2)


def _share(hits: int, trials: int) -> float | None:
    return hits / trials if trials else None
