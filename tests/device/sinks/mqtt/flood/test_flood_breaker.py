"""Subscriptions are given back when a flood begins, and made again after a pause; over each connection anew."""

from __future__ import annotations

from device.sinks.mqtt.flood.flood_breaker import PAUSE_S, FloodBreaker


def test_without_a_flood_nothing_is_to_be_done() -> None:
    breaker = FloodBreaker()
    breaker.connection_opened()
    assert [breaker.step(0, float(now_s)) for now_s in range(100)] == [None] * 100
    assert not breaker.is_open
    assert breaker.new == 0


def test_a_flood_is_ended_once_and_what_still_comes_of_it_begins_no_new_pause() -> None:
    breaker = FloodBreaker()
    breaker.connection_opened()
    assert breaker.step(1, 100.0) == "unsubscribe"
    assert breaker.is_open
    assert breaker.step(500, 100.1) is None  # what the broker had queued
    assert breaker.new == 499
    assert breaker.step(500, 100.0 + PAUSE_S - 0.1) is None
    assert breaker.new == 0
    assert breaker.step(500, 100.0 + PAUSE_S) == "subscribe"
    assert not breaker.is_open


def test_a_flood_that_goes_on_is_ended_again_after_each_pause() -> None:
    breaker, dropped, steps = FloodBreaker(), 0, []
    breaker.connection_opened()
    is_subscribed = True
    for tenth in range(1000):
        dropped += 100 * is_subscribed
        step = breaker.step(dropped, tenth / 10)
        is_subscribed = step == "subscribe" if step else is_subscribed
        steps.append(step)
    assert steps.count("unsubscribe") == steps.count("subscribe") + 1 == 10
    assert "subscribe" not in steps[: int(10 * PAUSE_S)]


def test_a_pause_outlasts_the_connection_and_a_flood_over_the_next_one_is_ended_there() -> None:
    breaker = FloodBreaker()
    breaker.connection_opened()
    assert breaker.step(100, 0.0) == "unsubscribe"
    breaker.connection_opened()
    assert breaker.is_open
    assert breaker.step(0, 1.0) is None
    assert breaker.new == 0
    assert breaker.step(7, 2.0) == "unsubscribe"  # topics that the connection itself needs
    assert breaker.new == 7
    assert breaker.step(7, 1.0 + PAUSE_S) is None
    assert breaker.step(7, 2.0 + PAUSE_S) == "subscribe"
