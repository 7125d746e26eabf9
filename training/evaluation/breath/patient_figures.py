"""Whether a model parts patients with adventitious sounds from patients without, in collections of any annotation.

A patient's evidence is the mean over the recordings of the abnormal evidence of half of the windows
(`verdicts.evidence`). A patient is abnormal if any recording holds a label besides normal; recordings of poor quality
say nothing. So a collection that labels whole recordings, or breath cycles, judges a model that was trained on another.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.breath.verdicts import evidence
from training.evaluation.lung_measures import NORMAL, POOR
from training.evaluation.measured import Figure
from training.statistics import bootstrap_interval, roc_auc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from training.evaluation.breath.record_scores import RecordScores

    Float64 = npt.NDArray[np.float64]

MEASURE = "patient ROC AUC"

_SHARE = 0.5


def patient_figures(records: Sequence[RecordScores], labels: Sequence[str], *, seed: int) -> Iterator[Figure]:
    """A figure for each collection that has patients of both kinds.

    Args:
        records: of one part.
        labels: of the model.
        seed: of the bootstrap over patients.
    """
    for name in dict.fromkeys(one.set for one in records):
        held = [one for one in records if one.set == name and one.record_labels and POOR not in one.record_labels]
        patients = {subject: row[None] for subject, row in _by_patient(held, labels).items()}
        kinds = {bool(row[0, 1]) for row in patients.values()}
        if len(kinds) < 2:
            continue
        value = _auc(np.concatenate(list(patients.values())))
        interval = bootstrap_interval(patients, _auc, np.random.default_rng(seed))
        yield Figure(
            system="model",
            measure=MEASURE,
            of=f"{name}, {sum(bool(row[0, 1]) for row in patients.values())} abnormal",
            value=round(value, 5),
            low=round(interval.low, 5),
            high=round(interval.high, 5),
            unit="share",
            interval="bootstrap over subjects",
            subjects=len(patients),
            items=len(held),
            hours=round(sum(one.duration_s for one in held) / 3600, 5),
        )


def _by_patient(records: Sequence[RecordScores], labels: Sequence[str]) -> dict[str, Float64]:
    """Patient -> (evidence, 1 if abnormal)."""
    found: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
    for record in records:
        is_abnormal = any(label != NORMAL for label in record.record_labels)
        found[record.subject].append((evidence(record, labels, _SHARE)[0], is_abnormal))
    return {
        subject: np.array([np.mean([one for one, _ in held]), float(any(abnormal for _, abnormal in held))])
        for subject, held in found.items()
    }


def _auc(rows: Float64) -> float:
    """Of rows (evidence, 1 if abnormal); NaN where one kind is missing."""
    abnormal, normal = rows[rows[:, 1] > 0, 0], rows[rows[:, 1] == 0, 0]
    return roc_auc(abnormal, normal) if len(abnormal) and len(normal) else float("nan")
