"""When a figure that is measured all the time is published: soon if it has moved, else seldom. Pure.

A quiet night is most of what a device publishes about. A figure that stays where it is says nothing new, so it is
repeated only as often as shows that it is still measured. The repetitions are spread, so that something is published
often enough for a ward to notice within 90 s that a device has fallen silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

REPEATED_EVERY_S = 300.0
"""A figure that does not move is published this often."""

SIGN_EVERY_S = 75.0
"""Some figure is published at least this often, whether it moves or not: four in the time of one repetition."""


class _Published(NamedTuple):
    value: float | None
    at_s: float


class FigurePace:
    """Remembers what was published of each figure."""

    def __init__(self) -> None:
        self._published: dict[str, _Published] = {}
        self._sign_s = float("-inf")

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

    def next_sign(self, names: Iterable[str], now_s: float) -> str | None:
        """The figure to publish as a sign of life: the one that was published longest ago.

        Args:
            names: of the figures that can be published now.
            now_s: monotonic.

        Returns:
            None for `SIGN_EVERY_S` after the last sign, or if there are no names.
        """
        if now_s - self._sign_s < SIGN_EVERY_S:
            return None
        times = {name: last.at_s for name, last in self._published.items()}
        return min(names, key=lambda name: times.get(name, float("-inf")), default=None)

    def record_sign(self, now_s: float) -> None:
        """Note that a message left, which shows that the device lives."""
        self._sign_s = now_s

    def record(self, name: str, value: float | None, now_s: float) -> None:
        """Note that a figure is published now."""
        self._published[name] = _Published(value, now_s)

    def forget(self) -> None:
        """Make every figure due: a subscriber may have missed what was published."""
        self._published.clear()
