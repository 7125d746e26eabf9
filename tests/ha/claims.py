"""A table of claims: each came true within its time, or did not."""

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
"""What must not happen has so long to happen."""


@dataclass(frozen=True, slots=True)
class Row:
    """A claim, and whether it came true.

    Attributes:
        part: of the trial.
        claim: what was to be seen.
        took_s: until it was; None where it was not.
        seen: the number that was seen, where one was asked for.
    """

    part: str
    claim: str
    took_s: float | None
    seen: str = ""

    def __str__(self) -> str:
        told = "MISSED" if self.took_s is None else f"{self.took_s:5.1f} s"
        return f"{told:7}  {self.part:34}  {self.claim}{f': {self.seen}' if self.seen else ''}"


@dataclass(slots=True)
class Table:
    """Collects rows, and prints each as it comes.

    Attributes:
        part: of the trial, for the rows to come.
        rows: so far.
    """

    part: str = ""
    rows: list[Row] = field(default_factory=list)

    def want(self, claim: str, holds: Callable[[], object], within_s: float = SOON_S) -> Any:
        """Ask until it holds, which is returned, or the time is over: then it is missed, and the trial goes on."""
        began_s = time.monotonic()
        while not (held := holds()) and time.monotonic() - began_s < within_s:
            time.sleep(0.1)
        took_s = time.monotonic() - began_s if held else None
        is_number = isinstance(held, int | float) and not isinstance(held, bool)
        self._add(claim, took_s, str(held) if is_number else "")
        return held

    def stays(self, claim: str, holds: Callable[[], object], for_s: float = STAYS_S) -> None:
        """It must hold all the time."""
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
        """Whether something was claimed, and all came true."""
        return bool(self.rows) and all(row.took_s is not None for row in self.rows)

    def _add(self, claim: str, took_s: float | None, seen: str = "") -> None:
        self.rows.append(Row(self.part, claim, took_s, seen))
        say(str(self.rows[-1]))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
