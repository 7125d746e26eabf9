"""Each sensitivity's alerts and near alerts are counted, and so is which of them finds the cry."""

from __future__ import annotations

import pytest

from device.calibration.decision_sweep import SENSITIVITIES
from device.calibration.sensitivity_rows import measured_label
from tests.device.calibration.heard import CRY, HOP_S, KEY, POINT, stretch

QUIET = [0.001] * 20


def loud(score: float, windows: int = 4) -> list[float]:
    return [score] * windows


def test_near_alerts_are_those_that_half_the_odds_would_raise() -> None:
    room = stretch([*QUIET, *loud(0.35), *QUIET, *loud(0.35), *QUIET, *loud(0.6), *QUIET])
    label = measured_label(KEY, POINT, room, None, hop_s=HOP_S)
    # Odds of 0.35 are 0.54 of those of 0.5: at sensitivity 1 (on 0.33) both come, at 0 they are near.
    assert (label.now.alerts, label.now.near) == (1, 2)
    assert (label.row(1).alerts, label.row(1).near) == (3, 0)
    assert (label.row(-1).alerts, label.row(-1).near) == (0, 1)
    assert (label.row(-2).alerts, label.row(-2).near) == (0, 0)
    assert label.highest == 0.6
    assert [row.sensitivity for row in label.rows] == list(SENSITIVITIES)


def test_a_single_loud_window_comes_near_nothing() -> None:
    label = measured_label(KEY, POINT, stretch([*QUIET, 0.99, *QUIET]), None, hop_s=HOP_S)
    assert {(row.alerts, row.near) for row in label.rows} == {(0, 0)}
    assert label.highest == 0.99


def test_the_bound_of_no_alert_in_ten_minutes_is_that_of_poisson() -> None:
    label = measured_label(KEY, POINT, stretch(QUIET), None, hop_s=HOP_S)
    assert label.now.at_most_an_hour(1 / 6) == pytest.approx(22.1, abs=0.05)  # -6 ln(0.025)


def test_the_last_sensitivity_has_near_alerts_too() -> None:
    label = measured_label(KEY, POINT, stretch([*QUIET, *loud(0.02), *QUIET, *loud(0.04), *QUIET]), None, hop_s=HOP_S)
    assert label.row(5).on == pytest.approx(1 / 33)
    assert (label.row(5).alerts, label.row(5).near) == (1, 1)


def cried(score: float, before: float = 0.01) -> list[float]:
    """A score while the cry lasts, 20 to 34 s, in windows that end there."""
    return [*[before] * 38, *[score] * 26, *[0.01] * 20]


def test_the_sensitivities_whose_threshold_is_reached_find_the_cry() -> None:
    label = measured_label(KEY, POINT, None, (stretch(cried(0.4)), CRY), hop_s=HOP_S)
    assert label.finding == (1, 2, 3, 4, 5)
    assert label.now.cry == "missed"
    assert label.row(1).delay_s == pytest.approx(1.5)
    assert label.cry_highest == 0.4
    assert label.recommended == 1


def test_a_cry_below_all_thresholds_would_be_missed_at_every_sensitivity() -> None:
    label = measured_label(KEY, POINT, None, (stretch(cried(0.011)), CRY), hop_s=HOP_S)
    assert label.finding == ()
    assert {row.cry for row in label.rows} == {"missed"}
    assert label.recommended == label.configured


def test_an_alert_that_was_on_before_is_no_proof_of_the_cry() -> None:
    label = measured_label(KEY, POINT, None, (stretch(cried(0.9, before=0.4)), CRY), hop_s=HOP_S)
    assert {row.sensitivity: row.cry for row in label.rows}[0] == "found"
    assert {row.sensitivity: row.cry for row in label.rows}[1] == "on before"
    assert label.finding == (-3, -2, -1, 0)


def test_what_begins_long_after_the_cry_does_not_find_it() -> None:
    label = measured_label(KEY, POINT, None, (stretch([*[0.01] * 76, *[0.9] * 10]), CRY), hop_s=HOP_S)
    assert label.finding == ()


def test_of_those_that_find_it_the_quiet_one_next_to_what_is_configured_is_recommended() -> None:
    room = stretch([*QUIET, *loud(0.4), *QUIET])
    played = (stretch(cried(0.9)), CRY)
    label = measured_label(KEY, POINT, room, played, hop_s=HOP_S)
    assert (label.now.alerts, label.now.near) == (0, 1)
    assert label.recommended == -1  # 0 finds it too, and the room comes near it
    assert measured_label(KEY, POINT, stretch(QUIET), played, hop_s=HOP_S).recommended == 0


def test_without_a_played_cry_only_alerts_of_the_room_are_a_reason_to_change() -> None:
    near = stretch([*QUIET, *loud(0.4), *QUIET])
    assert measured_label(KEY, POINT, near, None, hop_s=HOP_S).recommended == 0
    alerting = stretch([*QUIET, *loud(0.6), *QUIET])
    assert measured_label(KEY, POINT, alerting, None, hop_s=HOP_S).recommended == -2
