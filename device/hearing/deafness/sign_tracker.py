"""Turns one sign of deafness, present or absent, into a fault that begins and ends. Knows only sample counts."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """A fault begins or is over; `since` is the sample at which it began, in both cases."""

    begins: bool
    since: int


class SignTracker:
    """Turns one sign, present or absent, into a fault that begins and ends.

    Args:
        found_samples: how long the sign must be present before the fault begins.
        over_samples: how long it must be absent before the fault is over.

    Attributes:
        open_since: first sample of the open fault; None if there is none.
    """

    def __init__(self, found_samples: int, over_samples: int) -> None:
        self._found_samples = found_samples
        self._over_samples = over_samples
        self._run_since: int | None = None
        self._absent_since: int | None = None
        self.open_since: int | None = None

    @property
    def since(self) -> int | None:
        """First sample of the open fault, or of a sign that may still become one; None if there is neither."""
        return self._run_since if self.open_since is None else self.open_since

    def break_run(self) -> None:
        """Samples are missing: a sign before the gap does not continue after it."""
        self._run_since = self._absent_since = None

    def step(self, since: int | None, end: int) -> Change | None:
        """Advance to the sample `end`: the sign is present since the sample `since`, or absent (None)."""
        if since is None:
            return self._absent(end)
        self._absent_since = None
        if self._run_since is None:
            self._run_since = since
        if self.open_since is not None or end - self._run_since < self._found_samples:
            return None
        self.open_since = self._run_since
        return Change(begins=True, since=self.open_since)

    def _absent(self, end: int) -> Change | None:
        self._run_since = None
        if self._absent_since is None:
            self._absent_since = end
        if self.open_since is None or end - self._absent_since < self._over_samples:
            return None
        change = Change(begins=False, since=self.open_since)
        self.open_since = None
        return change
