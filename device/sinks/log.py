"""A log of events, faults and notes, one JSON object per line, for programs; bounded, and intact after a power cut.

The keys, in this order, seconds and scores to six decimals; a number that is not finite is null:

    event      utc kind source event_id seq model label phase start_s end_s onset_s offset_s decided_s score priority
               reason verdict windows
    fault      utc kind source fault begins since_s at_s detail model
    happening  utc kind source happening detail

`utc` is the time of day with milliseconds (`2026-11-21T02:14:07.350Z`), `kind` the word in the first column,
`windows` the (start_s, probability) that decided.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import stat
from collections import deque
from typing import TYPE_CHECKING, Any

from device.daytime import utc_text
from device.messages import Event, Fault

if TYPE_CHECKING:
    from pathlib import Path

    from device.messages import Notice, OperationNote

_MODE = 0o640
_FOLDER_MODE = 0o750
_MAX_PENDING = 1000  # lines in memory while the disk refuses them; then the oldest are dropped
_DECIMALS = 6


class Log:
    """Appends lines to a file, each synced before the next; a file that would grow too large is rotated.

    `heard.jsonl` is the newest; `heard.jsonl.1` the one before, and so on. A line that cannot be written (a full
    or read-only disk) is counted, kept in memory and tried again before the next line. A line
    that a power cut truncated stays as it is; the next one begins on a line of its own.

    Args:
        path: of the newest file; its folder is created.
        max_bytes: largest size of a file, unless a single line is longer.
        keep: rotated files to keep beside the newest.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._descriptor: int | None = None
        self._size = 0
        self._pending: deque[bytes] = deque(maxlen=_MAX_PENDING)
        self._failed = 0

    def __repr__(self) -> str:
        return f"Log({str(self._path)!r}, {len(self._pending)} lines pending, {self._failed} failed)"

    @property
    def failed(self) -> int:
        """Lines that could not be written at once."""
        return self._failed

    def write(self, notice: Notice) -> None:
        """Write one line, after those that are pending."""
        self._pending.append(log_line(notice))
        if not self._write_pending():
            self._failed += 1

    def close(self) -> None:
        """Write what is pending, if the disk accepts it now, and close the file; idempotent."""
        self._write_pending()
        self._close_file()

    def _write_pending(self) -> bool:
        try:
            while self._pending:
                self._write(self._pending[0])
                self._pending.popleft()
        except OSError:
            self._close_file()  # and open it anew next time: it may be on another disk by then
            return False
        return True

    def _write(self, line: bytes) -> None:
        descriptor = self._open_file()
        if self._size and self._size + len(line) > self._max_bytes:
            self._close_file()
            self._rotate()
            descriptor = self._open_file()
        try:
            _write_all(descriptor, line)
            os.fdatasync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # remove the partial line
                os.ftruncate(descriptor, self._size)
            raise
        self._size += len(line)

    def _open_file(self) -> int:
        """Descriptor of the file, which ends with a complete line; of a new one if the file was removed."""
        if self._descriptor is not None and not _is_at(self._descriptor, self._path):
            self._close_file()
        if self._descriptor is None:
            self._path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            self._descriptor = os.open(self._path, flags, _MODE)
            self._size = _end_last_line(self._descriptor)
        return self._descriptor

    def _close_file(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _rotate(self) -> None:
        """Rename each file to the next number, the oldest first, so that a power cut in between loses none."""
        for number in range(self._keep, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._numbered(number - 1).replace(self._numbered(number))
        for surplus in self._path.parent.glob(f"{self._path.name}.*"):  # `keep` was larger before
            suffix = surplus.name.removeprefix(f"{self._path.name}.")
            if suffix.isascii() and suffix.isdecimal() and int(suffix) > self._keep:
                surplus.unlink(missing_ok=True)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _end_last_line(descriptor: int) -> int:
    """End the last line if a power cut truncated it; the size of the file.

    Raises:
        OSError: it cannot be read or written, or cannot be rotated: a pipe, a device.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "no regular file")
    if status.st_size and os.pread(descriptor, 1, status.st_size - 1) != b"\n":
        _write_all(descriptor, b"\n")
        return status.st_size + 1
    return status.st_size


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def log_line(notice: Notice) -> bytes:
    """A notice as one line of strict JSON; see the top of this module for its keys."""
    content = notice.content
    kind, fields = ("event", _event(notice, content)) if isinstance(content, Event) else _other(content)
    members = {"utc": utc_text(notice.utc_s, "milliseconds"), "kind": kind, "source": notice.source, **fields}
    text = json.dumps(members, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")  # a file name that is not UTF-8: \udcXX, as JSON allows


def _event(notice: Notice, event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "seq": event.seq,
        "model": event.model,
        "label": event.label,
        "phase": event.phase,
        "start_s": _number(event.start_s),
        "end_s": _number(event.end_s),
        "onset_s": _number(event.onset_s),
        "offset_s": _number(event.offset_s),
        "decided_s": _number(event.decided_s),
        "score": _number(event.score),
        "priority": notice.priority,
        "reason": event.reason,
        "verdict": event.verdict,
        "windows": [[_number(start_s), _number(probability)] for start_s, probability in event.windows],
    }


def _other(content: Fault | OperationNote) -> tuple[str, dict[str, Any]]:
    if not isinstance(content, Fault):
        return "happening", {"happening": content.kind, "detail": content.detail}
    return "fault", {
        "fault": content.kind,
        "begins": content.begins,
        "since_s": _number(content.since_s),
        "at_s": _number(content.at_s),
        "detail": content.detail,
        "model": content.model,
    }


def _number(value: float | None) -> float | None:
    """Six decimals; no negative zero, and None for what JSON cannot express."""
    return None if value is None or not math.isfinite(value) else round(float(value), _DECIMALS) + 0.0
