"""Macro F1 of several networks on their clips, averaged over seeds, with an interval from a bootstrap over patients.

Pure functions of truth and decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.statistics import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Counts = npt.NDArray[np.int64]

_BOOTSTRAP_SEED = 2026


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What one network decided.

    Attributes:
        seed: of the network.
        subjects: whom each clip is of (n,).
        truth: which labels hold (n, labels).
        found: which labels the network found (n, labels).
    """

    seed: int
    subjects: npt.NDArray[np.str_]
    truth: Bools
    found: Bools


def arm_figures(networks: Sequence[Judged], labels: Sequence[str]) -> dict[str, Any]:
    """The figures of one arm, as JSON types.

    Args:
        networks: one for each seed.
        labels: their names.
    """
    by_subject = _counts_by_subject(networks)
    interval = bootstrap_interval(by_subject, mean_macro_f1, np.random.default_rng(_BOOTSTRAP_SEED))
    total = np.concatenate(list(by_subject.values())).sum(axis=0)  # (seeds, labels, 3)
    f1 = _f1(total)
    say_yes = [Judged(one.seed, one.subjects, one.truth, np.ones_like(one.truth)) for one in networks]
    return {
        "macro_f1": round(float(f1.mean()), 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
        "by_seed": {str(one.seed): round(float(f1[index].mean()), 4) for index, one in enumerate(networks)},
        "by_label": {label: round(float(f1[:, index].mean()), 4) for index, label in enumerate(labels)},
        "always_yes": round(_total_macro_f1(say_yes), 4),
        "clips": len(networks[0].truth),
        "subjects": len(by_subject),
    }


def mean_macro_f1(counts: Counts) -> float:
    """Counts of the drawn subjects (m, seeds, labels, 3) -> macro F1, averaged over the seeds."""
    return float(_f1(counts.sum(axis=0)).mean())


def _total_macro_f1(networks: Sequence[Judged]) -> float:
    return mean_macro_f1(np.concatenate(list(_counts_by_subject(networks).values())))


def _counts_by_subject(networks: Sequence[Judged]) -> dict[str, Counts]:
    """Subject -> found and true, found, true of each network and label: (1, seeds, labels, 3)."""
    names = sorted({str(subject) for one in networks for subject in one.subjects})
    counts = {name: np.zeros((1, len(networks), networks[0].truth.shape[1], 3), np.int64) for name in names}
    for index, one in enumerate(networks):
        for subject, truth, found in zip(one.subjects, one.truth, one.found, strict=True):
            counts[str(subject)][0, index] += np.stack([truth & found, found, truth], axis=1)
    return counts


def _f1(counts: Counts) -> npt.NDArray[np.float64]:
    """(..., 3) -> F1 (...); 0 where nothing is found and nothing is there."""
    claimed = counts[..., 1] + counts[..., 2]
    return np.asarray(2 * counts[..., 0] / np.maximum(claimed, 1), np.float64)
