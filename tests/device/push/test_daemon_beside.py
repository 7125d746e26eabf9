"""Push beside a daemon: reports to it, has it acknowledge, and takes open alarms from it while it keeps no journal."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from device.commands import Acknowledge, Command, Outcome, PushReport
from device.runtime.sockets.command_socket import CommandServer
from device.runtime.sockets.status_socket import StatusServer
from tests.device.push.phone_services import PhoneServices
from tests.device.push.test_push_process import Stage, now_entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

EVERYTHING = '[[notify]]\naddress_file = "topic"\n'


class Daemon:
    """Its two sockets, and what was asked of it."""

    def __init__(self, folder: Path, state: DaemonState, closing: ExitStack) -> None:
        self.commands: list[Command] = []
        self.state = state
        closing.enter_context(StatusServer(folder / "status.sock", lambda: self.state))
        closing.enter_context(CommandServer(folder / "command.sock", self.execute))

    def execute(self, command: Command) -> Outcome:
        self.commands.append(command)
        return Outcome(done=True, sentence="acknowledged: cry (cry)")

    def reports(self) -> list[PushReport]:
        return [command for command in self.commands if isinstance(command, PushReport)]


@pytest.fixture
def daemon(tmp_path: Path, state: DaemonState) -> Iterator[Daemon]:
    with ExitStack() as closing:
        yield Daemon(tmp_path, dataclasses.replace(state, alarms=()), closing)


@pytest.fixture
def stage(tmp_path: Path, daemon: Daemon) -> Iterator[Stage]:
    assert daemon.commands == []
    with ExitStack() as closing:
        phone = closing.enter_context(PhoneServices())
        yield Stage(tmp_path, phone, closing)


def test_push_reports_what_is_owed_and_what_is_wrong(stage: Stage, daemon: Daemon) -> None:
    stage.phone.faults.extend([401] * 9)
    stage.journal.append([now_entry()])
    process = stage.begin(EVERYTHING)
    stage.turn_until(lambda: stage.lines)
    stage.turn_for(0.05)
    process._daemon._wake.set()  # it would report within 5 s by itself
    stage.turn_until(lambda: [report for report in daemon.reports() if report.fault])
    report = daemon.reports()[-1]
    assert (report.owed, report.rules) == (1, 1)
    assert report.fault == "phone: 127.0.0.1 refuses the token, or this topic needs one (HTTP 401)"


def test_a_press_on_the_phone_is_an_acknowledgement_of_whoever_pressed(stage: Stage, daemon: Daemon) -> None:
    stage.journal.append([now_entry()])
    stage.begin(EVERYTHING)
    (message,) = stage.shown(1)
    stage.phone.press(message)
    stage.skew_s = 20.0
    stage.turn_until(lambda: [each for each in daemon.commands if isinstance(each, Acknowledge)])
    (command,) = [each for each in daemon.commands if isinstance(each, Acknowledge)]
    assert command.alarm_id == "s-cry-cry-0"
    assert command.by.startswith("ntfy (")
    stage.turn_until(lambda: "ntfy: acknowledged: cry (cry)" in stage.lines)


def test_alarms_that_no_disk_has_are_sent_from_the_daemons_state_once(
    stage: Stage, daemon: Daemon, state: DaemonState
) -> None:
    daemon.state = dataclasses.replace(state, journal="the disk of the journal is full")
    stage.begin(EVERYTHING)
    (message,) = stage.shown(1)
    assert message["title"] == "anna: cry"
    assert "no disk has this alarm: if this message is lost, so is the alarm" in message["message"]
    stage.journal.append([now_entry("s-cry-cry-2"), now_entry("s-cry-cry-2", 1, "ended")])  # the disk is free again
    assert [each["title"] for each in stage.shown(2)] == ["anna: cry", "anna: cry: over"]


def test_the_watcher_is_called_while_the_daemon_hears_and_not_otherwise(
    stage: Stage, daemon: Daemon, state: DaemonState
) -> None:
    stage.write("watcher", f"{stage.phone.origin}/ping/4711")
    daemon.state = dataclasses.replace(state, hearing=False)
    process = stage.begin('[watcher]\nurl_file = "watcher"\n')
    stage.turn_for(1.2)
    assert stage.phone.pings == []
    daemon.state = state
    process._daemon._wake.set()
    stage.turn_until(lambda: stage.phone.pings == ["/ping/4711"])
