"""Light, buzzer, relay, acknowledge button and the fail-safe output, on the pins of a Raspberry Pi.

They follow the alarms in memory and nothing else: no disk, no network, no journal. Each priority has a
pattern of its own, timed as IEC 60601-1-8 has it; docs/gpio.md shows the wiring. Where a machine has no
pins, or does not let us have them, one sentence says so (`Gpio.problem`), and every call does nothing.

gpiozero and lgpio are imported only where a pin is named in the configuration.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from device.config.settings import AliveForm, GpioSettings
    from device.messages import Priority

Light = Literal["led", "buzzer", "relay"]
PinName = Literal["led", "buzzer", "relay", "button", "alive"]

LIGHTS: tuple[Light, ...] = ("led", "buzzer", "relay")
"""The outputs that tell of alarms; `alive` tells that there is somebody to tell."""

HELD_S = 3.0
"""The button, held for this long, pauses."""

DEBOUNCE_S = 0.05
"""A button that was down for less was not pressed: its contact bounced, or a wire caught a spark."""

TOGGLE_S = 0.2
"""The pulse changes its level no sooner than this after the last change. With a main loop that turns every 0.25 s,
it rises at least every 0.9 s; with one that races through what waited, no faster than 2.5 times a second."""

LAPSE_S = 1.0
"""Without a beat for this long, `alive` is low."""

_JOIN_S = 1.0


class Signal(Protocol):
    """What lights and buzzer show: the most urgent alarm, and whether it is to be seen alone."""

    @property
    def priority(self) -> Priority | None:
        """Of the most urgent alarm; None where there is none."""

    @property
    def silent(self) -> bool:
        """Paused, or all acknowledged: the light goes on, buzzer and relay do not."""


# --- what is shown


@dataclass(frozen=True, slots=True)
class Pattern:
    """Levels that an output takes in turn.

    Attributes:
        words: what it does, as people are told.
        steps: (high, for how many seconds), at least one; a step that is never over lasts `inf`.
    """

    words: str
    steps: tuple[tuple[bool, float], ...]


def _burst(words: str, pulse_s: float, spaces_s: tuple[float, ...]) -> Pattern:
    """Pulses of one length, each followed by its space; the last space is the time between bursts."""
    return Pattern(words, tuple(step for space_s in spaces_s for step in ((True, pulse_s), (False, space_s))))


_OFF = Pattern("off", ((False, math.inf),))
_ON = Pattern("on", ((True, math.inf),))

# IEC 60601-1-8, table 2: high 1.4 to 2.8 Hz, medium 0.4 to 0.8 Hz, both on for 20 to 60 % of the time; low constant.
_FAST = Pattern("flashes 2 times a second", ((True, 0.2), (False, 0.3)))
_SLOW = Pattern("flashes every 2 s", ((True, 0.8), (False, 1.2)))

# Tables 3 and 4. High: pulses of 75 to 200 ms in the rhythm 3-2, 3-2, x = 50 to 125 ms apart, the groups 2x + a pulse,
# the halves 0.35 to 1.3 s, the bursts 2.5 to 15 s. Medium: 3 pulses of 125 to 250 ms, 125 to 250 ms apart, the bursts
# 2.5 to 30 s. Low: 1 or 2 pulses, again after more than 15 s or never.
_HIGH_HALF_S = (0.1, 0.1, 0.35, 0.1)
_TEN = _burst("beeps 10 times every 6 s", 0.15, (*_HIGH_HALF_S, 0.65, *_HIGH_HALF_S, 2.55))
_THREE = _burst("beeps 3 times every 6 s", 0.2, (0.2, 0.2, 5.0))
_ONCE = _burst("beeps once", 0.2, (math.inf,))

PATTERNS: Mapping[Priority, Mapping[Light, Pattern]] = MappingProxyType(
    {
        "high": MappingProxyType({"led": _FAST, "buzzer": _TEN, "relay": _ON}),
        "medium": MappingProxyType({"led": _SLOW, "buzzer": _THREE, "relay": _OFF}),
        "low": MappingProxyType({"led": _ON, "buzzer": _ONCE, "relay": _OFF}),
    }
)
"""Priority -> output -> what it does; docs/gpio.md holds the same table."""


def named_pins(settings: GpioSettings) -> dict[PinName, int]:
    """Name -> BCM number, of the pins that the settings name."""
    names: tuple[PinName, ...] = (*LIGHTS, "button", "alive")
    return {name: number for name in names if (number := getattr(settings, name)) is not None}


def pattern_of(light: Light, signal: Signal) -> Pattern:
    """What an output does to show a signal."""
    if signal.priority is None or (signal.silent and light != "led"):
        return _OFF
    return PATTERNS[signal.priority][light]


class Player:
    """Plays patterns on outputs, from a thread of its own that sleeps where nothing changes.

    The first level of a new pattern is put by whoever asks for it, at once.

    Args:
        outputs: output -> what sets its level; must not raise.
        clock: monotonic, in seconds.
    """

    def __init__(
        self, outputs: Mapping[Light, Callable[[bool], None]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._tracks = {light: _Track(put) for light, put in outputs.items()}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._play, name="gpio-patterns", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        playing = ", ".join(f"{light} {track.pattern.words}" for light, track in self._tracks.items())
        return f"Player({'closed' if self._stopping else playing})"

    def show(self, signal: Signal) -> None:
        """Begin the patterns of a signal; one that is being played already goes on as it is."""
        with self._changed:
            for light, track in self._tracks.items():
                track.begin(pattern_of(light, signal), self._clock())
            self._changed.notify()

    def close(self) -> bool:
        """End the thread and leave each output low; whether the thread ended in time. Idempotent."""
        with self._changed:
            self._stopping = True
            for track in self._tracks.values():
                track.begin(_OFF, self._clock())
            self._changed.notify()
        self._thread.join(_JOIN_S)
        return not self._thread.is_alive()

    def _play(self) -> None:
        with self._changed:
            while not self._stopping:
                now_s = self._clock()
                due_s = min((track.advance(now_s) for track in self._tracks.values()), default=math.inf)
                self._changed.wait(None if due_s == math.inf else max(0.0, due_s - self._clock()))


class _Track:
    """One output and how far its pattern has come."""

    def __init__(self, put: Callable[[bool], None]) -> None:
        self.pattern = _OFF
        self._put = put
        self._index = 0
        self._due_s = math.inf

    def begin(self, pattern: Pattern, now_s: float) -> None:
        """Take another pattern, from its first step; nothing where it is the same."""
        if pattern != self.pattern:
            self.pattern = pattern
            self._step(0, now_s)

    def advance(self, now_s: float) -> float:
        """Take the next step where it is due; when the one after that is."""
        if now_s >= self._due_s:
            self._step((self._index + 1) % len(self.pattern.steps), now_s)
        return self._due_s

    def _step(self, index: int, now_s: float) -> None:
        high, lasts_s = self.pattern.steps[index]
        self._index, self._due_s = index, now_s + lasts_s
        self._put(high)


class Heartbeat:
    """The level of the fail-safe output, which only the main loop's word that all is well keeps going; pure.

    Args:
        form: `pulse` changes its level with the beats; `steady` is high as long as they come.
    """

    def __init__(self, form: AliveForm) -> None:
        self.high = False
        self._form = form
        self._beaten_s = -math.inf
        self._changed_s = -math.inf

    def __repr__(self) -> str:
        return f"Heartbeat({self._form}, {'high' if self.high else 'low'})"

    def beat(self, now_s: float) -> bool:
        """All is well; whether the level changed."""
        self._beaten_s = now_s
        if now_s - self._changed_s < TOGGLE_S or (self.high and self._form == "steady"):
            return False
        self.high, self._changed_s = not self.high, now_s
        return True

    def falls(self, now_s: float) -> bool:
        """Whether there has been no beat for `LAPSE_S`; the level is low from then on. True once."""
        if now_s - self._beaten_s <= LAPSE_S or self._beaten_s == -math.inf:
            return False
        self.high, self._beaten_s, self._changed_s = False, -math.inf, -math.inf
        return True


# --- on pins


class Gpio:
    """The pins that the settings name; a context manager.

    `show` and `beat` are for the main loop: they neither wait nor raise. A pin that cannot be had, or that
    fails later, does nothing, and `problem` says why.

    Args:
        settings: which pins; none is touched that is not named there.
        on_acknowledge: the button was pressed and let go. Called from a thread of lgpio's: it must only hand over.
        on_pause: the button has been held for `HELD_S`. Called by `show`.
        work_folder: lgpio makes a FIFO there; made where it is missing, ignored where LG_WD names another.
        factory: gpiozero's, which stays open; None for this machine's own pins.
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
        self._heart = Heartbeat(settings.alive_is)
        self._shown: tuple[Priority | None, bool] = (None, False)
        self._press = _Press(on_acknowledge, on_pause, clock)
        self._chip = _Chip()
        if pins := named_pins(settings):
            self._chip.open(pins, work_folder=work_folder, factory=factory, press=self._press)
        lights: dict[Light, Callable[[bool], None]] = {
            light: self._chip.outputs[light].put for light in LIGHTS if light in self._chip.outputs
        }
        self._player = Player(lights, clock=clock) if lights else None

    def __repr__(self) -> str:
        return "Gpio(closed)" if self._closed else f"Gpio({self._chip!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def problem(self) -> str | None:
        """One sentence that says which pins do nothing and why; None where all is well, or none is named."""
        return "; ".join(list(self._chip.problems.values())) or None

    def show(self, signal: Signal) -> None:
        """Follow a signal, which costs nothing where it is followed already; to be called in each turn.

        The button is looked at as well, and `alive` falls where beats have stopped.
        """
        if self._closed:
            return
        self._press.look()
        wanted = (signal.priority, signal.silent)
        if self._player is not None and wanted != self._shown:
            self._shown = wanted
            self._player.show(signal)
        if self._heart.falls(self._clock()):
            self._put_alive()

    def beat(self) -> None:
        """All is well: to be called by the main loop in each turn, and by nothing that could outlive it."""
        if not self._closed and self._heart.beat(self._clock()):
            self._put_alive()

    def close(self) -> None:
        """Drive all outputs low and let the pins go; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._player is not None:
            self._player.close()
        self._chip.close()

    def _put_alive(self) -> None:
        alive = self._chip.outputs.get("alive")
        if alive is not None:
            alive.put(self._heart.high)


def drive_low(settings: GpioSettings, *, work_folder: Path, factory: Any = None) -> str | None:
    """Drive all outputs low and let them go: what a daemon that was killed left high. The problem, see `Gpio`.

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


class PrintedPins:
    """What the pins would do, in words: for a machine that has none, with the interface of `Gpio`.

    A line is told where an output takes another pattern, not for each flash of a light: `GPIO 17 (led) flashes
    2 times a second`.

    Args:
        settings: which pins.
        tell: takes one line.
        clock: monotonic, in seconds.
    """

    problem: str | None = None

    def __init__(
        self, settings: GpioSettings, *, tell: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._pins = named_pins(settings)
        self._tell = tell
        self._clock = clock
        self._heart = Heartbeat(settings.alive_is)
        self._alive = "pulses" if settings.alive_is == "pulse" else "is high"
        self._does: dict[PinName, str] = {}

    def __repr__(self) -> str:
        return f"PrintedPins({', '.join(f'{name} {number}' for name, number in self._pins.items())})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def show(self, signal: Signal) -> None:
        """Tell which outputs do something else from now on, and that `alive` fell where beats have stopped."""
        for light in LIGHTS:
            self._now(light, pattern_of(light, signal).words)
        if self._heart.falls(self._clock()):
            self._now("alive", "is low")

    def beat(self) -> None:
        """All is well."""
        self._heart.beat(self._clock())
        self._now("alive", self._alive)

    def close(self) -> None:
        """All outputs are low; idempotent."""
        for light in LIGHTS:
            self._now(light, _OFF.words)
        self._now("alive", "is low")

    def _now(self, name: PinName, does: str) -> None:
        resting = "is low" if name == "alive" else _OFF.words
        if name in self._pins and self._does.get(name, resting) != does:
            self._does[name] = does
            self._tell(f"GPIO {self._pins[name]} ({name}) {does}")


class _Press:
    """What the button means: let go in time, or held; whatever its contact does in between."""

    def __init__(
        self, on_acknowledge: Callable[[], None], on_pause: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._on_acknowledge = on_acknowledge
        self._on_pause = on_pause
        self._clock = clock
        self._lock = threading.Lock()  # edges come from gpiozero's thread, `look` from the main loop
        self._down_s: float | None = None  # since when it is down and nothing was made of it

    def pressed(self) -> None:
        with self._lock:
            self._down_s = self._clock()

    def released(self) -> None:
        if self._taken(DEBOUNCE_S):
            self._on_acknowledge()
        with self._lock:
            self._down_s = None

    def look(self) -> None:
        if self._taken(HELD_S):
            self._on_pause()

    def _taken(self, at_least_s: float) -> bool:
        """Whether it has been down for so long; that can be made use of once."""
        with self._lock:
            if self._down_s is None or self._clock() - self._down_s < at_least_s:
                return False
            self._down_s = None
            return True


class _Output:
    """One output pin; what it does wrong is told, not raised."""

    def __init__(self, device: Any, failed: Callable[[Exception], None]) -> None:
        self._device = device
        self._failed = failed

    def put(self, high: bool) -> None:  # noqa: FBT001 - a level is all there is to say
        try:
            self._device.on() if high else self._device.off()
        except _pin_errors() as error:
            self._failed(error)

    def close(self) -> None:
        self.put(False)
        try:
            self._device.close()
        except _pin_errors() as error:
            self._failed(error)


class _Chip:
    """The pins of a machine, as gpiozero gives them, and why some are not given."""

    def __init__(self) -> None:
        self.outputs: dict[PinName, _Output] = {}
        self.problems: dict[str, str] = {}
        self._button: Any = None
        self._factory: Any = None  # our own, to be closed

    def __repr__(self) -> str:
        return ", ".join([*self.outputs, *(["button"] if self._button else [])]) or "no pins"

    def open(
        self, pins: Mapping[PinName, int], *, work_folder: Path, factory: Any, press: _Press | None = None
    ) -> None:
        """Take the pins; outputs are low from here on. What cannot be had stands in `problems`."""
        try:
            factory = factory or self._open_factory(work_folder)
        except ImportError as error:
            told = f"the library {error.name} is missing, install auricle[device] (and python3-lgpio on Python 3.13)"
        except _pin_errors() as error:
            told = f"{error}; it takes a Raspberry Pi, and a user in the group gpio"
        else:
            self._take(pins, factory, press)
            return
        self.problems["all"] = f"no GPIO here, {_listed(pins)} will do nothing: {told}"

    def close(self) -> None:
        """Everything low, and let go; idempotent."""
        for output in self.outputs.values():
            output.close()
        for resource in (self._button, self._factory):
            if resource is not None:
                with contextlib.suppress(*_pin_errors()):  # it is gone, which is what was wanted
                    resource.close()
        self._button = self._factory = None

    def _open_factory(self, work_folder: Path) -> Any:
        """The one that serves every Raspberry Pi, by name: gpiozero's own search warns, and falls back to others."""
        work_folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("LG_WD", str(work_folder))
        from gpiozero.pins.lgpio import LGPIOFactory  # imports lgpio, which makes its FIFO now

        self._factory = LGPIOFactory()
        return self._factory

    def _take(self, pins: Mapping[PinName, int], factory: Any, press: _Press | None) -> None:
        import gpiozero

        for name, number in pins.items():
            failed = partial(self._failed, name, number)
            try:
                if name != "button":
                    self.outputs[name] = _Output(gpiozero.DigitalOutputDevice(number, pin_factory=factory), failed)
                elif press is not None:
                    self._button = gpiozero.DigitalInputDevice(number, pull_up=True, pin_factory=factory)
                    self._button.when_activated, self._button.when_deactivated = press.pressed, press.released
            except _pin_errors() as error:
                failed(error)

    def _failed(self, name: PinName, number: int, error: Exception) -> None:
        self.problems.setdefault(name, f"GPIO {number} ({name}) does nothing: {error}")


def _pin_errors() -> tuple[type[Exception], ...]:
    """What pins raise, as far as their libraries are imported: lgpio's error derives from nothing but Exception."""
    names = (("gpiozero", "GPIOZeroError"), ("lgpio", "error"))
    found = (getattr(sys.modules.get(module), name, None) for module, name in names)
    return (OSError, *(error for error in found if error is not None))


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
