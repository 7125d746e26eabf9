"""Signals are seen and heard on the pins, in the rhythm of their patterns."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from device.sinks.gpio.patterns import PATTERNS
from tests.device.sinks.gpio.mock_pins import BUZZER, LED, RELAY, ShownSignal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.sinks.gpio.patterns import Pattern
    from tests.device.sinks.gpio.mock_pins import Bench

LATE_S = 1.0
"""By so much a busy machine may put a level late."""


def _wanted(pattern: Pattern) -> Iterator[tuple[float, bool]]:
    """(seconds since the level before, level), for ever; the first level has none before."""
    before_s = 0.0
    for high, lasts_s in itertools.cycle(pattern.steps):
        yield before_s, high
        before_s = lasts_s


def _assert_follows(edges: list[tuple[float, float]], pattern: Pattern) -> None:
    assert edges
    for number, ((after_s, level), (wanted_s, high)) in enumerate(zip(edges, _wanted(pattern), strict=False)):
        assert level == float(high)
        assert number == 0 or wanted_s - 0.01 <= after_s <= wanted_s + LATE_S


def test_high_priority_is_seen_and_heard_on_the_pins(bench: Bench) -> None:
    gpio = bench.gpio()
    gpio.show(ShownSignal("high"))
    assert [bench.level(pin) for pin in (LED, BUZZER, RELAY)] == [1.0, 1.0, 1.0]  # at once, without any thread
    bench.await_edges(BUZZER, 12)
    bench.await_edges(LED, 9)
    _assert_follows(bench.edges(LED), PATTERNS["high"]["led"])
    _assert_follows(bench.edges(BUZZER), PATTERNS["high"]["buzzer"])
    assert [level for _, level in bench.edges(RELAY)] == [1.0]


def test_low_priority_beeps_once_and_stays_lit(bench: Bench) -> None:
    gpio = bench.gpio()
    gpio.show(ShownSignal("low"))
    bench.await_edges(BUZZER, 2)
    time.sleep(0.5)
    assert [level for _, level in bench.edges(LED)] == [1.0]
    _assert_follows(bench.edges(BUZZER), PATTERNS["low"]["buzzer"])
    assert len(bench.edges(BUZZER)) == 2


def test_to_show_the_same_again_disturbs_no_pattern(bench: Bench) -> None:
    gpio = bench.gpio()
    bench.await_edges(LED, 5, meanwhile=lambda: gpio.show(ShownSignal("high")))
    _assert_follows(bench.edges(LED), PATTERNS["high"]["led"])


def test_a_pause_silences_at_once_and_leaves_the_light_as_it_was(bench: Bench) -> None:
    gpio = bench.gpio()
    gpio.show(ShownSignal("high"))
    bench.await_edges(LED, 2)
    gpio.show(ShownSignal("high", silent=True))
    assert (bench.level(BUZZER), bench.level(RELAY)) == (0.0, 0.0)
    quiet_since = len(bench.edges(BUZZER))
    bench.await_edges(LED, 7)
    assert len(bench.edges(BUZZER)) == quiet_since
    _assert_follows(bench.edges(LED), PATTERNS["high"]["led"])
    gpio.show(ShownSignal(None))
    assert bench.level(LED) == 0.0


def test_the_patterns_go_on_while_the_main_loop_hangs(bench: Bench) -> None:
    bench.gpio().show(ShownSignal("high"))
    bench.await_edges(LED, 8)  # nobody calls
