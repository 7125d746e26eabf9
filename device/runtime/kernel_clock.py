"""Whether the system clock is synchronized, according to the kernel and systemd; read only."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

ROOT = Path("/")

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
    """Whether systemd or the kernel calls the clock synchronized; False if neither can be asked.

    The service may not ask the kernel (ProtectClock=), so systemd's own client is asked first.
    """
    try:
        return timesyncd_has_set_it() or kernel_clock_is_synchronized()
    except OSError:
        return False
