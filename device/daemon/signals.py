"""Requests to stop or reload the daemon, from signals or other threads.

A request only sets a flag, which the main loop reads each turn: a signal handler that did more could wait for a lock
that the interrupted code holds.
"""

from __future__ import annotations

import signal


class Requests:
    """What was requested so far. Requests are accepted before there is a loop to carry them out.

    Attributes:
        stop_wanted: the daemon is to end.
        reload_wanted: the configuration is to be read again.
    """

    def __init__(self) -> None:
        self.stop_wanted = False
        self.reload_wanted = False

    def __repr__(self) -> str:
        return f"Requests(stop_wanted={self.stop_wanted}, reload_wanted={self.reload_wanted})"

    def stop(self) -> None:
        """Request the end, from any thread or signal handler."""
        self.stop_wanted = True

    def reload(self) -> None:
        """Request a reload, from any thread or signal handler."""
        self.reload_wanted = True

    def pop_reload(self) -> bool:
        """Whether a reload was requested since the last call."""
        wanted, self.reload_wanted = self.reload_wanted, False
        return wanted

    def handle_signals(self) -> None:
        """Let SIGTERM and SIGINT request the end, and SIGHUP a reload; from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.stop())
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.reload())
