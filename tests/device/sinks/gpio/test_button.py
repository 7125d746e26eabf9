"""A short press acknowledges and a long one pauses, however the contact bounces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from device.config.settings import GpioSettings
from device.sinks.gpio.button import DEBOUNCE_S, HELD_S
from tests.device.sinks.gpio.mock_pins import ALL_PINS, BUTTON, Bench, Clock, ShownSignal

if TYPE_CHECKING:
    import pytest


def _pressed_for(bench: Bench, clock: Clock, seconds: float) -> None:
    bench.factory.pin(BUTTON).drive_low()
    clock.now_s += seconds
    bench.factory.pin(BUTTON).drive_high()


def test_a_short_press_acknowledges(bench: Bench) -> None:
    clock = Clock()
    gpio = bench.gpio(clock=clock)
    _pressed_for(bench, clock, 0.2)
    gpio.show(ShownSignal(None))
    assert bench.asked == ["acknowledge"]


def test_a_button_that_is_held_pauses_while_it_is_held_and_once(bench: Bench) -> None:
    clock = Clock()
    gpio = bench.gpio(clock=clock)
    bench.factory.pin(BUTTON).drive_low()
    asked = []
    for _ in range(30):
        clock.now_s += 0.25
        gpio.show(ShownSignal("high"))
        asked.append((round(clock.now_s - 100.0, 2), list(bench.asked)))
    assert asked[10] == (2.75, [])
    assert asked[11] == (HELD_S, ["pause"])
    bench.factory.pin(BUTTON).drive_high()
    assert bench.asked == ["pause"]


@given(st.lists(st.floats(0.0, DEBOUNCE_S * 0.9), max_size=6), st.lists(st.floats(0.0, DEBOUNCE_S * 0.9), max_size=6))
def test_however_a_contact_bounces_a_press_is_one_press(
    tmp_path_factory: pytest.TempPathFactory, first: list[float], last: list[float]
) -> None:
    bench, clock = Bench(tmp_path_factory.getbasetemp()), Clock()
    gpio = bench.gpio(clock=clock)
    for bounce_s in [*first, 0.3, *last]:
        _pressed_for(bench, clock, bounce_s)
        clock.now_s += 0.001
        gpio.show(ShownSignal(None))
    assert bench.asked == ["acknowledge"]
    bench.close()


def test_after_a_hold_a_bounce_acknowledges_nothing(bench: Bench) -> None:
    clock = Clock()
    gpio = bench.gpio(clock=clock)
    bench.factory.pin(BUTTON).drive_low()
    clock.now_s += HELD_S
    gpio.show(ShownSignal("high"))
    bench.factory.pin(BUTTON).drive_high()
    _pressed_for(bench, clock, 0.002)
    assert bench.asked == ["pause"]


def test_a_button_that_is_stuck_at_the_start_asks_for_nothing(bench: Bench) -> None:
    clock = Clock()
    bench.factory.pin(BUTTON).drive_low()
    gpio = bench.gpio(replace(ALL_PINS, button=None), clock=clock)
    gpio.close()
    bench.factory.pin(BUTTON)._set_pull = lambda _pull: None  # the short circuit is stronger
    held = bench.gpio(GpioSettings(button=BUTTON), clock=clock)
    clock.now_s += 10.0
    held.show(ShownSignal("high"))
    assert bench.asked == []
