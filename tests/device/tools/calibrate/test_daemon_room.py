"""A measurement through a daemon: its parts, Ctrl-C, and what is said if it is refused or taken over."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from device.commands import Command, MeasureRoom, Outcome
from device.errors import CommandError, ServiceError
from device.runtime.sockets.command_socket import CommandServer
from device.runtime.sockets.status_socket import is_served
from device.tools.calibrate.daemon_room import DaemonRoom
from device.tools.calibrate.progress_line import ProgressLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class ScriptedDaemon:
    """Answers the steps of a measurement: each part is over at its third look."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float | None]] = []
        self.part = "nothing"
        self.looks = 0
        self.refusal = ""

    def execute(self, command: Command) -> Outcome:
        assert isinstance(command, MeasureRoom)
        if self.refusal:
            return Outcome(False, self.refusal)
        if command.step == "look":
            self.looks += 1
            return Outcome(True, "so far", self._moment())
        self.steps.append((command.step, command.seconds))
        self.part, self.looks = command.step if command.step in {"room", "played"} else "nothing", 0
        return Outcome(True, "done")

    def _moment(self) -> dict[str, Any]:
        seconds = 10.0 * self.looks
        is_over = self.part == "played" and self.looks == 3
        result = {"report": "r", "fragment": "f"} if self.part == "nothing" and self.looks == 2 else None
        moment = {"part": self.part, "seconds": seconds, "level_dbfs": -50.0, "problem": "", "signal_is_over": is_over}
        return {**moment, "result": result}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[ScriptedDaemon]:
    scripted = ScriptedDaemon()
    with CommandServer(tmp_path / "command.sock", scripted.execute):
        yield scripted


def test_both_parts_are_waited_for_then_the_result(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    said = io.StringIO()
    room = DaemonRoom(tmp_path / "status.sock", ProgressLine(said), sleep=lambda _s: None)
    assert room.measure(30.0) == {"report": "r", "fragment": "f"}
    assert daemon.steps == [("room", 30.0), ("played", 180.0), ("finish", None)]
    assert [line[:6] for line in said.getvalue().splitlines()] == ["1 of 2", "2 of 2"]


def test_ctrl_c_ends_a_part_and_keeps_it(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    naps = 0

    def sleep(_s: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 2:
            raise KeyboardInterrupt

    said = io.StringIO()
    room = DaemonRoom(tmp_path / "status.sock", ProgressLine(said), sleep=sleep)
    assert room.measure(600.0)["report"] == "r"
    assert [step for step, _ in daemon.steps] == ["room", "played", "finish"]
    assert "Interrupted: what was measured is kept." in said.getvalue()


def test_a_refusal_is_its_sentence(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    daemon.refusal = "the configuration was read again meanwhile: begin the measurement again"
    room = DaemonRoom(tmp_path / "status.sock", ProgressLine(io.StringIO()), sleep=lambda _s: None)
    with pytest.raises(CommandError, match="read again meanwhile"):
        room.measure(60.0)


def test_a_measurement_that_somebody_else_ends_is_said(daemon: ScriptedDaemon, tmp_path: Path) -> None:
    def sleep(_s: float) -> None:
        daemon.part = "nothing"

    room = DaemonRoom(tmp_path / "status.sock", ProgressLine(io.StringIO()), sleep=sleep)
    with pytest.raises(CommandError, match="somebody else ended the measurement"):
        room.measure(60.0)


def test_a_socket_that_nobody_serves_or_that_is_not_there_is_not_taken_for_a_daemon(tmp_path: Path) -> None:
    assert not is_served(tmp_path / "status.sock")
    with CommandServer(tmp_path / "status.sock", lambda _command: Outcome(True, "")):
        (tmp_path / "left.sock").hardlink_to(tmp_path / "status.sock")
    assert not is_served(tmp_path / "left.sock")
    with pytest.raises(ServiceError, match="no daemon takes commands"):
        DaemonRoom(tmp_path / "status.sock", ProgressLine(io.StringIO())).measure(60.0)
