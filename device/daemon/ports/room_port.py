"""Measures the room for people on this machine, from what the daemon hears; passes all other commands on.

The steps of a measurement concern neither alarms nor the journal, so they are carried out in the socket's threads. The
main loop hands over what it heard, and never waits. The result is worked out in a thread of its own, which takes some
seconds on a small Pi; whoever asked looks until it is there.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

from device.calibration.opened_models import room_models
from device.calibration.room_measure import measure_room
from device.calibration.room_report import room_json, room_text, room_toml
from device.commands import MeasureRoom, Outcome
from device.errors import AuricleError

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.commands import Command
    from device.daemon.audio.listening import ModelRunner
    from device.daemon.main_loop import MainLoop

_RELOADED = "the configuration was read again meanwhile: begin the measurement again"


class RoomPort:
    """Carries out the steps of a measurement.

    Args:
        loop: that hears.
        others: carries out any other command; from any thread but the loop's.
    """

    def __init__(self, loop: MainLoop, others: Callable[[Command], Outcome]) -> None:
        self._loop = loop
        self._others = others
        self._lock = threading.Lock()
        self._runner: ModelRunner | None = None  # that heard the measurement's beginning
        self._result: dict[str, Any] | None = None
        self._problem = ""

    def __repr__(self) -> str:
        return f"RoomPort({self._loop.room_watch!r})"

    def execute(self, command: Command) -> Outcome:
        """Carry a command out; raises what `others` raises."""
        if not isinstance(command, MeasureRoom):
            return self._others(command)
        with self._lock:
            return self._carried_out(command)

    def _carried_out(self, command: MeasureRoom) -> Outcome:
        watch = self._loop.room_watch
        if command.step in {"room", "played"}:
            if command.step == "room" or watch.moment().part == "nothing":
                self._runner = self._loop.parts.runner
            self._result, self._problem = None, ""
            watch.begin("room" if command.step == "room" else "played", command.seconds)
            return Outcome(done=True, sentence="it is measured from now on")
        if command.step == "stop":
            watch.end()
            return Outcome(done=True, sentence="the measurement is over")
        if command.step == "look":
            return self._looked()
        if watch.moment().part == "nothing":
            return Outcome(done=False, sentence="nothing is measured: begin with the room")
        threading.Thread(target=self._work_out, name="room", daemon=True).start()
        return Outcome(done=True, sentence="the result is worked out")

    def _looked(self) -> Outcome:
        if self._problem:
            return Outcome(done=False, sentence=self._problem)
        moment = dataclasses.asdict(self._loop.room_watch.moment())
        return Outcome(done=True, sentence="so far", content={**moment, "result": self._result})

    def _work_out(self) -> None:
        try:
            room, played = self._loop.room_watch.end()
            runner = self._loop.parts.runner
            if runner is not self._runner:
                self._problem = _RELOADED
                return
            measure = measure_room(room, played, room_models(runner.settings, runner.models))
            self._result = {
                "report": room_text(measure),
                "fragment": room_toml(measure),
                "figures": room_json(measure),
            }
        except AuricleError as error:
            self._problem = str(error)
        except Exception as error:  # noqa: BLE001 - whoever looks must learn why there is no result
            self._problem = f"the result could not be worked out: {type(error).__name__}: {error}"
