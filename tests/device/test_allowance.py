"""An allowance is used up, and refilled at its rate."""

from __future__ import annotations

import pytest

from device.allowance import Allowance


def test_what_is_in_reserve_may_be_used_at_once_and_no_more() -> None:
    allowance = Allowance(at_once=3.0, per_s=2.0, now_s=5.0)
    assert [allowance.use(1.0, 5.0) for _ in range(5)] == [True, True, True, False, False]


def test_a_use_beyond_it_delays_the_next() -> None:
    allowance = Allowance(at_once=3.0, per_s=2.0, now_s=0.0)
    assert allowance.use(7.0, 0.0)
    assert allowance.ready_in_s(0.0) == pytest.approx(2.0, abs=0.01)
    assert not allowance.use(1.0, 1.9)
    assert allowance.use(1.0, 2.01)


def test_a_long_rest_fills_it_and_no_more_and_a_clock_that_steps_back_takes_nothing() -> None:
    allowance = Allowance(at_once=3.0, per_s=2.0, now_s=0.0)
    assert [allowance.use(1.0, 1000.0) for _ in range(4)] == [True, True, True, False]
    assert allowance.ready_in_s(900.0) > 0.0
    assert repr(allowance) == "Allowance(0 of 3)"
