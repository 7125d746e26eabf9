"""The status socket, with clients that hang, leave or come in crowds."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from device.errors import ServiceError
from device.runtime.daemon_state import to_json
from device.runtime.sockets.status_socket import ANSWER_WITHIN_S, StatusServer, read_status

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

_SOON_S = 20.0


def test_the_state_is_told_to_whoever_connects(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "run" / "anna" / "status.sock"
    with StatusServer(path, lambda: state):
        told = read_status(path)
        assert dataclasses.replace(told, age_s=0.0) == state
        assert path.stat().st_mode & 0o777 == 0o660
    assert not path.exists()


def test_a_state_that_is_made_no_more_grows_old_in_the_telling(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    with StatusServer(path, lambda: state):
        first = read_status(path)
        time.sleep(0.3)
        assert read_status(path).age_s - first.age_s >= 0.3


def test_the_first_who_asks_is_told_the_right_age(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    with StatusServer(path, lambda: state):
        time.sleep(0.3)
        assert read_status(path).age_s >= 0.3


def test_a_path_of_any_length_will_do(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / ("long" * 50) / "status.sock"
    with StatusServer(path, lambda: state):
        assert read_status(path).pid == state.pid


def test_nothing_runs_where_there_is_no_socket(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"no daemon runs at .*status\.sock"):
        read_status(tmp_path / "status.sock")


def test_a_daemon_that_has_no_state_yet_says_so(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with StatusServer(path, lambda: None), pytest.raises(ServiceError, match="is starting or stopping"):
        read_status(path)


def test_a_state_that_json_cannot_say_harms_only_who_asked(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    states = [dataclasses.replace(state, level_dbfs=float("nan"))]
    with StatusServer(path, lambda: states[-1]):
        with pytest.raises(ServiceError, match="is starting or stopping"):
            read_status(path)
        states.append(state)
        assert read_status(path).pid == state.pid


def test_a_file_name_that_is_no_utf_8_can_be_told(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    with StatusServer(path, lambda: dataclasses.replace(state, source="w\udce4rm.wav")):
        assert read_status(path).source == "w?rm.wav"


_CRASHING = """
import os, sys
from pathlib import Path
from device.runtime.sockets.status_socket import StatusServer
StatusServer(Path(sys.argv[1]), lambda: None)
os._exit(1)
"""


def test_the_socket_of_a_daemon_that_crashed_is_taken_over(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    subprocess.run([sys.executable, "-c", _CRASHING, str(path)], check=False, timeout=60)
    assert path.is_socket()
    with pytest.raises(ServiceError, match="no daemon runs"):
        read_status(path)
    with StatusServer(path, lambda: state):
        assert read_status(path).pid == state.pid


def test_a_socket_that_is_served_is_not_taken_over(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "anna" / "status.sock"
    with StatusServer(path, lambda: state):
        with pytest.raises(ServiceError, match=r"a daemon already runs at .* a name other than 'anna'"):
            StatusServer(path, lambda: None)
        assert read_status(path).pid == state.pid
    with StatusServer(path, lambda: state):
        assert read_status(path).pid == state.pid


def test_of_many_that_start_at_once_one_serves(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    subprocess.run([sys.executable, "-c", _CRASHING, str(path)], check=False, timeout=60)
    served: list[StatusServer] = []

    def start() -> None:
        with contextlib.suppress(ServiceError):
            served.append(StatusServer(path, lambda: state))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_SOON_S)
    assert len(served) == 1
    assert read_status(path).pid == state.pid
    served[0].close()


def test_a_file_in_the_way_is_not_deleted(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    path.write_text("mine")
    with pytest.raises(ServiceError, match="is no socket"):
        StatusServer(path, lambda: None)
    assert path.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match="cannot be made: File exists"):
        StatusServer(tmp_path / "file" / "status.sock", lambda: None)


def test_clients_that_hang_talk_or_leave_keep_nobody_from_the_answer(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    with StatusServer(path, lambda: state):
        rude = [socket.socket(socket.AF_UNIX) for _ in range(5)]
        for number, client in enumerate(rude):
            client.connect(str(path))
            if number % 2:
                with contextlib.suppress(BrokenPipeError):  # it has the answer, and was hung up
                    client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert read_status(path, _SOON_S).pid == state.pid
        for client in rude:
            client.close()
        assert read_status(path, _SOON_S).pid == state.pid


def test_a_hundred_who_ask_at_a_busy_moment_are_all_answered(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    busy = threading.Event()

    def busy_state() -> DaemonState:
        if busy.is_set():
            busy.clear()
            time.sleep(1.0)
        return state

    with StatusServer(path, busy_state):
        busy.set()
        with ThreadPoolExecutor(100) as pool:
            told = list(pool.map(lambda _: read_status(path, _SOON_S), range(100)))
    assert {answer.pid for answer in told} == {state.pid}


def test_who_meets_a_full_backlog_asks_again_within_the_deadline(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    with socket.socket(socket.AF_UNIX) as listening, contextlib.ExitStack() as opened:
        listening.bind(str(path))
        listening.listen(0)
        waiting = opened.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(str(path))

        def serve_later() -> None:
            time.sleep(0.3)
            for _ in range(2):
                client, _ = listening.accept()
                with client, contextlib.suppress(OSError):
                    client.sendall(to_json(state).encode())

        server = threading.Thread(target=serve_later)
        server.start()
        assert read_status(path, _SOON_S).pid == state.pid
        server.join(_SOON_S)
        opened.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))
        with pytest.raises(ServiceError, match=r"does not answer within 0\.2 s"):
            read_status(path, 0.2)


def test_a_hundred_clients_that_hang_delay_nobody(tmp_path: Path, state: DaemonState) -> None:
    path = tmp_path / "status.sock"
    large = dataclasses.replace(state, last_event="x" * 900_000)  # more than a socket buffers
    with StatusServer(path, lambda: large), contextlib.ExitStack() as opened:
        for _ in range(100):
            opened.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))
        began_s = time.monotonic()
        assert read_status(path).last_event == large.last_event
        assert time.monotonic() - began_s < ANSWER_WITHIN_S


def test_a_daemon_that_does_not_answer_is_not_waited_for_longer_than_asked(tmp_path: Path) -> None:
    path = tmp_path / "status.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        with pytest.raises(ServiceError, match=r"does not answer within 0\.2 s"):
            read_status(path, 0.2)


def test_closing_is_prompt_idempotent_and_leaves_nothing_open(tmp_path: Path, state: DaemonState) -> None:
    def open_now() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    before = open_now()
    server = StatusServer(tmp_path / "status.sock", lambda: state)
    assert open_now() - before == {"status"}
    server.close()
    server.close()
    assert open_now() == before
    assert repr(server).endswith("closed)")
