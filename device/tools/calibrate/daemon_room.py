"""Measures a room through the daemon that hears it already: the microphone has room for one alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from device.errors import CommandError
from device.runtime.paths import command_socket
from device.runtime.sockets.command_socket import send_command
from device.tools.calibrate.live_room import PLAYED_S
from device.tools.calibrate.progress_line import PLAYED, ROOM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from device.tools.calibrate.progress_line import ProgressLine

LOOKED_EVERY_S = 2.0
COUNTED_WITHIN_S = 120.0
"""How long the daemon may take for the result, on a small Pi that listens meanwhile."""


class DaemonRoom:
    """One measurement through a daemon.

    Args:
        status: its status socket.
        progress: shows how far it is.
        sleep: waits for some seconds.
    """

    def __init__(self, status: Path, progress: ProgressLine, sleep: Callable[[float], None] = time.sleep) -> None:
        self._socket = command_socket(status)
        self._progress = progress
        self._sleep = sleep

    def measure(self, room_s: float) -> Mapping[str, Any]:
        """Both parts, then the result: report, figures, fragment.

        Raises:
            CommandError: the daemon does not measure.
            ServiceError: it does not answer.
        """
        self._progress.say(ROOM)
        self._part("room", room_s)
        self._progress.say(PLAYED)
        self._part("played", PLAYED_S)
        self._ask(step="finish")
        for _ in range(round(COUNTED_WITHIN_S / LOOKED_EVERY_S)):
            result = self._ask(step="look").get("result")
            if isinstance(result, dict):
                return result
            self._sleep(LOOKED_EVERY_S / 4)
        raise CommandError(f"the daemon has no result after {COUNTED_WITHIN_S:g} s: see its log, and measure again")

    def _part(self, part: str, seconds: float) -> None:
        try:
            self._ask(step=part, seconds=seconds)
            while True:
                self._sleep(LOOKED_EVERY_S)
                moment = self._ask(step="look")
                if moment.get("part") != part:
                    raise CommandError("somebody else ended the measurement, or began another: begin again")
                heard_s = float(moment.get("seconds") or 0.0)
                self._progress.show(heard_s, seconds, moment.get("level_dbfs"), str(moment.get("problem") or ""))
                if heard_s >= seconds or moment.get("signal_is_over"):
                    break
        except KeyboardInterrupt:
            self._progress.interrupted()
        self._progress.end()

    def _ask(self, **payload: Any) -> Mapping[str, Any]:
        outcome = send_command(self._socket, "measure_room", payload)
        if not outcome.done:
            raise CommandError(outcome.sentence)
        return outcome.content or {}
