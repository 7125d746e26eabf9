"""Waits for claims to hold and tabulates which did within their time."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SOON_S = 15.0
"""From a cause to what Home Assistant shows of it; a microphone that is back may take 8 s to be opened."""


STAYS_S = 3.0
"""How long something is observed that must not happen."""


@dataclass(frozen=True, slots=True)
class Row:
    """A claim, and whether it held.

    Attributes:
        part: of the trial.
        claim: the expected observation.
        took_s: seconds until it held; None if it did not.
        seen: the observed number, if the claim is about one.
    """

    part: str
    claim: str
    took_s: float | None
    seen: str = ""

    def __str__(self) -> str:
        result = "MISSED" if self.took_s is None else f"{self.took_s:5.1f} s"
        return f"{result:7}  {self.part:34}  {self.claim}{f': {self.seen}' if self.seen else ''}"


@dataclass(slots=True)
class Table:
    """Collects rows, and prints each as it is added.

    Attributes:
        part: of the trial, for the next rows.
        rows: so far.
    """

    part: str = ""
    rows: list[Row] = field(default_factory=list)

    def expect(self, claim: str, holds: Callable[[], object], within_s: float = SOON_S) -> Any:
        """Poll until `holds` is true; returns its value. If it does not hold in time, the claim is missed."""
        began_s = time.monotonic()
        while not (held := holds()) and time.monotonic() - began_s < within_s:
            time.sleep(0.1)
        took_s = time.monotonic() - began_s if held else None
        is_number = isinstance(held, int | float) and not isinstance(held, bool)
        self._add(claim, took_s, str(held) if is_number else "")
        return held

    def stays(self, claim: str, holds: Callable[[], object], for_s: float = STAYS_S) -> None:
        """Expect that it holds during the whole time."""
        began_s = time.monotonic()
        held = holds()
        while held and time.monotonic() - began_s < for_s:
            time.sleep(0.1)
            held = holds()
        self._add(claim, for_s if held else None)

    def __str__(self) -> str:
        missed = sum(row.took_s is None for row in self.rows)
        return f"{len(self.rows)} claims, {missed} missed"

    @property
    def holds(self) -> bool:
        """Whether something was claimed, and every claim held."""
        return bool(self.rows) and all(row.took_s is not None for row in self.rows)

    def _add(self, claim: str, took_s: float | None, seen: str = "") -> None:
        self.rows.append(Row(self.part, claim, took_s, seen))
        say(str(self.rows[-1]))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
