"""Pauses after failures: longer and longer, never all at once, and no hammering where people must correct something."""

from __future__ import annotations

import pytest

from device.push.services.backoff import FIRST_S, MOST_S, REFUSED_S, Backoff
from device.push.services.delivery_error import DeliveryError


def _pause_s(backoff: Backoff, failure: DeliveryError, now_s: float) -> float:
    backoff.failed(failure, now_s)
    pause_s = next(s for s in (step * 0.25 for step in range(40_000)) if backoff.is_over(now_s + s))
    assert not backoff.is_over(now_s + pause_s - 0.25)
    return pause_s


def test_pauses_double_up_to_five_minutes_and_begin_anew_after_a_success() -> None:
    backoff, now_s = Backoff(lambda: 0.5), 0.0
    assert backoff.is_over(now_s)
    pauses = []
    for _ in range(10):
        pauses.append(_pause_s(backoff, DeliveryError("network", "no network"), now_s))
        now_s += pauses[-1]
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, MOST_S, MOST_S]
    assert backoff.since_s == 0.0
    backoff.succeeded()
    assert backoff.is_over(now_s)
    assert "None" in repr(backoff)
    assert _pause_s(backoff, DeliveryError("busy", "fails"), now_s) == FIRST_S


@pytest.mark.parametrize(("random", "factor"), [(0.0, 0.75), (1.0, 1.25)])
def test_a_quarter_of_jitter_lies_on_either_side(random: float, factor: float) -> None:
    assert _pause_s(Backoff(lambda: random), DeliveryError("network", "x"), 0.0) == FIRST_S * factor


def test_a_refusal_waits_a_quarter_of_an_hour_and_a_correction_does_not() -> None:
    backoff = Backoff(lambda: 0.5)
    assert _pause_s(backoff, DeliveryError("refused", "the token"), 0.0) == REFUSED_S
    backoff.ask_again()
    assert backoff.is_over(1.0)
    assert str(backoff.failure) == "the token"  # until it is accepted


def test_what_the_service_asks_for_is_kept_if_it_is_longer() -> None:
    assert _pause_s(Backoff(lambda: 0.5), DeliveryError("busy", "x", 100.0), 0.0) == 100.0
    assert _pause_s(Backoff(lambda: 0.5), DeliveryError("busy", "x", 0.5), 0.0) == FIRST_S
