"""What a figure is worth: rates with their intervals, areas under curves, and the level an alert hangs on.

Pure functions of numbers; knows no sound, no network and no file.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    Float64 = npt.NDArray[np.float64]
    Floats = npt.NDArray[np.floating[Any]]

RESAMPLES = 2000
"""Of a bootstrap."""

_Z_95 = 1.959963984540054  # the normal distribution's 97.5 % quantile


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval: `low` <= `high`."""

    low: float
    high: float


def wilson(hits: int, trials: int) -> Interval:
    """95 % interval of a share, by Wilson's score (E. B. Wilson, JASA 22, 1927); all of [0, 1] without a trial."""
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials: hits must lie between 0 and the trials")
    if not trials:
        return Interval(0.0, 1.0)
    share, spread = hits / trials, _Z_95**2 / trials
    centre = (share + spread / 2) / (1 + spread)
    half = _Z_95 / (1 + spread) * np.sqrt(share * (1 - share) / trials + spread / (4 * trials))
    # Where all or none hit, the bound is exactly 1 or 0; the formula misses that by a rounding error.
    low = 0.0 if hits == 0 else max(0.0, float(centre - half))
    high = 1.0 if hits == trials else min(1.0, float(centre + half))
    return Interval(low, high)


def poisson_rate(count: int, exposure: float) -> Interval:
    """Exact 95 % interval of a rate from the count of its events (F. Garwood, Biometrika 28, 1936).

    Args:
        count: events seen.
        exposure: in which time, above 0; the interval is per unit of it.
    """
    from scipy.special import gammaincinv

    if count < 0 or exposure <= 0:
        raise ValueError(f"{count} events in {exposure}: needs at least 0 events and a time above 0")
    low = float(gammaincinv(count, 0.025)) if count else 0.0
    return Interval(low / exposure, float(gammaincinv(count + 1, 0.975)) / exposure)


def roc_auc(positives: Sequence[float] | Floats, negatives: Sequence[float] | Floats) -> float:
    """Area under the ROC curve: how often a positive lies above a negative, a tie counting half.

    Raises:
        ValueError: a class is empty.
    """
    if not len(positives) or not len(negatives):
        raise ValueError(f"{len(positives)} positives and {len(negatives)} negatives: both classes need a score")
    ordered = np.sort(np.asarray(negatives, np.float64))
    values = np.asarray(positives, np.float64)
    below = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return float(below.mean() / (2 * len(ordered)))


def bootstrap_interval(
    values_by_subject: Mapping[Any, npt.ArrayLike],
    statistic: Callable[[npt.NDArray[Any]], float],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
) -> Interval:
    """95 % interval of any statistic of values that come in subjects, which are drawn anew with replacement.

    Percentile bootstrap: B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13; of whole
    clusters: A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8. With few
    subjects it is too narrow; with one it is a point. State the number of subjects beside it.

    Args:
        values_by_subject: subject -> its values (n, ...), all of one shape but for n, which may differ and be 0.
        statistic: values of the drawn subjects, joined (m, ...) -> the figure; NaN where it is not defined (a class
            that does not occur): such resamples are left out.
        rng: draws.
        resamples: how often.

    Raises:
        ValueError: there is no subject, or the statistic is defined in no resample.
    """
    held = [np.asarray(values) for values in values_by_subject.values()]
    found = (statistic(np.concatenate([held[index] for index in drawn])) for drawn in _draws(held, rng, resamples))
    return _percentiles(_defined(found))


def bootstrap_difference(
    ours_by_subject: Mapping[Any, npt.ArrayLike],
    theirs_by_subject: Mapping[Any, npt.ArrayLike],
    statistic: Callable[[npt.NDArray[Any]], float],
    rng: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
) -> Interval:
    """95 % interval of a statistic of ours less the same of theirs, on the same subjects: see `bootstrap_interval`.

    Each resample draws the same subjects for both, so what is hard about a subject is hard for both and cancels.

    Raises:
        ValueError: the subjects differ, there is none, or a statistic is defined in no resample.
    """
    if ours_by_subject.keys() != theirs_by_subject.keys():
        differing = sorted(map(str, ours_by_subject.keys() ^ theirs_by_subject.keys()))
        raise ValueError(f"a paired comparison needs the same subjects; {', '.join(differing[:5])} differ")
    pairs = [(np.asarray(ours), np.asarray(theirs_by_subject[name])) for name, ours in ours_by_subject.items()]
    found = (
        statistic(np.concatenate([pairs[index][0] for index in drawn]))
        - statistic(np.concatenate([pairs[index][1] for index in drawn]))
        for drawn in _draws(pairs, rng, resamples)
    )
    return _percentiles(_defined(found))


def _draws(subjects: Sequence[Any], rng: np.random.Generator, resamples: int) -> npt.NDArray[np.intp]:
    """Which subjects each resample holds: (resamples, subjects)."""
    if not subjects:
        raise ValueError("no subjects: a bootstrap needs at least one")
    return rng.integers(len(subjects), size=(resamples, len(subjects)))


def _defined(found: Iterable[float]) -> Float64:
    values = np.fromiter(found, np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        raise ValueError("the statistic is not defined in any resample: a class occurs in no subject")
    return values


def share_by_cluster(hits: Sequence[bool], clusters: Sequence[Hashable], *, seed: int) -> Interval:
    """95 % interval of a share whose trials come in clusters (an infant, a source).

    Percentile bootstrap: clusters are drawn anew with replacement, `RESAMPLES` times. With few clusters, or where
    all hit, it is too narrow; Wilson's interval stands beside it for that.
    """
    members, index = _indexed(clusters)
    hit, held = np.bincount(index, np.asarray(hits, np.float64), members), np.bincount(index, minlength=members)
    drawn = _drawn(members, seed)
    return _percentiles((drawn @ hit) / (drawn @ held))


def auc_by_cluster(
    positives: Sequence[float],
    positive_clusters: Sequence[Hashable],
    negatives: Sequence[float],
    negative_clusters: Sequence[Hashable],
    *,
    seed: int,
) -> Interval:
    """95 % interval of the area under the ROC curve, clusters of both classes being drawn anew."""
    of_positive, positive_index = _indexed(positive_clusters)
    of_negative, negative_index = _indexed(negative_clusters)
    difference = np.asarray(positives, np.float64)[:, None] - np.asarray(negatives, np.float64)[None, :]
    wins = (np.sign(difference) + 1) / 2  # (positives, negatives): 1, 0, and a half for a tie
    won = np.zeros((of_positive, of_negative))
    np.add.at(won, (positive_index[:, None], negative_index[None, :]), wins)
    positive_drawn, negative_drawn = _drawn(of_positive, seed), _drawn(of_negative, seed + 1)
    total = np.sum((positive_drawn @ won) * negative_drawn, axis=1)
    pairs = (positive_drawn @ np.bincount(positive_index)) * (negative_drawn @ np.bincount(negative_index))
    return _percentiles(total / pairs)


def confirmed_levels(probabilities: Iterable[float], *, needed: int, considered: int) -> Float64:
    """For each window the highest threshold that `needed` of the last `considered` windows reach: (n,) -> (n,).

    A decision rule of k = `needed` of n = `considered` windows begins an event, where none is open, at the first
    window whose level is at or above its threshold `on`; hence an event begins at all if the highest level of a
    stretch reaches `on`. Before `needed` windows were heard the level is -inf.
    """
    if not 1 <= needed <= considered:
        raise ValueError(f"{needed} of {considered} windows: needs 1 <= needed <= considered")
    recent: deque[float] = deque(maxlen=considered)
    levels = []
    for probability in probabilities:
        recent.append(probability)
        levels.append(sorted(recent)[-needed] if len(recent) >= needed else -np.inf)
    return np.array(levels, np.float64)


def _indexed(clusters: Sequence[Hashable]) -> tuple[int, npt.NDArray[np.intp]]:
    """How many clusters there are, and the number of each trial's, in order of first appearance."""
    numbers: dict[Hashable, int] = {}
    index = [numbers.setdefault(cluster, len(numbers)) for cluster in clusters]
    if not index:
        raise ValueError("no clusters: a bootstrap needs at least one trial")
    return len(numbers), np.array(index, np.intp)


def _drawn(clusters: int, seed: int) -> Float64:
    """How often each cluster stands in each resample: (RESAMPLES, clusters)."""
    rng = np.random.default_rng([seed, 0xB007])
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES).astype(np.float64)


def _percentiles(values: Float64) -> Interval:
    low, high = np.percentile(values, (2.5, 97.5))
    return Interval(float(low), float(high))
