"""Without pins, each change of a pattern is one line."""

from __future__ import annotations

from dataclasses import replace

from device.sinks.gpio.patterns import LAPSE_S
from device.sinks.gpio.printed_pins import PrintedPins
from tests.device.sinks.gpio.mock_pins import ALL_PINS, Clock, ShownSignal


def test_without_pins_each_change_of_a_pattern_is_one_line() -> None:
    lines: list[str] = []
    clock = Clock()
    with PrintedPins(replace(ALL_PINS, buzzer=None), write_line=lines.append, clock=clock) as pins:
        assert pins.problem is None
        for signal in (ShownSignal(None), ShownSignal("high"), ShownSignal("high"), ShownSignal("high", silent=True)):
            pins.beat()
            pins.show(signal)
        clock.now_s += LAPSE_S + 0.1
        pins.show(ShownSignal("high", silent=True))
    assert lines == [
        "GPIO 23 (alive) pulses",
        "GPIO 17 (led) flashes 2 times a second",
        "GPIO 27 (relay) on",
        "GPIO 27 (relay) off",
        "GPIO 23 (alive) is low",
        "GPIO 17 (led) off",
    ]
