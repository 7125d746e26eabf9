"""What a press of the button means: a short press acknowledges, a long one pauses. Knows no pins."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HELD_S = 3.0
"""The button pauses once it has been pressed for this long."""

DEBOUNCE_S = 0.05
"""A shorter press is none: the contact bounced, or a wire caught a spark."""


class Button:
    """Turns the edges of a bouncing contact into short and long presses; each press counts once.

    Args:
        on_acknowledge: called by `released` after a short press.
        on_pause: called by `poll` during a long press.
        clock: monotonic, in seconds.
    """

    def __init__(
        self, on_acknowledge: Callable[[], None], on_pause: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._on_acknowledge = on_acknowledge
        self._on_pause = on_pause
        self._clock = clock
        self._lock = threading.Lock()  # edges come from gpiozero's thread, `poll` from the main loop
        self._pressed_s: float | None = None  # when the press began; None if it was used already

    def pressed(self) -> None:
        """The contact closed."""
        with self._lock:
            self._pressed_s = self._clock()

    def released(self) -> None:
        """The contact opened: after a short press, acknowledge."""
        if self._use_press(DEBOUNCE_S):
            self._on_acknowledge()
        with self._lock:
            self._pressed_s = None

    def poll(self) -> None:
        """Pause once the button has been pressed for `HELD_S`."""
        if self._use_press(HELD_S):
            self._on_pause()

    def _use_press(self, at_least_s: float) -> bool:
        """Whether it has been pressed for at least that long; True once for each press."""
        with self._lock:
            if self._pressed_s is None or self._clock() - self._pressed_s < at_least_s:
                return False
            self._pressed_s = None
            return True
