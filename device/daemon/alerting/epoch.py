"""A number that grows with every start of a daemon, although its clock may go back and its disk may refuse writes.

The seq of a restored alarm continues from it: what the last life published may not be in the journal, and receivers
ignore a seq that is lower than one that they have seen. The number is in seconds, and is at least

- the time of day, which alone survives a reboot without a disk,
- the number of the last start and the time since then, which a file in the runtime folder keeps: that is memory, and
  survives restarts, but no reboot,
- the number in the journal's note, which survives both, and the time since the boot, which no clock step changes.

So it fails to grow only if all fail at once: a reboot, with a disk that refuses writes, and a clock that went back.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = "epoch"
"""Key of the journal note with the number of the last start."""

CHANGES_PER_S = 10
"""No alarm changes more often: so many numbers are left free for each second."""

_ORIGIN_UTC_S = 1_704_067_200  # 2024-01-01: keeps the numbers small
_UNKNOWN_S = 1000  # left out if nothing says how much time has passed
_FILE = "epoch.json"


@dataclass(frozen=True, slots=True)
class Epoch:
    """Of one start.

    Attributes:
        number: in seconds.
        uptime_s: since the boot of the machine.
    """

    number: int
    uptime_s: int

    @classmethod
    def at_start(cls, folder: Path, *, utc_s: float, uptime_s: float) -> Epoch:
        """The epoch of a daemon that starts now; kept in `folder` for the next one, if that can be written.

        Args:
            folder: survives restarts, better not a disk.
            utc_s: now.
            uptime_s: since the boot, by a clock that nobody can set.
        """
        last, uptime = _read(folder / _FILE), int(uptime_s)
        number = max(int(utc_s) - _ORIGIN_UTC_S, uptime)
        if last is not None:
            passed_s = uptime - last.uptime_s
            number = max(number, last.number + (max(1, passed_s) if passed_s >= 0 else _UNKNOWN_S))
        epoch = cls(number, uptime)
        _write(folder / _FILE, epoch)
        return epoch

    def after(self, note: str | None) -> Epoch:
        """This epoch, after that of the journal's note, which may be missing or malformed."""
        try:
            noted = int(note or 0)
        except ValueError:
            noted = 0
        return Epoch(max(self.number, noted + _UNKNOWN_S + self.uptime_s), self.uptime_s)

    def continue_seq(self, seq: int) -> int:
        """From where the seq of an alarm continues, whose last known one is `seq`: further with each start."""
        return max(seq + CHANGES_PER_S * self.uptime_s, CHANGES_PER_S * self.number)


def _read(path: Path) -> Epoch | None:
    try:
        members = json.loads(path.read_bytes())
        return Epoch(int(members["number"]), int(members["uptime_s"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(path: Path, epoch: Epoch) -> None:
    new = path.with_suffix(".new")
    with contextlib.suppress(OSError):  # then the other sources must do
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps({"number": epoch.number, "uptime_s": epoch.uptime_s}))
        new.replace(path)
