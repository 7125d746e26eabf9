"""Pins that remember their levels, and what tests show on them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpiozero.pins.mock import MockFactory, MockPWMPin

from device.config.settings import GpioSettings
from device.sinks.gpio.pins import Gpio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from device.messages import Priority

LED, BUZZER, RELAY, BUTTON, ALIVE = 17, 18, 27, 22, 23
ALL_PINS = GpioSettings(led=LED, buzzer=BUZZER, relay=RELAY, button=BUTTON, alive=ALIVE)
OUTPUTS = (LED, BUZZER, RELAY, ALIVE)
WITHIN_S = 30.0


@dataclass(frozen=True)
class ShownSignal:
    priority: Priority | None = None
    silent: bool = False


class Clock:
    """Shows the time that a test says it is."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Bench:
    """Pins that remember, and what the button asked for."""

    def __init__(self, folder: Path) -> None:
        self.factory = MockFactory(pin_class=MockPWMPin)
        self.asked: list[str] = []
        self._folder = folder
        self._open: list[Gpio] = []

    def gpio(self, settings: GpioSettings = ALL_PINS, clock: Callable[[], float] = time.monotonic) -> Gpio:
        gpio = Gpio(
            settings,
            on_acknowledge=lambda: self.asked.append("acknowledge"),
            on_pause=lambda: self.asked.append("pause"),
            work_folder=self._folder,
            factory=self.factory,
            clock=clock,
        )
        self._open.append(gpio)
        return gpio

    def level(self, number: int) -> float:
        return float(self.factory.pin(number).state)

    def edges(self, number: int) -> list[tuple[float, float]]:
        """(seconds since the level before, level), since the pins were last cleared."""
        return [(float(state.timestamp), float(state.state)) for state in self.factory.pin(number).states[1:]]

    def await_edges(self, number: int, least: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Until a pin has changed so often."""
        deadline_s = time.monotonic() + WITHIN_S
        while len(self.edges(number)) < least:
            assert time.monotonic() < deadline_s, f"GPIO {number} changed {len(self.edges(number))} times"
            meanwhile()
            time.sleep(0.02)

    def close(self) -> None:
        for gpio in self._open:
            gpio.close()
