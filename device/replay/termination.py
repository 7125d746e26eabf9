"""A replay ends as a whole: on SIGTERM or SIGHUP, with its parent, and with all its workers.

Python's own reaction to SIGTERM runs no `finally`. Here the signal is an exception, so that files are cleaned up; a
worker ends when the process that started it does, however that ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from multiprocessing import active_children, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_CLEANING_S = 2.0


@contextlib.contextmanager
def ending_by_signal() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, with the exit code that a shell shows, while the block runs."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _exit) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_workers() -> None:
    """End all processes that this one started, first with time to clean up."""
    children = active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(_CLEANING_S)
        child.kill()
        child.join()


def prepare_worker() -> None:
    """In a worker: end on SIGTERM, ignore Ctrl-C, which its parent answers, and end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _SIGNALS:
        signal.signal(number, _exit)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _exit(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_CLEANING_S)
        os._exit(1)
