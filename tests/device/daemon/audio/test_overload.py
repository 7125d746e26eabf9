"""The hop in overload: wider soon, narrower with patience, and never out of its bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.daemon.audio.overload import NARROW_AFTER_S, PATIENCE_MOST_S, OverloadControl


class Machine:
    """The control and a clock: `wait` passes time at a given backlog, and returns the hop afterwards."""

    def __init__(self, control: OverloadControl) -> None:
        self.control = control
        self.now_s = 100.0

    def wait(self, seconds: float, backlog_s: float) -> float:
        for _ in range(round(seconds / 0.05)):
            self.now_s += 0.05
            self.control.step(backlog_s, self.now_s)
        return self.control.hop_s

    def seconds_until(self, hop_s: float, backlog_s: float) -> float:
        """How long a backlog must last before the hop is this one."""
        began_s = self.now_s
        while not math.isclose(self.control.hop_s, hop_s):
            assert self.now_s - began_s < 2000
            self.wait(0.05, backlog_s)
        return self.now_s - began_s


def _machine(hop_s: float = 0.5, widest_s: float = 2.0, widen_up_to: int = 4) -> Machine:
    return Machine(OverloadControl(hop_s, widest_s=widest_s, widen_up_to=widen_up_to))


def test_a_machine_that_keeps_up_hears_at_the_hop_that_is_configured() -> None:
    assert _machine().wait(3600, 0.25) == 0.5


def test_a_stall_that_is_made_good_within_a_second_is_none() -> None:
    machine = _machine()
    for _ in range(100):
        assert machine.wait(0.9, 5.0) == 0.5
        assert machine.wait(0.1, 0.9) == 0.5


def test_sound_that_waits_widens_the_hop_step_by_step_to_its_bound() -> None:
    machine = _machine()
    assert [round(machine.seconds_until(hop_s, 3.0)) for hop_s in (1.0, 1.5, 2.0)] == [1, 1, 1]
    assert machine.wait(3600, 11.0) == 2.0
    assert repr(machine.control) == "OverloadControl(2 s, 4 of at most 4 times 0.5 s)"


def test_a_hop_that_may_not_be_widened_stays() -> None:
    assert _machine(widen_up_to=1).wait(3600, 11.0) == 0.5


def test_the_hop_is_never_wider_than_a_window() -> None:
    assert _machine(hop_s=0.75, widest_s=2.0, widen_up_to=20).wait(100, 11.0) == 1.5
    assert _machine(hop_s=2.0, widest_s=2.0).wait(100, 11.0) == 2.0
    assert _machine(hop_s=0.1, widest_s=0.3, widen_up_to=20).wait(100, 11.0) == pytest.approx(0.3)


def test_it_narrows_again_one_step_at_a_time() -> None:
    machine = _machine()
    machine.wait(10, 11.0)
    assert [round(machine.seconds_until(hop_s, 0.1)) for hop_s in (1.5, 1.0, 0.5)] == [NARROW_AFTER_S] * 3


def test_what_still_waits_now_and_then_narrows_nothing() -> None:
    machine = _machine()
    machine.wait(10, 11.0)
    for _ in range(100):
        machine.wait(27, 0.1)
        assert machine.wait(2.1, 0.5) == 2.0


def test_sound_that_waits_while_a_window_is_computed_does_not_keep_the_hop_wide() -> None:
    """Regression: on a slow machine a backlog of half a second after each window kept the hop wide forever."""
    machine = _machine(widen_up_to=2)
    machine.wait(5, 5.0)
    for _ in range(35):
        machine.wait(0.5, 0.5)
        machine.wait(0.5, 0.0)
    assert machine.control.hop_s == 0.5


def test_each_narrowing_that_is_taken_back_doubles_the_patience_up_to_ten_minutes() -> None:
    machine = _machine(widen_up_to=2)
    waited = []
    for _ in range(7):
        machine.wait(5, 5.0)
        waited.append(round(machine.seconds_until(0.5, 0.1)))
    assert waited == [30, 60, 120, 240, 480, 600, 600]
    assert waited[-1] == PATIENCE_MOST_S


def test_patience_with_one_hop_is_no_patience_with_the_next() -> None:
    """Regression: a hop that failed repeatedly in a busy hour made the narrower ones wait ten minutes each."""
    machine = _machine()
    machine.wait(10, 11.0)
    for _ in range(5):
        machine.seconds_until(1.5, 0.1)
        machine.wait(5, 5.0)
    assert [round(machine.seconds_until(hop_s, 0.1)) for hop_s in (1.5, 1.0, 0.5)] == [600, 30, 30]


def test_a_narrowing_that_is_taken_back_minutes_later_is_taken_back_too() -> None:
    """Regression: at 1 % overload the backlog grows to a second in 100 s; the hop oscillated every two minutes."""
    machine = _machine(widen_up_to=2)
    waited = []
    for _ in range(4):
        machine.wait(5, 5.0)
        waited.append(round(machine.seconds_until(0.5, 0.1)))
        machine.wait(100, 0.5)
    assert waited == [30, 60, 120, 240]


def test_a_narrowing_that_holds_gives_the_patience_back() -> None:
    machine = _machine(widen_up_to=2)
    for _ in range(4):
        machine.wait(5, 5.0)
        machine.seconds_until(0.5, 0.1)
    machine.wait(1000, 0.1)
    machine.wait(5, 5.0)
    assert round(machine.seconds_until(0.5, 0.1)) == NARROW_AFTER_S


@given(
    hop_s=st.floats(0.1, 2.0),
    widest_s=st.floats(0.1, 4.0),
    widen_up_to=st.integers(1, 20),
    steps=st.lists(st.tuples(st.floats(0, 12), st.floats(0, 100)), max_size=60),
)
def test_it_is_always_a_whole_multiple_within_its_bounds_and_moves_by_one(
    hop_s: float, widest_s: float, widen_up_to: int, steps: list[tuple[float, float]]
) -> None:
    control, now_s, factor = OverloadControl(hop_s, widest_s=widest_s, widen_up_to=widen_up_to), 0.0, 1
    for backlog_s, passed_s in steps:
        now_s += passed_s
        fresh = round(control.step(backlog_s, now_s) / hop_s)
        assert control.hop_s == fresh * hop_s
        assert 1 <= fresh <= widen_up_to
        assert fresh == 1 or control.hop_s <= widest_s + 1e-6
        assert abs(fresh - factor) <= 1
        factor = fresh
