"""The verbs that command a running daemon: which daemon, which alarm, and what comes of it."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from device.__main__ import main
from device.commands import Acknowledge, Outcome, Pause, Resume, SelfTest, SetMode
from device.runtime.daemon_state import AlarmStatus
from device.runtime.sockets.command_socket import CommandServer
from device.runtime.sockets.status_socket import StatusServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.commands import Command
    from device.runtime.daemon_state import DaemonState


def _alarm(alarm_id: str, name: str, model: str) -> AlarmStatus:
    return AlarmStatus(alarm_id, "sound" if model else "technical", name, model, "high", "active", False, "loud")


ALARMS = (_alarm("a-0", "cry", "cry"), _alarm("b-0", "cry", "other"), _alarm("c-0", "broker", ""))


@pytest.fixture
def start(
    tmp_path: Path, state: DaemonState, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], list[Command]]]:
    """Starts a daemon of some name, which does all but resume; returns the list of what it was told."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    with ExitStack() as running:

        def start(name: str) -> list[Command]:
            commands: list[Command] = []

            def execute(command: Command) -> Outcome:
                commands.append(dataclasses.replace(command, by="me"))
                return Outcome(not isinstance(command, Resume), f"{name} answers")

            status = tmp_path / "auricle" / name / "status.sock"
            running.enter_context(StatusServer(status, lambda: dataclasses.replace(state, alarms=ALARMS)))
            running.enter_context(CommandServer(status.with_name("command.sock"), execute))
            return commands

        yield start


def _said(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    captured = capfd.readouterr()
    return code, captured.out, captured.err


def test_the_only_daemon_need_not_be_named(
    start: Callable[[str], list[Command]], capfd: pytest.CaptureFixture[str]
) -> None:
    commands = start("anna")
    assert _said(capfd, "pause", "10") == (0, "anna answers\n", "")
    assert _said(capfd, "acknowledge") == (0, "anna answers\n", "")
    assert _said(capfd, "self-test") == (0, "anna answers\n", "")
    assert commands == [Pause(600.0, "me"), Acknowledge(None, "me"), SelfTest("me")]


def test_what_the_daemon_did_not_do_is_one_sentence_and_exit_code_2(
    start: Callable[[str], list[Command]], capfd: pytest.CaptureFixture[str]
) -> None:
    start("anna")
    assert _said(capfd, "resume") == (2, "", "auricle: anna answers\n")


def test_of_several_daemons_one_must_be_named(
    start: Callable[[str], list[Command]], capfd: pytest.CaptureFixture[str]
) -> None:
    anna, ben = start("anna"), start("ben")
    expected = "auricle: several daemons run here, anna and ben: name one with --instance\n"
    assert _said(capfd, "pause", "10") == (2, "", expected)
    assert _said(capfd, "pause", "10", "--instance", "ben") == (0, "ben answers\n", "")
    assert (anna, ben) == ([], [Pause(600.0, "me")])


def test_a_daemon_that_crashed_and_left_its_socket_need_not_be_told_apart(
    start: Callable[[str], list[Command]], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    commands = start("anna")
    (tmp_path / "auricle" / "ben").mkdir()
    (tmp_path / "auricle" / "ben" / "status.sock").touch()
    assert _said(capfd, "pause", "10")[0] == 0
    assert len(commands) == 1


@pytest.mark.parametrize(("named", "alarm_id"), [("a-0", "a-0"), ("broker", "c-0"), ("cry (other)", "b-0")])
def test_an_alarm_is_named_by_its_id_or_as_status_shows_it(
    start: Callable[[str], list[Command]], capfd: pytest.CaptureFixture[str], named: str, alarm_id: str
) -> None:
    commands = start("anna")
    assert _said(capfd, "acknowledge", named)[0] == 0
    assert commands == [Acknowledge(alarm_id, "me")]


def test_an_ambiguous_alarm_is_answered_with_the_ids_and_an_unknown_one_is_for_the_daemon_to_judge(
    start: Callable[[str], list[Command]], capfd: pytest.CaptureFixture[str]
) -> None:
    commands = start("anna")
    sentence = 'several open alarms are named "cry": give the id, a-0 or b-0'
    assert _said(capfd, "acknowledge", "cry") == (2, "", f"auricle: {sentence}\n")
    assert _said(capfd, "acknowledge", "scream")[0] == 0
    assert commands == [Acknowledge("scream", "me")]


@pytest.mark.parametrize("minutes", ["0", "-1", "121", "nan", "five"])
def test_minutes_are_a_number_that_a_pause_may_have(minutes: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pause", "--", minutes])
    assert ended.value.code == 2
    assert "is no number of minutes, up to 120" in capfd.readouterr().err


def test_without_a_daemon_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert _said(capfd, "resume") == (2, "", "auricle: no daemon runs here; auricle listen starts one\n")


def test_a_mode_is_set_by_label(start: Callable[[str], list[Command]], capfd: pytest.CaptureFixture[str]) -> None:
    commands = start("anna")
    assert _said(capfd, "mode", "cry", "log") == (0, "anna answers\n", "")
    assert commands == [SetMode("cry", "log", "me")]
