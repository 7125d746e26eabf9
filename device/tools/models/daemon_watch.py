"""A running daemon while it takes a new model: did it load it, and does it live on?

Asks through the daemon's local sockets, as `auricle status` does. Knows no file.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from device.errors import BundleError, ServiceError
from device.runtime.paths import command_socket
from device.runtime.sockets.command_socket import send_command
from device.runtime.sockets.status_socket import read_status

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

LOADED_WITHIN_S = 90.0
"""The trial alone may take 40 s, and a daemon that reloads already begins again."""

GONE_AFTER_S = 10.0
"""Without an answer: longer than a restart by systemd (2 s) and the start on a slow machine take to be seen."""

_POLL_S = 0.25


class DaemonWatch:
    """One daemon, from before the reload on.

    Args:
        status: its status socket.
        now: a monotonic clock, in seconds.
        sleep: waits so many seconds.

    Raises:
        ServiceError: it does not answer.
    """

    def __init__(
        self, status: Path, *, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._status, self._now, self._sleep = status, now, sleep
        self._before = read_status(status)
        self._answered_s = now()

    def __repr__(self) -> str:
        return f"DaemonWatch({str(self._status)!r})"

    def load(self, sha256: str, why: str) -> None:
        """Have the daemon read its models again, and wait until it runs the bundle with this hash.

        Raises:
            BundleError: it refuses the bundle, does not load it in time, or crashes.
            ServiceError: it takes no command.
        """
        self.reload(why)
        deadline_s = self._now() + LOADED_WITHIN_S
        while self._now() < deadline_s:
            state = self._living()
            if state is not None and state.reloads > self._before.reloads:
                if state.reload_refused:
                    raise BundleError(f"the daemon refused it: {state.reload_refused}")
                if sha256 in state.bundles:
                    return
            self._sleep(_POLL_S)
        raise BundleError(f"the daemon did not load it within {LOADED_WITHIN_S:g} s; auricle status tells what it does")

    def live(self, seconds: float) -> None:
        """Watch it for so long, and until it answers: a daemon that is silent at the end may have crashed just now.

        Raises:
            BundleError: it crashes, answers no more, or one of its networks fails.
        """
        ends_s = self._now() + seconds
        state: DaemonState | None = None
        while state is None or self._now() < ends_s:
            state = self._living()
            failed = [fault.detail for fault in state.faults if fault.kind == "classifier"] if state else []
            if failed:
                raise BundleError(f"a network fails in the daemon: {failed[0]}")
            self._sleep(_POLL_S)

    def reload(self, why: str) -> None:
        """Have it read its models again, and note why.

        Raises:
            ServiceError: it takes no command.
        """
        outcome = send_command(command_socket(self._status), "reload", {"why": why})
        if not outcome.done:
            raise ServiceError(outcome.sentence)

    def _living(self) -> DaemonState | None:
        """Its state; None while it does not answer, for a moment.

        Raises:
            BundleError: it was started anew, or has not answered for too long.
        """
        try:
            state = read_status(self._status)
        except ServiceError as error:
            silent_s = self._now() - self._answered_s
            if silent_s > GONE_AFTER_S:
                raise BundleError(f"the daemon ended or hangs with it: {error}") from None
            return None
        if (state.pid, state.started_utc_s) != (self._before.pid, self._before.started_utc_s):
            raise BundleError("the daemon crashed with it and was started anew")
        if not state.hangs:
            self._answered_s = self._now()
        elif self._now() - self._answered_s > GONE_AFTER_S:
            raise BundleError(f"the main loop of the daemon hangs with it, for {state.age_s:.0f} s")
        return state
