"""What light, buzzer and the fail-safe output do over time, as the standard has it."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.sinks.gpio.patterns import LIGHTS, PATTERNS, TOGGLE_S, Heartbeat, Track, pattern_of
from tests.device.sinks.gpio.mock_pins import ShownSignal

if TYPE_CHECKING:
    from device.messages import Priority
    from device.sinks.gpio.patterns import Pattern


def _pulses(pattern: Pattern) -> tuple[list[float], list[float]]:
    """Lengths of a pattern's pulses, and of the spaces behind them."""
    assert [high for high, _ in pattern.steps] == [True, False] * (len(pattern.steps) // 2)
    lasts_s = [step_s for _, step_s in pattern.steps]
    return lasts_s[::2], lasts_s[1::2]


@pytest.mark.parametrize(("priority", "least_hz", "most_hz"), [("high", 1.4, 2.8), ("medium", 0.4, 0.8)])
def test_the_light_flashes_as_the_standard_has_it(priority: Priority, least_hz: float, most_hz: float) -> None:
    ((on_s,), (off_s,)) = _pulses(PATTERNS[priority]["led"])
    assert least_hz <= 1 / (on_s + off_s) <= most_hz
    assert 0.2 <= on_s / (on_s + off_s) <= 0.6


def test_ten_pulses_of_high_priority_have_the_rhythm_of_the_standard() -> None:
    pulses_s, spaces_s = _pulses(PATTERNS["high"]["buzzer"])
    (pulse_s,) = set(pulses_s)
    x_s = spaces_s[0]
    assert len(pulses_s) == 10
    assert 0.075 <= pulse_s <= 0.2
    assert 0.05 <= x_s <= 0.125
    half_s = [x_s, x_s, pytest.approx(2 * x_s + pulse_s), x_s]
    assert spaces_s[:4] == half_s
    assert spaces_s[5:9] == half_s
    assert 0.35 <= spaces_s[4] <= 1.3
    assert 2.5 <= spaces_s[9] <= 15.0


def test_three_pulses_of_medium_and_one_of_low_priority_have_the_rhythm_of_the_standard() -> None:
    pulses_s, spaces_s = _pulses(PATTERNS["medium"]["buzzer"])
    assert len(pulses_s) == 3
    assert all(0.125 <= length_s <= 0.25 for length_s in [*pulses_s, *spaces_s[:2]])
    assert 2.5 <= spaces_s[2] <= 30.0
    pulses_s, spaces_s = _pulses(PATTERNS["low"]["buzzer"])
    assert len(pulses_s) == 1
    assert 0.125 <= pulses_s[0] <= 0.25
    assert spaces_s[0] == math.inf


def test_only_high_priority_closes_the_relay_and_silence_leaves_the_light() -> None:
    for priority in PATTERNS:
        relay = pattern_of("relay", ShownSignal(priority))
        assert relay.steps[0][0] is (priority == "high")
        assert pattern_of("led", ShownSignal(priority, silent=True)) == pattern_of("led", ShownSignal(priority))
        for light in ("relay", "buzzer"):
            assert pattern_of(light, ShownSignal(priority, silent=True)).steps == ((False, math.inf),)
    assert all(pattern_of(light, ShownSignal(None)).steps == ((False, math.inf),) for light in LIGHTS)


def test_the_documented_table_is_the_one_that_is_played() -> None:
    page = (Path(__file__).parents[4] / "docs" / "gpio.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"(?m)^\| (high|medium|low) \| (.*) \|$", page))
    for priority, patterns in PATTERNS.items():
        assert rows[priority].split(" | ")[:3] == [patterns[light].words for light in LIGHTS]


@given(st.sampled_from(["high", "medium"]), st.lists(st.floats(0.0, 0.05), min_size=100, max_size=400))
def test_each_step_begins_when_the_one_before_is_over(priority: Priority, looks_s: list[float]) -> None:
    """Never sooner, and at the first look after that, in the pattern's order."""
    pattern, levels, now_s = PATTERNS[priority]["buzzer"], list[tuple[float, bool]](), 0.0
    track = Track(lambda high: levels.append((now_s, high)))
    track.begin(pattern, now_s)
    for look_s in looks_s:
        now_s += look_s
        assert track.advance(now_s) >= now_s
    ends_s = [at_s for at_s, _ in levels[1:]]
    for (began_s, high), end_s, (wanted, lasts_s) in zip(levels, ends_s, itertools.cycle(pattern.steps), strict=False):
        assert high is wanted
        assert lasts_s <= end_s - began_s + 1e-9 < lasts_s + 0.051


@given(st.lists(st.floats(0.0001, 0.25), min_size=20, max_size=200))
def test_while_the_loop_turns_a_pulse_rises_at_least_every_second_and_never_races(turns_s: list[float]) -> None:
    heart, now_s = Heartbeat("pulse"), 50.0
    rises_s = [now_s]
    for turn_s in turns_s:
        now_s += turn_s
        before = heart.high
        assert heart.beat(now_s) is (heart.high is not before)
        assert not heart.falls(now_s)
        if heart.high and not before:
            rises_s.append(now_s)
    gaps_s = [later - sooner for sooner, later in itertools.pairwise([*rises_s, now_s])]
    assert max(gaps_s) < 1.0
    assert all(gap_s >= 2 * TOGGLE_S - 1e-9 for gap_s in gaps_s[1:-1])
