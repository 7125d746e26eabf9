"""Whether the system clock is synchronized, according to the kernel and systemd; read only.

The service may not ask the kernel (ProtectClock=), so systemd's own client is asked first, by a file. Therefore a
daemon asks in a thread of its own.
"""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path("/")

CHECK_EVERY_S = 5.0

_JOIN_S = 2.0
_TIME_ERROR = 5  # returned by adjtimex(2) while nothing disciplines the clock
_TIMEX_BYTES = 512  # more than struct timex takes on any machine; all zeros change nothing


def kernel_clock_is_synchronized() -> bool:
    """Whether something disciplines the clock, as the kernel sees it: adjtimex(2).

    Raises:
        OSError: the kernel refuses the query.
    """
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return bool(state != _TIME_ERROR)


def timesyncd_has_set_it(root: Path = ROOT) -> bool:
    """Whether systemd's own time client has reached a server since the start of this machine."""
    return (root / "run/systemd/timesync/synchronized").exists()


def clock_is_synchronized() -> bool:
    """Whether systemd or the kernel calls the clock synchronized; False if neither can be asked."""
    try:
        return timesyncd_has_set_it() or kernel_clock_is_synchronized()
    except OSError:
        return False


class ClockWatch:
    """Asks every `CHECK_EVERY_S` whether the clock is synchronized, in a thread of its own; a context manager.

    Args:
        query: may wait for a disk.
        every_s: from one query to the next.

    Attributes:
        is_synchronized: the newest answer; False before the first.
    """

    def __init__(self, query: Callable[[], bool] = clock_is_synchronized, *, every_s: float = CHECK_EVERY_S) -> None:
        self.is_synchronized = False
        self._query = query
        self._every_s = every_s
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="clock", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"ClockWatch({'synchronized' if self.is_synchronized else 'unsynchronized'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread; idempotent."""
        self._closed.set()
        self._thread.join(_JOIN_S)

    def _watch(self) -> None:
        while True:
            self.is_synchronized = self._query()
            if self._closed.wait(self._every_s):
                return
