"""What light, buzzer, relay and the fail-safe output show over time, timed as IEC 60601-1-8 has it; pure.

Knows no pins and no threads: time is an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from device.config.settings import AliveForm
    from device.messages import Priority

Light = Literal["led", "buzzer", "relay"]

LIGHTS: tuple[Light, ...] = ("led", "buzzer", "relay")
"""The outputs that show alarms; `alive` shows that the daemon runs."""

TOGGLE_S = 0.2
"""The pulse changes its level no sooner than this after the last change. With a main loop that turns every 0.25 s,
it rises at least every 0.9 s; with one that catches up on a full queue, no faster than 2.5 times a second."""

LAPSE_S = 1.0
"""Without a beat for this long, `alive` is low."""


class Signal(Protocol):
    """What lights and buzzer show: the most urgent alarm, and whether it is silenced."""

    @property
    def priority(self) -> Priority | None:
        """Of the most urgent alarm; None if there is none."""

    @property
    def silent(self) -> bool:
        """Paused, or all acknowledged: the light stays on, buzzer and relay are off."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """The levels of an output over time, repeated.

    Attributes:
        words: what it does, for people.
        steps: (high, for how many seconds), at least one; `inf` for a step that never ends.
    """

    words: str
    steps: tuple[tuple[bool, float], ...]


def _burst(words: str, pulse_s: float, spaces_s: tuple[float, ...]) -> Pattern:
    """Pulses of one length, each followed by its space; the last space is the time between bursts."""
    return Pattern(words, tuple(step for space_s in spaces_s for step in ((True, pulse_s), (False, space_s))))


OFF = Pattern("off", ((False, math.inf),))
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
        "medium": MappingProxyType({"led": _SLOW, "buzzer": _THREE, "relay": OFF}),
        "low": MappingProxyType({"led": _ON, "buzzer": _ONCE, "relay": OFF}),
    }
)
"""Priority -> output -> what it does; docs/gpio.md holds the same table."""


def pattern_of(light: Light, signal: Signal) -> Pattern:
    """What an output does to show a signal."""
    if signal.priority is None or (signal.silent and light != "led"):
        return OFF
    return PATTERNS[signal.priority][light]


class Track:
    """One output, its pattern and the current step of it.

    Args:
        set_level: sets the level of the output; must not raise.
    """

    def __init__(self, set_level: Callable[[bool], None]) -> None:
        self.pattern = OFF
        self._set_level = set_level
        self._index = 0
        self._due_s = math.inf

    def begin(self, pattern: Pattern, now_s: float) -> None:
        """Start another pattern at its first step; the same pattern goes on undisturbed."""
        if pattern != self.pattern:
            self.pattern = pattern
            self._step(0, now_s)

    def advance(self, now_s: float) -> float:
        """Go to the next step if it is due; when the one after that is due."""
        if now_s >= self._due_s:
            self._step((self._index + 1) % len(self.pattern.steps), now_s)
        return self._due_s

    def _step(self, index: int, now_s: float) -> None:
        high, lasts_s = self.pattern.steps[index]
        self._index, self._due_s = index, now_s + lasts_s
        self._set_level(high)


class Heartbeat:
    """The level of the fail-safe output, which falls unless the main loop goes on to say that all is well.

    Args:
        form: `pulse` toggles with the beats; `steady` is high while they come.
    """

    def __init__(self, form: AliveForm) -> None:
        self.high = False
        self._form = form
        self._last_beat_s = -math.inf
        self._changed_s = -math.inf

    def __repr__(self) -> str:
        return f"Heartbeat({self._form}, {'high' if self.high else 'low'})"

    def beat(self, now_s: float) -> bool:
        """All is well; whether the level changed."""
        self._last_beat_s = now_s
        if now_s - self._changed_s < TOGGLE_S or (self.high and self._form == "steady"):
            return False
        self.high, self._changed_s = not self.high, now_s
        return True

    def falls(self, now_s: float) -> bool:
        """Whether there has been no beat for more than `LAPSE_S`, and the level falls now: True once."""
        if now_s - self._last_beat_s <= LAPSE_S or self._last_beat_s == -math.inf:
            return False
        self.high, self._last_beat_s, self._changed_s = False, -math.inf, -math.inf
        return True
