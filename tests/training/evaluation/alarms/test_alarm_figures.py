"""Each figure against what it says: subjects, hours, intervals, ordinary and hard backgrounds apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.hearing.decision import OperatingPoint
from training.evaluation.alarm_counting import DetectedEvent
from training.evaluation.alarms.alarm_figures import alarm_figures
from training.evaluation.detectors import System

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.evaluation.measured import Figure
    from training.evaluation.runner import ScoredScene

POINT = OperatingPoint(on=0.6, off=0.3, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=5.0, cooldown_s=10.0)
SYSTEM = System("int8", 2.0, POINT)


@pytest.fixture
def figures(make_scored: Callable[..., ScoredScene]) -> dict[tuple[str, str], Figure]:
    """Two cries at 20 dB, one found after 1.5 s and one missed, one at 0 dB; a cat; an hour of either ground."""
    heard = (DetectedEvent(4.6, 9.0),)
    hour = {"snr_db": None, "duration_s": 3600.0, "start_s": 0.0, "end_s": 3600.0, "set": "ambient"}
    scored = [
        make_scored(is_event=True, subject="a", level=0.9, alarms_s=(6.0,), events=heard),
        make_scored(is_event=True, subject="b", level=0.2),
        make_scored(is_event=True, subject="a", level=0.1, snr_db=0.0),
        make_scored(level=0.5, subject="cat"),
        make_scored(**hour, ground="ordinary", subject="fan"),
        make_scored(**hour, ground="hard", subject="cats", alarms_s=(5.0, 900.0)),
    ]
    return {(one.measure, one.of): one for one in alarm_figures(scored, [SYSTEM], seed=1)}


def test_recall_stands_on_subjects_and_hours(figures: dict[tuple[str, str], Figure]) -> None:
    found = figures["event recall", "20 dB"]
    assert (found.value, found.low, found.high, found.subjects, found.items) == (0.5, 0.0, 1.0, 2, 2)
    assert found.hours == pytest.approx(28 / 3600, abs=1e-4)
    assert figures["event recall", "0 dB"].value == 0.0


def test_clips_are_ranked_against_the_others(figures: dict[tuple[str, str], Figure]) -> None:
    assert figures["clip ROC AUC", "20 dB"].value == 0.5
    assert figures["clip ROC AUC", "0 dB"].value == 0.0


def test_the_delay_is_that_of_found_events(figures: dict[tuple[str, str], Figure]) -> None:
    assert figures["median delay", "20 dB"].value == 1.5
    assert figures["median delay", "0 dB"].value is None
    assert figures["median delay", "0 dB"].interval == "none"


def test_hard_and_ordinary_backgrounds_are_apart_and_none_alarmed_still_has_an_upper_bound(
    figures: dict[tuple[str, str], Figure],
) -> None:
    ordinary, hard = (figures["false alarms an hour", f"{ground} backgrounds"] for ground in ("ordinary", "hard"))
    assert (ordinary.value, ordinary.low) == (0.0, 0.0)
    assert ordinary.high == pytest.approx(3.689, abs=1e-3)
    assert (hard.value, hard.hours, hard.interval) == (2.0, 1.0, "exact Poisson")
    assert figures["false alarms an hour, by source", "hard backgrounds"].interval == "bootstrap over subjects"


def test_sed_evals_measures_stand_beside_ours(figures: dict[tuple[str, str], Figure]) -> None:
    """Heard from 4.6 to 9 s what lasts from 4.5 to 9.25 s; the other cry is missed: F1 2/3, error rate 1/2."""
    assert figures["event F1, collar 0.2 s", "20 dB"].value == pytest.approx(2 / 3, abs=1e-5)
    assert figures["event error rate, collar 0.2 s", "20 dB"].value == 0.5


def test_every_figure_has_an_interval_that_holds_it_or_says_why_not(figures: dict[tuple[str, str], Figure]) -> None:
    for one in figures.values():
        assert (one.low is None) == (one.value is None) == (one.interval == "none")
        if one.value is not None and one.low is not None and one.high is not None:
            assert one.low <= one.value <= one.high
