"""Writes one line per notice, for people: when, where, how urgent, what.

`2026-11-21T02:14:07.350Z  usb:0d8c:0014  HIGH  cry begins (0.97; since 02:14:05.8)`
"""

from __future__ import annotations

import io
import os
import select
from types import MappingProxyType
from typing import TYPE_CHECKING

from device.daytime import utc_text
from device.fault_info import WHY_LOST
from device.messages import Event, Fault
from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from device.messages import Notice, OperationNote

_COLOURS: Mapping[str, str] = MappingProxyType({"HIGH": "1;31", "MEDIUM": "33", "LOW": "36", "FAULT": "1;35"})


class Console:
    """Writes notices to a stream, each line at once.

    If the stream refuses a line (a broken pipe), the line is lost and counted, and the stream is tried again with the
    next one. A stream that accepts nothing blocks the caller, which is therefore a `SinkWorker`.

    Args:
        stream: usually standard output. Its descriptor is written to directly, not through Python's buffer: a thread
            that hangs would hold the buffer's lock and keep the process from ending.
        environment: NO_COLOR in it turns colours off.
    """

    def __init__(self, stream: TextIO, *, environment: Mapping[str, str] = os.environ) -> None:
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._colours = stream.isatty() and not environment.get("NO_COLOR")
        self._failed = 0

    def __repr__(self) -> str:
        return f"Console({getattr(self._stream, 'name', 'a stream')!r}, {self._failed} lines failed)"

    @property
    def failed(self) -> int:
        """Lines that the stream refused."""
        return self._failed

    def write(self, notice: Notice) -> None:
        """Write one line."""
        try:
            self._write(f"{line(notice, colours=self._colours)}\n")
        except (OSError, ValueError):  # broken, or closed
            self._failed += 1

    def close(self) -> None:
        """Nothing to do: each line is written at once, and the stream is not ours."""

    def _write(self, text: str) -> None:
        if self._descriptor is None:
            self._stream.write(text)
        else:
            _write_all(self._descriptor, text.encode(self._stream.encoding, "backslashreplace"))


def line(notice: Notice, *, colours: bool = False) -> str:
    """A notice in words, on one line, whatever it contains."""
    word, text = _event(notice, notice.content) if isinstance(notice.content, Event) else _other(notice, notice.content)
    if colours and word in _COLOURS:
        word = f"\x1b[{_COLOURS[word]}m{word}\x1b[0m"
    return f"{utc_text(notice.utc_s, 'milliseconds')}  {printable(notice.source)}  {word}  {printable(text)}"


def _event(notice: Notice, event: Event) -> tuple[str, str]:
    word = (notice.priority or "info").upper()
    score, since = f"{event.score:.2f}", _daytime(notice.since_utc_s)
    if event.phase != "end":
        return word, f"{event.label} begins{' again' if event.phase == 'reopen' else ''} ({score}; since {since})"
    length = f"since {since}" if event.ended_s is None else f"for {event.ended_s - event.began_s:.1f} s"
    verdict = "" if event.verdict is None else f"; verdict {event.verdict}"
    if event.reason == "quiet":
        return word, f"{event.label} ends ({score}; {length}{verdict})"
    why = WHY_LOST.get(event.reason, event.reason)
    return word, f"{event.label} is followed no more and may go on: {why} ({score}; {length}{verdict})"


def _other(notice: Notice, content: Fault | OperationNote) -> tuple[str, str]:
    if not isinstance(content, Fault):
        return "note", f"{content.kind.replace('_', ' ')}: {content.detail}"
    about = f"{content.kind} of {content.model}" if content.model else content.kind
    if not content.begins:
        return "over", f"{about}: {content.detail}"
    return "FAULT", f"{about}: {content.detail} (since {_daytime(notice.since_utc_s)})"


def _daytime(utc_s: float) -> str:
    """`02:14:05.8`."""
    return utc_text(utc_s, "milliseconds")[11:21]


def _descriptor(stream: TextIO) -> int | None:
    """File descriptor of a stream; None for one in memory."""
    try:
        return stream.fileno()
    except (io.UnsupportedOperation, ValueError):
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # made non-blocking by another process, as a shell does with a shared terminal
            select.select([], [descriptor], [])
