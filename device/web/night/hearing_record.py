"""When there was hearing, minute by minute: what the page itself saw, kept for some weeks. Knows no clock.

A day is a file of 1440 bytes, one for each minute of UTC: 0 where nobody asked, else 1 plus the percentage of answers
that said that a cry would be detected. What the page did not see, because it did not run, stays unknown and is never
shown as heard.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

KEPT_DAYS = 30
MINUTES = 1440
_WRITE_EVERY = 5  # minutes: an SD card wears out
_LEAST_ANSWERS = 10  # of a minute that counts


@dataclass(frozen=True, slots=True)
class HearingSpan:
    """Minutes of one kind, one after the other.

    Attributes:
        from_utc_s: begin.
        until_utc_s: end.
        share: of the answers that said that it hears, in [0, 1]; None where nobody asked.
    """

    from_utc_s: float
    until_utc_s: float
    share: float | None


class HearingRecord:
    """Records what is asked anyway.

    Args:
        folder: of its files; None to keep nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._days: dict[str, bytearray] = {}
        self._minute = -1
        self._asked = self._heard = 0
        self._unwritten: list[str] = []  # the day of each minute

    def __repr__(self) -> str:
        return f"HearingRecord({str(self._folder)!r})"

    def add(self, utc_s: float, *, hears: bool) -> None:
        """Count one answer, or the lack of one."""
        minute = int(utc_s // 60)
        if minute != self._minute:
            self._finish_minute()
            self._minute, self._asked, self._heard = minute, 0, 0
        self._asked += 1
        self._heard += hears

    def flush(self) -> None:
        """Write what is known, the minute that runs included."""
        self._finish_minute()
        self._write()

    def spans(self, from_utc_s: float, until_utc_s: float) -> list[HearingSpan]:
        """The stretches of a time, without gaps: heard, not heard or unknown."""
        spans: list[HearingSpan] = []
        for minute in range(int(from_utc_s // 60), int(-(-until_utc_s // 60))):
            value = self._value(minute)
            share = None if value == 0 else (value - 1) / 100
            if spans and spans[-1].share == share:
                spans[-1] = HearingSpan(spans[-1].from_utc_s, 60.0 * (minute + 1), share)
            else:
                spans.append(HearingSpan(60.0 * minute, 60.0 * (minute + 1), share))
        return spans

    def _finish_minute(self) -> None:
        if self._asked < _LEAST_ANSWERS:
            return
        day, index = _place(self._minute)
        self._day(day)[index] = 1 + 100 * self._heard // self._asked
        self._unwritten.append(day)
        if len(self._unwritten) >= _WRITE_EVERY:
            self._write()

    def _value(self, minute: int) -> int:
        day, index = _place(minute)
        return self._day(day)[index]

    def _day(self, day: str) -> bytearray:
        if day not in self._days:
            kept = {*self._unwritten, _place(max(0, self._minute))[0]}
            for old in [each for each in self._days if each not in kept]:
                del self._days[old]
            self._days[day] = _read(self._path(day))
        return self._days[day]

    def _write(self) -> None:
        for day in dict.fromkeys(self._unwritten):
            path = self._path(day)
            if path is None:
                continue
            with contextlib.suppress(OSError):  # a full disk costs the record of these minutes
                path.parent.mkdir(mode=0o700, exist_ok=True)
                path.write_bytes(bytes(self._day(day)))
                self._remove_old(day)
        self._unwritten.clear()

    def _remove_old(self, newest: str) -> None:
        first = (datetime.fromisoformat(newest) - timedelta(days=KEPT_DAYS)).strftime("%Y-%m-%d")
        for path in Path(self._folder or ".").glob("heard-[0-9]*.bin"):
            if path.stem.removeprefix("heard-") < first:
                path.unlink(missing_ok=True)

    def _path(self, day: str) -> Path | None:
        return None if self._folder is None else self._folder / f"heard-{day}.bin"


def _place(minute: int) -> tuple[str, int]:
    """The day of a minute since 1970, and its index within."""
    return datetime.fromtimestamp(60.0 * minute, UTC).strftime("%Y-%m-%d"), minute % MINUTES


def _read(path: Path | None) -> bytearray:
    data = b""
    if path is not None:
        with contextlib.suppress(OSError):
            data = path.read_bytes()
    sound = len(data) == MINUTES and max(data) <= 101
    return bytearray(data) if sound else bytearray(MINUTES)
