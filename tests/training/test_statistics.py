"""Statistics against their definitions, and the level of a clip against the decider itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from device.hearing.decision import Decider, OperatingPoint
from device.messages import Scores
from training import statistics
from training.statistics import (
    auc_by_cluster,
    bootstrap_difference,
    bootstrap_interval,
    confirmed_levels,
    poisson_rate,
    roc_auc,
    share_by_cluster,
    wilson,
)

HOP_S, WINDOW_S = 0.5, 2.0

_steps = st.integers(1, 19).map(lambda step: step / 20)  # coarse, so that scores tie
_scores = st.lists(_steps, min_size=1, max_size=12)


@given(st.integers(0, 400), st.integers(1, 400))
def test_wilsons_interval_is_scipys(hits: int, trials: int) -> None:
    hits = min(hits, trials)
    found = wilson(hits, trials)
    wanted = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-9)


def test_no_trial_says_nothing_about_a_share() -> None:
    assert wilson(0, 0) == statistics.Interval(0.0, 1.0)


@pytest.mark.parametrize(("hits", "trials"), [(-1, 3), (4, 3)])
def test_more_hits_than_trials_are_refused(hits: int, trials: int) -> None:
    with pytest.raises(ValueError, match="hits of"):
        wilson(hits, trials)


@given(st.integers(0, 60), st.floats(0.01, 100))
def test_a_poisson_interval_leaves_one_fortieth_on_each_side(count: int, hours: float) -> None:
    found = poisson_rate(count, hours)
    assert stats.poisson.cdf(count, found.high * hours) == pytest.approx(0.025, rel=1e-6)
    if count:
        assert stats.poisson.sf(count - 1, found.low * hours) == pytest.approx(0.025, rel=1e-6)
    else:
        assert found.low == 0


def test_no_alarm_in_an_hour_still_allows_nearly_four() -> None:
    assert poisson_rate(0, 1.0).high == pytest.approx(3.689, abs=1e-3)


def test_a_rate_needs_time() -> None:
    with pytest.raises(ValueError, match="above 0"):
        poisson_rate(1, 0.0)


@given(_scores, _scores)
def test_auc_is_the_share_of_pairs_in_order_ties_half(positives: list[float], negatives: list[float]) -> None:
    pairs = [1.0 if high > low else 0.5 if high == low else 0.0 for high in positives for low in negatives]
    assert roc_auc(positives, negatives) == pytest.approx(sum(pairs) / len(pairs))


@given(_scores, _scores)
def test_auc_of_the_classes_exchanged_is_one_minus_it(positives: list[float], negatives: list[float]) -> None:
    assert roc_auc(positives, negatives) == pytest.approx(1 - roc_auc(negatives, positives))


@pytest.mark.parametrize(("positives", "negatives"), [([], [0.5]), ([0.5], [])])
def test_auc_needs_both_classes(positives: list[float], negatives: list[float]) -> None:
    with pytest.raises(ValueError, match="both classes"):
        roc_auc(positives, negatives)


# --- the level of a clip ----------------------------------------------------------------------------


def _begins(probabilities: list[float], *, on: float, needed: int, considered: int) -> list[int]:
    """Windows at which the device's decider begins an event."""
    point = OperatingPoint(
        on=on,
        off=on / 2,
        confirm_s=needed * HOP_S,
        confirm_of_s=considered * HOP_S,
        min_length_s=0.0,
        hold_s=1.0,
        cooldown_s=0.0,
    )
    decider = Decider(event_prefix="x", model="m", label="cry", point=point, hop_s=HOP_S)
    begun = []
    for index, probability in enumerate(probabilities):
        scores = Scores("m", {"cry": probability}, index * HOP_S, index * HOP_S + WINDOW_S)
        event = decider.push(scores)[1]
        if event is not None and event.phase == "begin":
            begun.append(index)
    return begun


@given(_scores, st.integers(1, 5), st.integers(0, 4))
def test_the_highest_level_is_the_highest_threshold_at_which_the_decider_begins_an_event(
    probabilities: list[float], needed: int, more: int
) -> None:
    considered = needed + more
    level = float(confirmed_levels(probabilities, needed=needed, considered=considered).max())
    if level == -np.inf:
        assert len(probabilities) < needed
        assert not _begins(probabilities, on=0.05, needed=needed, considered=considered)
        return
    assert _begins(probabilities, on=level, needed=needed, considered=considered)
    assert not _begins(probabilities, on=float(np.nextafter(level, 1)), needed=needed, considered=considered)


@given(_scores, st.integers(1, 4), st.integers(0, 3), _steps)
def test_the_decider_begins_at_the_first_window_whose_level_reaches_the_threshold(
    probabilities: list[float], needed: int, more: int, on: float
) -> None:
    levels = confirmed_levels(probabilities, needed=needed, considered=needed + more)
    reached = np.flatnonzero(levels >= on).tolist()
    assert _begins(probabilities, on=on, needed=needed, considered=needed + more)[:1] == reached[:1]


def test_a_level_by_hand() -> None:
    levels = confirmed_levels([0.1, 0.9, 0.2, 0.8], needed=2, considered=3)
    assert levels.tolist() == [-np.inf, 0.1, 0.2, 0.8]


@pytest.mark.parametrize(("needed", "considered"), [(0, 1), (3, 2)])
def test_a_rule_that_cannot_be_met_is_refused(needed: int, considered: int) -> None:
    with pytest.raises(ValueError, match="needed"):
        confirmed_levels([0.5], needed=needed, considered=considered)


# --- bootstraps -----------------------------------------------------------------------------------


def test_clusters_that_hit_together_tell_less_than_as_many_single_trials() -> None:
    hits = [True] * 20 + [False] * 20
    together = share_by_cluster(hits, [index // 10 for index in range(40)], seed=1)
    apart = share_by_cluster(hits, list(range(40)), seed=1)
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_one_cluster_has_no_spread() -> None:
    assert share_by_cluster([True, False], ["a", "a"], seed=1) == statistics.Interval(0.5, 0.5)


def test_a_bootstrap_is_a_function_of_its_seed() -> None:
    hits, clusters = [True, False, True, True, False, True], [0, 1, 2, 3, 4, 4]
    assert share_by_cluster(hits, clusters, seed=7) == share_by_cluster(hits, clusters, seed=7)
    assert share_by_cluster(hits, clusters, seed=7) != auc_by_cluster([1, 2], [0, 1], [1, 0], [0, 1], seed=7)


def test_a_share_by_cluster_is_that_of_resampled_trials() -> None:
    hits, clusters = [True, True, False, True, False], [0, 0, 1, 1, 2]
    drawn = statistics._drawn(3, 5)
    shares = [
        np.average([hits[trial] for trial in range(5)], weights=[times[clusters[trial]] for trial in range(5)])
        for times in drawn
    ]
    found = share_by_cluster(hits, clusters, seed=5)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(shares, (2.5, 97.5))))


def test_an_auc_by_cluster_is_that_of_resampled_clips() -> None:
    positives, of_positive = [0.9, 0.4, 0.7], ["a", "b", "b"]
    negatives, of_negative = [0.5, 0.4, 0.1], ["x", "x", "y"]
    areas = []
    for times_p, times_n in zip(statistics._drawn(2, 3), statistics._drawn(2, 4), strict=True):
        drawn_p = _repeated(positives, of_positive, dict(zip("ab", times_p, strict=True)))
        drawn_n = _repeated(negatives, of_negative, dict(zip("xy", times_n, strict=True)))
        areas.append(roc_auc(drawn_p, drawn_n))
    found = auc_by_cluster(positives, of_positive, negatives, of_negative, seed=3)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(areas, (2.5, 97.5))))


def _repeated(values: list[float], clusters: list[str], times: dict[str, float]) -> list[float]:
    copies = [[value] * int(times[cluster]) for value, cluster in zip(values, clusters, strict=True)]
    return list(itertools.chain.from_iterable(copies))


def test_a_bootstrap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no clusters"):
        share_by_cluster([], [], seed=1)


def test_a_bootstrap_of_independent_subjects_is_as_wide_as_the_normal_approximation() -> None:
    rng = np.random.default_rng(4)
    values = {index: [value] for index, value in enumerate(rng.normal(3.0, 2.0, size=400))}
    found = bootstrap_interval(values, lambda held: float(held.mean()), rng)
    held = np.array(list(values.values()))
    half = 1.96 * held.std() / np.sqrt(400)
    assert (found.low, found.high) == pytest.approx((held.mean() - half, held.mean() + half), abs=0.03)


def test_a_bootstrap_draws_subjects_and_not_their_values() -> None:
    """Four subjects of a hundred equal values each say no more than four values."""
    values = {subject: [float(subject % 2)] * 100 for subject in range(4)}
    found = bootstrap_interval(values, lambda held: float(held.mean()), np.random.default_rng(0))
    assert (found.low, found.high) == (0.0, 1.0)


def test_a_bootstrap_of_shares_agrees_with_the_one_by_clusters() -> None:
    rng = np.random.default_rng(8)
    hits, subjects = rng.random(300) < 0.7, rng.integers(30, size=300)
    values = {int(subject): hits[subjects == subject] for subject in np.unique(subjects)}
    found = bootstrap_interval(values, lambda held: float(held.mean()), rng)
    wanted = share_by_cluster(hits.tolist(), subjects.tolist(), seed=1)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=0.02)


def test_resamples_in_which_the_statistic_is_not_defined_are_left_out() -> None:
    """Half the subjects are negatives alone: a recall needs one positive."""
    values = {"a": [[1.0, 1.0]], "b": [[0.0, 1.0]]}
    recall = lambda held: float(held[held[:, 0] == 1, 1].mean()) if (held[:, 0] == 1).any() else np.nan  # noqa: E731
    assert bootstrap_interval(values, recall, np.random.default_rng(0)) == statistics.Interval(1.0, 1.0)
    with pytest.raises(ValueError, match="not defined in any resample"):
        bootstrap_interval({"b": [[0.0, 1.0]]}, recall, np.random.default_rng(0))


def test_a_bootstrap_needs_a_subject() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_interval({}, lambda held: float(held.mean()), np.random.default_rng(0))


def test_a_paired_difference_is_narrower_than_the_subjects_are_apart() -> None:
    """Ours is better by exactly 0.1 for every subject, hard or easy."""
    rng = np.random.default_rng(2)
    theirs = {index: rng.random(5) for index in range(20)}
    ours = {index: values + 0.1 for index, values in theirs.items()}
    found = bootstrap_difference(ours, theirs, lambda held: float(held.mean()), rng)
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))


def test_a_paired_difference_needs_the_same_subjects() -> None:
    with pytest.raises(ValueError, match="the same subjects; b differ"):
        bootstrap_difference(
            {"a": [1.0]}, {"a": [1.0], "b": [0.0]}, lambda held: float(held.mean()), np.random.default_rng(0)
        )


def test_equal_generators_give_equal_intervals() -> None:
    values = {index: [float(index)] for index in range(7)}
    first, second = (
        bootstrap_interval(values, lambda held: float(held.mean()), np.random.default_rng(5)) for _ in range(2)
    )
    assert first == second
