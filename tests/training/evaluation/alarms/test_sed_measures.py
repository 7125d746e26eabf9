"""sed_eval's counts by hand, their sums against sed_eval over all recordings, and the error rate's direction."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from training.evaluation.alarm_counting import DetectedEvent
from training.evaluation.alarms.sed_measures import EventCounts, count_events, error_rate, f1

ANNOTATED = (DetectedEvent(2.0, 6.0), DetectedEvent(10.0, 14.0))


@pytest.mark.parametrize(
    ("estimated", "collar_s", "right"),
    [
        ((DetectedEvent(2.1, 6.1), DetectedEvent(10.0, 14.0)), 0.2, 2),
        ((DetectedEvent(2.5, 6.0),), 0.2, 0),
        ((DetectedEvent(2.5, 6.0),), 2.0, 1),
        ((DetectedEvent(2.0, 7.9),), 0.2, 1),  # the offset is within half of the event's length
        ((DetectedEvent(2.0, 8.2),), 0.2, 0),
        ((), 0.2, 0),
    ],
)
def test_an_event_is_right_within_the_collar(estimated: tuple[DetectedEvent, ...], collar_s: float, right: int) -> None:
    assert count_events(ANNOTATED, estimated, collar_s=collar_s) == EventCounts(2, len(estimated), right)


def test_summed_counts_give_sed_evals_own_figures() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sed_eval
    rng = np.random.default_rng(3)
    whole = sed_eval.sound_event.EventBasedMetrics(["event"], t_collar=0.5, event_matching_type="optimal")
    rows = []
    for _ in range(12):
        onsets = np.sort(rng.uniform(0, 60, size=4))
        truth = [DetectedEvent(onset, onset + 1) for onset in onsets]
        late_s = rng.normal(0, 0.5, size=int(rng.integers(1, 5)))
        found = [
            DetectedEvent(one.onset_s + by_s, one.offset_s + by_s) for one, by_s in zip(truth, late_s, strict=False)
        ]
        rows.append(count_events(truth, found, collar_s=0.5).row)
        whole.evaluate(*([_event(one) for one in events] for events in (truth, found)))
    assert f1(np.array(rows)) == pytest.approx(whole.results_overall_metrics()["f_measure"]["f_measure"])
    assert error_rate(np.array(rows)) == pytest.approx(whole.results_overall_metrics()["error_rate"]["error_rate"])
    assert 0.1 < f1(np.array(rows)) < 0.9


def _event(one: DetectedEvent) -> dict[str, object]:
    return {"event_onset": one.onset_s, "event_offset": one.offset_s, "event_label": "event"}


def test_where_nothing_is_annotated_nothing_is_measured() -> None:
    rows = np.array([(0, 0, 0)])
    assert np.isnan(f1(rows))
    assert np.isnan(error_rate(rows))
    assert error_rate(np.array([(2, 5, 1)])) == 2.5
