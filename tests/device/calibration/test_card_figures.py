"""The figures are those of the shipped cards; a card of any other shape gives none."""

from __future__ import annotations

from typing import Any

import pytest

from device.calibration.card_figures import expected_false_alarms, expected_misses
from device.hearing.bundle.reader import read_bundle
from device.runtime.model_library import bundle_path


@pytest.fixture(scope="module")
def card() -> Any:
    return read_bundle(bundle_path("cry")).card


@pytest.mark.parametrize(
    ("measured_db", "card_db", "missed"), [(31.0, 20.0, 6), (19.6, 20.0, 6), (14.0, 10.0, 8), (-7.0, 0.0, 19)]
)
def test_misses_are_summed_over_sources_at_the_distance_that_was_measured(
    card: Any, measured_db: float, card_db: float, missed: int
) -> None:
    found = expected_misses(card, measured_db)
    assert found is not None
    assert (found.snr_db, found.missed, found.clips) == (card_db, missed, 139)  # halves of a source count once
    assert found.low < missed / 139 < found.high


def test_the_interval_is_wilsons(card: Any) -> None:
    found = expected_misses(card, 20.0)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((0.01993, 0.09097), abs=1e-4)


def test_false_alarms_are_those_of_all_hours(card: Any) -> None:
    found = expected_false_alarms(card)
    assert found is not None
    assert (found.alarms, round(found.hours, 2)) == (3, 1.44)
    assert (found.low, found.high) == pytest.approx((0.43, 6.07), abs=0.01)


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"evaluation": "good"},
        {"evaluation": {"noise": 3, "cries": None, "false_alarms_an_hour": [7, {"sound": "all", "alarms": "3"}]}},
        {"evaluation": {"noise": [{"snr_db": "20", "clips": 3, "found": 1}, {"snr_db": 20, "clips": 0, "found": 0}]}},
        {"evaluation": {"noise": [{"snr_db": 20, "clips": 3, "found": 4}], "false_alarms_an_hour": [{"sound": "all"}]}},
    ],
)
def test_a_card_that_says_nothing_of_it_gives_no_figure(strange: dict[str, Any]) -> None:
    assert expected_misses(strange, 20.0) is None
    assert expected_false_alarms(strange) is None
