"""A daemon's state as JSON, and the socket that tells it, with clients that hang, leave or come in crowds."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ServiceError
from device.runtime.daemon_state import (
    Age,
    AlarmNow,
    DaemonState,
    FaultNow,
    LabelNow,
    StatusServer,
    from_json,
    read_status,
    to_json,
)

if TYPE_CHECKING:
    from pathlib import Path

_SOON_S = 20.0

_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_LABELS = st.builds(
    LabelNow, st.text(), st.text(), on=st.booleans(), score=st.none() | _FINITE, since_utc_s=st.none() | _FINITE
)
_FAULTS = st.builds(FaultNow, st.sampled_from(["silence", "microphone"]), _FINITE, st.text())
_ALARMS = st.builds(
    AlarmNow,
    kind=st.sampled_from(["sound", "technical"]),
    priority=st.sampled_from(["high", "medium", "low"]),
    state=st.sampled_from(["active", "latched"]),
)
_COUNT = st.integers(0, 2**53)
_STATES = st.builds(
    DaemonState,
    pid=_COUNT,
    sample_rate_hz=st.none() | _COUNT,
    labels=st.lists(_LABELS, max_size=3).map(tuple),
    faults=st.lists(_FAULTS, max_size=3).map(tuple),
    alarms=st.lists(_ALARMS, max_size=3).map(tuple),
    owed=st.none() | _COUNT,
    models=st.lists(st.text(), max_size=3).map(tuple),
    **{name: st.none() | _FINITE for name in ("level_dbfs", "peak_dbfs", "listened", "windows")},
    **dict.fromkeys(("events", "faults_told", "gaps", "overruns", "reopened", "dropped_notices"), _COUNT),
    **dict.fromkeys(("windows_scored", "windows_due"), _COUNT),
    **dict.fromkeys(("started_utc_s", "told_utc_s", "uptime_s", "hop_s", "configured_hop_s"), _FINITE),
    **dict.fromkeys(("backlog_s", "dropped_s", "age_s"), _FINITE),
)


# --- as JSON


@given(_STATES)
def test_a_state_survives_the_way_there(state: DaemonState) -> None:
    assert from_json(to_json(state).encode()) == state


def _with(state: DaemonState, **changed: Any) -> bytes:
    told = json.loads(to_json(state))
    told["state"].update(changed)
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"pid": "4711"}, "state.pid is '4711'"),
        ({"pid": True}, "state.pid is True"),
        ({"hearing": 1}, "state.hearing is 1"),
        ({"uptime_s": None}, "state.uptime_s is None"),
        ({"labels": {}}, "state.labels is {}"),
        ({"models": ["cry", 1]}, r"state.models\[1\] is 1"),
        ({"faults": [{"kind": "rain", "since_utc_s": 1.0, "detail": ""}]}, r"state.faults\[0\].kind is 'rain'"),
        ({"faults": [{"kind": [], "since_utc_s": 1.0, "detail": ""}]}, r"state.faults\[0\].kind is \[\]"),
        ({"more": 1}, "state must have instance"),
    ],
)
def test_what_is_no_state_is_refused_with_its_place(
    state: DaemonState, changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ServiceError, match=complaint):
        from_json(_with(state, **changed))


def test_a_state_of_another_version_is_not_guessed_at(state: DaemonState) -> None:
    told = json.dumps({**json.loads(to_json(state)), "version": 3}).encode()
    with pytest.raises(ServiceError, match="in version 3, this is 2"):
        from_json(told)


@pytest.mark.parametrize("data", [b"[]", b"{}", b"null", b'{"version": 1}', b"\xff", b'{"version": 1, "state": NaN}'])
def test_what_is_no_status_at_all_is_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(ServiceError) as refused:
        from_json(data)
    assert "\n" not in str(refused.value)


def test_a_number_that_is_none_is_never_told(state: DaemonState) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(dataclasses.replace(state, level_dbfs=float("-inf")))


# --- how old it is


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=20), _FINITE)
def test_the_age_is_right_once_a_fresh_state_was_seen(waits: list[tuple[float, float]], started_s: float) -> None:
    started_s = started_s % 1e6
    base = _bare(0.0)
    age = Age()
    assert age.told(base, started_s).age_s == 0.0
    now_s = 0.0
    for until_made_s, until_told_s in waits:
        made_s = now_s + until_made_s
        now_s = made_s + until_told_s
        told = age.told(dataclasses.replace(base, uptime_s=made_s), started_s + now_s)
        assert told.age_s == pytest.approx(until_told_s, abs=1e-6)


def _bare(uptime_s: float) -> DaemonState:
    values = {field.name: 0 for field in dataclasses.fields(DaemonState)}
    return DaemonState(**{**values, "uptime_s": uptime_s, "hearing": True})  # type: ignore[arg-type]


def test_a_daemon_whose_loop_hangs_does_not_hear_whatever_it_last_said(state: DaemonState) -> None:
    assert dataclasses.replace(state, age_s=1.0).hears
    hung = dataclasses.replace(state, age_s=6.0)
    assert hung.hangs
    assert not hung.hears


# --- the socket


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
from device.runtime.daemon_state import StatusServer
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
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert read_status(path, _SOON_S).pid == state.pid
        for client in rude:
            client.close()
        assert read_status(path, _SOON_S).pid == state.pid


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
