"""What the pins would do, in words: for a machine that has none, with the interface of `Gpio`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from device.sinks.gpio.patterns import LIGHTS, OFF, Heartbeat, pattern_of
from device.sinks.gpio.pins import named_pins

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.config.settings import GpioSettings
    from device.sinks.gpio.patterns import Signal
    from device.sinks.gpio.pins import PinName


class PrintedPins:
    """Prints what the pins would do.

    One line for each output that changes its pattern, not for each flash of a light: `GPIO 17 (led) flashes 2 times a
    second`.

    Args:
        settings: which pins.
        write_line: receives each line.
        clock: monotonic, in seconds.
    """

    problem: str | None = None

    def __init__(
        self, settings: GpioSettings, *, write_line: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pins = named_pins(settings)
        self._write_line = write_line
        self._clock = clock
        self._heartbeat = Heartbeat(settings.alive_is)
        self._alive = "pulses" if settings.alive_is == "pulse" else "is high"
        self._does: dict[PinName, str] = {}

    def __repr__(self) -> str:
        return f"PrintedPins({', '.join(f'{name} {number}' for name, number in self._pins.items())})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def show(self, signal: Signal) -> None:
        """Print which outputs change, and that `alive` falls if the beats have stopped."""
        for light in LIGHTS:
            self._print_change(light, pattern_of(light, signal).words)
        if self._heartbeat.falls(self._clock()):
            self._print_change("alive", "is low")

    def beat(self) -> None:
        """All is well."""
        self._heartbeat.beat(self._clock())
        self._print_change("alive", self._alive)

    def close(self) -> None:
        """Print that all outputs are low; idempotent."""
        for light in LIGHTS:
            self._print_change(light, OFF.words)
        self._print_change("alive", "is low")

    def _print_change(self, name: PinName, does: str) -> None:
        resting = "is low" if name == "alive" else OFF.words
        if name in self._pins and self._does.get(name, resting) != does:
            self._does[name] = does
            self._write_line(f"GPIO {self._pins[name]} ({name}) {does}")
