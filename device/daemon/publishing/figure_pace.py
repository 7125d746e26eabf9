"""When a figure that is measured all the time is published: soon if it has moved, else seldom. Pure.

A quiet night is most of what a device publishes about. A figure that stays where it is says nothing new, so it is
repeated only as often as shows that it is still measured.
"""

from __future__ import annotations

from typing import NamedTuple

REPEATED_EVERY_S = 300.0
"""A figure that does not move is published this often."""


class _Published(NamedTuple):
    value: float | None
    at_s: float


class FigurePace:
    """Remembers what was published of each figure."""

    def __init__(self) -> None:
        self._published: dict[str, _Published] = {}

    def __repr__(self) -> str:
        return f"FigurePace({self._published!r})"

    def is_due(self, name: str, value: float | None, now_s: float, *, step: float) -> bool:
        """Whether a figure is to be published.

        Args:
            name: of the figure.
            value: its present one; None if it has none, which is far from any number.
            now_s: monotonic.
            step: by which it must have moved since it was published.
        """
        last = self._published.get(name)
        if last is None or now_s - last.at_s >= REPEATED_EVERY_S:
            return True
        if value is None or last.value is None:
            return value is not last.value
        return abs(value - last.value) >= step

    def record(self, name: str, value: float | None, now_s: float) -> None:
        """Note that a figure is published now."""
        self._published[name] = _Published(value, now_s)

    def forget(self) -> None:
        """Make every figure due: a subscriber may have missed what was published."""
        self._published.clear()
