"""Connections that are lost soon, again and again, are a problem until one has lasted."""

from __future__ import annotations

from device.sinks.mqtt.loss_counter import MOST_LOSSES, LossCounter


def _lose(counter: LossCounter, times: int, *, from_s: float = 0.0, lasting_s: float = 1.0) -> float:
    now_s = from_s
    for _ in range(times):
        counter.made(now_s)
        now_s += lasting_s
        counter.lost("taken over", now_s)
    return now_s


def test_losses_in_a_row_are_a_problem_and_fewer_are_not() -> None:
    counter = LossCounter(60.0)
    now_s = _lose(counter, MOST_LOSSES - 1)
    assert counter.problem == ""
    _lose(counter, 1, from_s=now_s)
    assert counter.problem == "taken over"


def test_a_connection_that_lasts_ends_the_row_and_one_that_is_not_made_changes_nothing() -> None:
    counter = LossCounter(60.0)
    now_s = _lose(counter, MOST_LOSSES)
    counter.lost("nothing listens there", now_s + 100.0)
    assert counter.problem == "taken over"
    counter.made(200.0)
    counter.lasts(259.0)
    assert counter.problem
    counter.lasts(260.0)
    assert counter.problem == ""
    assert repr(counter) == "LossCounter(0 in a row)"


def test_losses_of_connections_that_lasted_are_never_a_problem() -> None:
    counter = LossCounter(60.0)
    _lose(counter, 100, lasting_s=61.0)
    assert counter.problem == ""
