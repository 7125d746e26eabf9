"""Light, buzzer, relay, acknowledge button and the fail-safe output, on the pins of a Raspberry Pi.

They follow the alarms in memory and nothing else: no disk, no network, no journal. docs/gpio.md shows the wiring.
If a machine has no pins, or this user may not open them, one sentence says so (`Gpio.problem`), and every call does
nothing.

gpiozero and lgpio are imported only if a pin is named in the configuration.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

from device.sinks.gpio.button import Button
from device.sinks.gpio.pattern_player import PatternPlayer
from device.sinks.gpio.patterns import LIGHTS, Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from device.config.settings import GpioSettings
    from device.messages import Priority
    from device.sinks.gpio.patterns import Light, Signal

PinName = Literal["led", "buzzer", "relay", "button", "alive"]


def named_pins(settings: GpioSettings) -> dict[PinName, int]:
    """Name -> BCM number, of the pins that the settings name."""
    names: tuple[PinName, ...] = (*LIGHTS, "button", "alive")
    return {name: number for name in names if (number := getattr(settings, name)) is not None}


class Gpio:
    """The pins that the settings name; a context manager.

    `show` and `beat` are for the main loop: they neither wait nor raise. A pin that cannot be opened, or that
    fails later, does nothing, and `problem` says why.

    Args:
        settings: which pins; none is touched that is not named there.
        on_acknowledge: the button was pressed and released. Called from a thread of lgpio's: it must return at once.
        on_pause: the button has been pressed for `HELD_S`. Called by `show`.
        work_folder: lgpio makes a FIFO there; created if it is missing, ignored if LG_WD names another.
        factory: gpiozero's pin factory, which stays open; None for this machine's own pins.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        settings: GpioSettings,
        *,
        on_acknowledge: Callable[[], None],
        on_pause: Callable[[], None],
        work_folder: Path,
        factory: Any = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._closed = False
        self._heartbeat = Heartbeat(settings.alive_is)
        self._shown: tuple[Priority | None, bool] = (None, False)
        self._button = Button(on_acknowledge, on_pause, clock)
        self._chip = _Chip()
        if pins := named_pins(settings):
            self._chip.open(pins, work_folder=work_folder, factory=factory, button=self._button)
        lights: dict[Light, Callable[[bool], None]] = {
            light: self._chip.outputs[light].set for light in LIGHTS if light in self._chip.outputs
        }
        self._player = PatternPlayer(lights, clock=clock) if lights else None

    def __repr__(self) -> str:
        return "Gpio(closed)" if self._closed else f"Gpio({self._chip!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def problem(self) -> str | None:
        """One sentence that says which pins do nothing and why; None if all work, or none is named."""
        return "; ".join(list(self._chip.problems.values())) or None

    def show(self, signal: Signal) -> None:
        """Show a signal; cheap if it is shown already. Called in each turn of the main loop.

        This also polls the button, and lets `alive` fall if the beats have stopped.
        """
        if self._closed:
            return
        self._button.poll()
        shown = (signal.priority, signal.silent)
        if self._player is not None and shown != self._shown:
            self._shown = shown
            self._player.show(signal)
        if self._heartbeat.falls(self._clock()):
            self._set_alive()

    def beat(self) -> None:
        """All is well: called by the main loop in each turn, and by nothing that could outlive it."""
        if not self._closed and self._heartbeat.beat(self._clock()):
            self._set_alive()

    def close(self) -> None:
        """Drive all outputs low and close the pins; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._player is not None:
            self._player.close()
        self._chip.close()

    def _set_alive(self) -> None:
        alive = self._chip.outputs.get("alive")
        if alive is not None:
            alive.set(self._heartbeat.high)


def drive_low(settings: GpioSettings, *, work_folder: Path, factory: Any = None) -> str | None:
    """Drive low what a killed daemon left high, and close the pins; the problem, as `Gpio.problem`.

    Args:
        settings: which pins; the button is not touched.
        work_folder: see `Gpio`.
        factory: see `Gpio`.
    """
    chip = _Chip()
    outputs = named_pins(settings)
    outputs.pop("button", None)
    if outputs:
        chip.open(outputs, work_folder=work_folder, factory=factory)
    chip.close()
    return "; ".join(chip.problems.values()) or None


class _Output:
    """One output pin; its errors are reported to `failed`, not raised."""

    def __init__(self, device: Any, failed: Callable[[Exception], None]) -> None:
        self._device = device
        self._failed = failed

    def set(self, high: bool) -> None:  # noqa: FBT001 - a level has no name
        try:
            self._device.on() if high else self._device.off()
        except _pin_errors() as error:
            self._failed(error)

    def close(self) -> None:
        self.set(False)
        try:
            self._device.close()
        except _pin_errors() as error:
            self._failed(error)


class _Chip:
    """The pins that gpiozero opened, and why some could not be opened."""

    def __init__(self) -> None:
        self.outputs: dict[PinName, _Output] = {}
        self.problems: dict[str, str] = {}
        self._button: Any = None
        self._factory: Any = None  # ours to close

    def __repr__(self) -> str:
        return ", ".join([*self.outputs, *(["button"] if self._button else [])]) or "no pins"

    def open(
        self, pins: Mapping[PinName, int], *, work_folder: Path, factory: Any, button: Button | None = None
    ) -> None:
        """Open the pins, outputs low; `problems` says which could not be opened."""
        try:
            factory = factory or self._open_factory(work_folder)
        except ImportError as error:
            why = f"the library {error.name} is missing, install auricle[device] (and python3-lgpio on Python 3.13)"
        except _pin_errors() as error:
            why = f"{error}; it takes a Raspberry Pi, and a user in the group gpio"
        else:
            self._open_pins(pins, factory, button)
            return
        self.problems["all"] = f"no GPIO here, {_listed(pins)} will do nothing: {why}"

    def close(self) -> None:
        """Drive everything low, and close it; idempotent."""
        for output in self.outputs.values():
            output.close()
        for resource in (self._button, self._factory):
            if resource is not None:
                with contextlib.suppress(*_pin_errors()):  # it is closed in any case
                    resource.close()
        self._button = self._factory = None

    def _open_factory(self, work_folder: Path) -> Any:
        """The factory for every Raspberry Pi, by name: gpiozero's own search warns, and falls back to others."""
        work_folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("LG_WD", str(work_folder))
        from gpiozero.pins.lgpio import LGPIOFactory  # imports lgpio, which makes its FIFO now

        self._factory = LGPIOFactory()
        return self._factory

    def _open_pins(self, pins: Mapping[PinName, int], factory: Any, button: Button | None) -> None:
        import gpiozero

        for name, number in pins.items():
            failed = partial(self._failed, name, number)
            try:
                if name != "button":
                    self.outputs[name] = _Output(gpiozero.DigitalOutputDevice(number, pin_factory=factory), failed)
                elif button is not None:
                    self._button = gpiozero.DigitalInputDevice(number, pull_up=True, pin_factory=factory)
                    self._button.when_activated, self._button.when_deactivated = button.pressed, button.released
            except _pin_errors() as error:
                failed(error)

    def _failed(self, name: PinName, number: int, error: Exception) -> None:
        self.problems.setdefault(name, f"GPIO {number} ({name}) does nothing: {error}")


def _pin_errors() -> tuple[type[Exception], ...]:
    """What pins raise, of the libraries that are imported: lgpio's error derives from Exception alone."""
    names = (("gpiozero", "GPIOZeroError"), ("lgpio", "error"))
    found = (getattr(sys.modules.get(module), name, None) for module, name in names)
    return (OSError, *(error for error in found if error is not None))


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
