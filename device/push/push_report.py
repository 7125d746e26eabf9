"""What push reports about itself: to its log when it changes, and to the daemon, which raises a fault from it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.commands import MAX_SENTENCE_CHARACTERS
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAULT_AFTER_S = 30.0
"""A router that restarts takes longer; what only people can correct is a fault at once."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that keeps push from its work.

    Attributes:
        of: the rule, or the part, that has it.
        sentence: why, without what is secret.
        lasted_s: for how long.
        lasts: it will not pass by itself.
    """

    of: str
    sentence: str
    lasted_s: float
    lasts: bool = False

    @property
    def is_fault(self) -> bool:
        """Whether people should know."""
        return self.lasts or self.lasted_s >= FAULT_AFTER_S


class PushReport:
    """The newest state of affairs; read from any thread.

    Args:
        write_line: receives a line whenever a trouble begins, changes or is over.
    """

    def __init__(self, write_line: Callable[[str], None]) -> None:
        self._write_line = write_line
        self._lock = threading.Lock()
        self._troubles: dict[str, str] = {}
        self._fault = ""
        self._owed = self._rules = 0

    def __repr__(self) -> str:
        return f"PushReport({self._owed} owed, {self._fault or 'no fault'})"

    def update(self, troubles: Sequence[Trouble], owed: int, rules: int) -> None:
        """Apply the current troubles, and how many changes are owed to how many rules."""
        now = {trouble.of: trouble.sentence for trouble in troubles}
        for of, sentence in now.items():
            if self._troubles.get(of) != sentence:
                self._write_line(f"{of}: {sentence}")
        for of in self._troubles.keys() - now.keys():
            self._write_line(f"{of}: all is well again")
        faults = [f"{trouble.of}: {trouble.sentence}" for trouble in troubles if trouble.is_fault]
        with self._lock:
            self._troubles = now
            self._fault = "; ".join(faults).encode("ascii", "replace").decode()[:MAX_SENTENCE_CHARACTERS]
            self._owed, self._rules = owed, rules

    def as_payload(self) -> dict[str, object]:
        """The report as the daemon takes it."""
        with self._lock:
            return {"owed": self._owed, "rules": self._rules, "fault": self._fault}

    def __str__(self) -> str:
        owed = quantity(self._owed, "change is", "changes are") if self._owed else "nothing is"
        return f"{quantity(self._rules, 'rule')}, {owed} owed{self._fault and f'; {self._fault}'}"
