"""The command socket: who is let in, what is refused, and clients that hang, talk too much or come in crowds."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from device.commands import Acknowledge, Outcome, Pause, Resume
from device.errors import CommandError, ServiceError
from device.runtime.sockets import command_socket
from device.runtime.sockets.command_socket import MAX_CLIENTS_OF_ONE_USER, CommandServer, peer_of, send_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.commands import Command

_SOON_S = 20.0


class Daemon:
    """Carries out every command, and remembers it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commands: list[Command] = []
        self.gate = threading.Event()
        self.gate.set()

    def execute(self, command: Command) -> Outcome:
        assert self.gate.wait(_SOON_S)
        self.commands.append(command)
        if isinstance(command, Resume):
            raise CommandError("it hangs")
        return Outcome(done=True, sentence="it is done")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path / "run" / "anna" / "command.sock")
    with CommandServer(daemon.path, daemon.execute):
        yield daemon


def _raw(path: Path, request: bytes) -> dict[str, object] | None:
    """The answer to whatever bytes; None for none."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_SOON_S)
        client.connect(str(path))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(request)
        try:
            data = b"".join(iter(lambda: client.recv(4096), b""))
        except ConnectionResetError:
            return None
    return json.loads(data) if data else None


def test_a_command_is_carried_out_in_the_name_that_the_kernel_knows(daemon: Daemon) -> None:
    assert send_command(daemon.path, "pause", {"duration_s": 60}) == Outcome(done=True, sentence="it is done")
    assert send_command(daemon.path, "acknowledge", {"alarm_id": "a"}).done
    ours, theirs = socket.socketpair()
    with ours, theirs:
        me = peer_of(ours)
    assert me.uid == os.geteuid()
    assert os.getegid() in me.groups
    assert daemon.commands == [Pause(60.0, me.name), Acknowledge("a", me.name)]


def test_a_page_asks_for_a_person_who_is_named_beside_its_own_user(daemon: Daemon) -> None:
    assert send_command(daemon.path, "acknowledge", {}, person="anna").done
    (command,) = daemon.commands
    assert command.by == f"anna ({pwd.getpwuid(os.geteuid()).pw_name})"
    for person in ("a" * 65, "an\nna", "an\u202ena"):
        outcome = send_command(daemon.path, "acknowledge", {}, person=person)
        assert outcome == Outcome(done=False, sentence="person must be a name of at most 64 characters")
    assert len(daemon.commands) == 1


def test_the_socket_is_open_to_owner_and_group_alone_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "command.sock"
    with CommandServer(path, Daemon(path).execute):
        assert path.stat().st_mode & 0o777 == 0o660
    assert not path.exists()
    with pytest.raises(ServiceError, match=r"no daemon takes commands at .*command\.sock"):
        send_command(path, "resume", {})


def test_a_command_that_fails_says_why(daemon: Daemon) -> None:
    assert send_command(daemon.path, "resume", {}) == Outcome(done=False, sentence="it hangs")


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (b"GET / HTTP/1.1\n", "a command is no JSON that can be trusted"),
        (b"[]\n", "a command is no JSON object"),
        (b'{"version":2,"command":"resume"}\n', "this daemon takes commands in version 1: use its own auricle"),
        (b'{"version":1,"command":"reboot"}\n', "'reboot' is no command"),
        (b'{"version":1,"command":"pause","payload":{"duration_s":99999}}\n', "duration_s must be a number"),
        (b'{"version":1,"command":"resume","by":"root"}\n', "a command holds version, command, payload and person"),
        (b'{"version":1,"command":["resume"]}\n', "a command holds version, command, payload and person"),
        (b"x" * 100_000, "a command may have 1024 bytes, this one has more"),
        (b'{"version":1,"command":"resume","command":"pause"}\n', "a command is no JSON that can be trusted"),
    ],
)
def test_what_is_no_command_is_refused_in_one_sentence_and_changes_nothing(
    daemon: Daemon, request_: bytes, why: str
) -> None:
    answer = _raw(daemon.path, request_)
    if answer is None:  # closed while we were still sending
        assert len(request_) > 4096
    else:
        assert answer["done"] is False
        assert why in str(answer["sentence"])
    assert daemon.commands == []
    assert send_command(daemon.path, "pause", {"duration_s": 1}).done


def test_clients_that_hang_or_trickle_delay_a_command_by_a_second_at_most(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_socket, "MAX_CLIENTS_OF_ONE_USER", 1000)  # as if each came from another user
    with contextlib.ExitStack() as opened:
        for _ in range(40):
            opened.enter_context(socket.socket(socket.AF_UNIX)).connect(str(daemon.path))
        began_s = time.monotonic()
        assert send_command(daemon.path, "pause", {"duration_s": 1}).done
        assert time.monotonic() - began_s < command_socket.ANSWER_WITHIN_S


def test_one_user_cannot_occupy_the_daemon(daemon: Daemon) -> None:
    daemon.gate.clear()
    done: list[Outcome] = []
    threads = [
        threading.Thread(target=lambda: done.append(send_command(daemon.path, "pause", {"duration_s": 1})))
        for _ in range(MAX_CLIENTS_OF_ONE_USER)
    ]
    for thread in threads:
        thread.start()
    deadline_s = time.monotonic() + _SOON_S
    while sum(thread.name == "command" for thread in threading.enumerate()) < MAX_CLIENTS_OF_ONE_USER:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    with pytest.raises(ServiceError, match="is stopping, or has too many commands to carry out: ask again"):
        send_command(daemon.path, "pause", {"duration_s": 1})
    daemon.gate.set()
    for thread in threads:
        thread.join(_SOON_S)
    assert [outcome.done for outcome in done] == [True] * MAX_CLIENTS_OF_ONE_USER


def test_who_may_not_command_is_told_so_whatever_the_mode_of_the_socket(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = command_socket.Peer(4242, "eve", frozenset({4242}))
    monkeypatch.setattr(command_socket, "peer_of", lambda _client: stranger)
    expected = "eve may not command this daemon: join its group, or ask with sudo"
    assert send_command(daemon.path, "pause", {"duration_s": 1}) == Outcome(done=False, sentence=expected)
    assert daemon.commands == []
    member = stranger._replace(groups=frozenset({4242, daemon.path.stat().st_gid}))
    monkeypatch.setattr(command_socket, "peer_of", lambda _client: member)
    assert send_command(daemon.path, "pause", {"duration_s": 1}).done
    assert daemon.commands == [Pause(1.0, "eve")]


def test_a_daemon_that_never_answers_is_waited_for_as_long_as_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_socket, "ANSWER_WITHIN_S", 0.2)
    path = tmp_path / "command.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(ServiceError, match=r"does not answer within 0\.2 s"):
            send_command(path, "resume", {})


def test_closing_is_idempotent_and_ends_the_accepting_thread(tmp_path: Path) -> None:
    server = CommandServer(tmp_path / "command.sock", Daemon(tmp_path).execute)
    server.close()
    server.close()
    assert "commands" not in {thread.name for thread in threading.enumerate()}
    assert repr(server).endswith("closed)")
