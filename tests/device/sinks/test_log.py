"""The JSON-lines log: its form, its bound, and what power cuts and full disks do to it."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import resource
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.messages import Event, Fault, Notice, OperationNote
from device.sinks.log import Log, log_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_UTC_S = 1795227247.350
_EVENT = Event(
    "s-cry-cry-0", 1, "cry", "cry", "end", 0.97, 10.0, 22.5, 27.5, "quiet", ((10.0, 0.91234567), (10.5, 0.97))
)
_FAULT = Fault("classifier", begins=True, since_s=5.0, at_s=7.0, detail="no score", model="cry")


def _notice(number: int = 0) -> Notice:
    return Notice(_UTC_S + number, "nursery", OperationNote("hop", f"number {number}"))


def _numbers(path: Path) -> list[int]:
    return [int(json.loads(line)["detail"].removeprefix("number ")) for line in path.read_bytes().splitlines()]


def _log(path: Path, *, max_bytes: int = 1_000_000, keep: int = 3) -> Log:
    return Log(path, max_bytes=max_bytes, keep=keep)


# --- the form


def test_an_event_is_told_whole_with_its_keys_in_the_documented_order() -> None:
    told = log_line(Notice(_UTC_S, "nursery", _EVENT, "high")).decode()
    assert told == (
        '{"utc": "2026-11-21T02:14:07.350Z", "kind": "event", "source": "nursery", "event_id": "s-cry-cry-0", '
        '"seq": 1, "model": "cry", "label": "cry", "phase": "end", "start_s": 10.0, "end_s": 22.5, '
        '"onset_s": null, "offset_s": null, "decided_s": 27.5, "score": 0.97, "priority": "high", "reason": "quiet", '
        '"verdict": null, "windows": [[10.0, 0.912346], [10.5, 0.97]]}\n'
    )


def test_a_fault_and_a_happening_are_told_whole() -> None:
    assert json.loads(log_line(Notice(_UTC_S, "nursery", _FAULT))) == {
        "utc": "2026-11-21T02:14:07.350Z",
        "kind": "fault",
        "source": "nursery",
        "fault": "classifier",
        "begins": True,
        "since_s": 5.0,
        "at_s": 7.0,
        "detail": "no score",
        "model": "cry",
    }
    assert json.loads(log_line(_notice(4))) == {
        "utc": "2026-11-21T02:14:11.350Z",
        "kind": "happening",
        "source": "nursery",
        "happening": "hop",
        "detail": "number 4",
    }


def _refuse(text: str) -> Any:
    pytest.fail(f"{text} is no JSON")


@given(st.floats(), st.floats(), st.text(st.characters()), st.text())
def test_every_line_is_strict_json_whatever_stands_in_it(
    score: float, start_s: float, source: str, reason: str
) -> None:
    event = dataclasses.replace(_EVENT, score=score, start_s=start_s, reason=reason, windows=((start_s, score),))
    data = log_line(Notice(_UTC_S, source, event))
    assert data.count(b"\n") == 1
    told = json.loads(data, parse_constant=_refuse)
    assert told["reason"] == reason
    assert (told["score"] is None) == (not math.isfinite(score))


def test_a_file_name_that_is_no_utf_8_stays_json() -> None:
    source = os.fsdecode(b"w\xe4rm.wav")
    assert json.loads(log_line(Notice(_UTC_S, source, _EVENT)))["source"] == source


# --- the bound


def test_the_file_is_made_with_its_folder_for_owner_and_group_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "heard.jsonl"
    _log(path).write(_notice())
    assert path.stat().st_mode & 0o7777 & ~0o640 == 0
    assert _numbers(path) == [0]


def test_a_file_that_would_grow_too_large_is_set_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "heard.jsonl"
    length = len(log_line(_notice(10)))
    log = _log(path, max_bytes=3 * length, keep=2)
    for number in range(10, 30):
        log.write(_notice(number))
    log.close()
    assert _numbers(path) == [28, 29]
    assert _numbers(tmp_path / "heard.jsonl.1") == [25, 26, 27]
    assert _numbers(tmp_path / "heard.jsonl.2") == [22, 23, 24]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["heard.jsonl", "heard.jsonl.1", "heard.jsonl.2"]


def test_a_line_longer_than_a_file_may_be_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "heard.jsonl"
    log = _log(path, max_bytes=10, keep=1)
    for number in range(3):
        log.write(_notice(number))
    log.close()
    assert _numbers(path) == [2]
    assert _numbers(tmp_path / "heard.jsonl.1") == [1]


def test_fewer_files_are_kept_once_fewer_are_wanted(tmp_path: Path) -> None:
    path = tmp_path / "heard.jsonl"
    for keep in (5, 1):
        log = _log(path, max_bytes=1, keep=keep)
        for number in range(8):
            log.write(_notice(number))
        log.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["heard.jsonl", "heard.jsonl.1"]


def test_files_of_others_beside_the_log_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "heard.jsonl"
    (tmp_path / "heard.jsonl.bak").write_text("mine")
    log = _log(path, max_bytes=1, keep=1)
    for number in range(4):
        log.write(_notice(number))
    assert (tmp_path / "heard.jsonl.bak").read_text() == "mine"


@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=40), keep=st.integers(1, 4))
def test_no_file_outgrows_its_bound_and_the_newest_lines_are_all_there(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], keep: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "heard.jsonl"
    log = _log(path, max_bytes=1000, keep=keep)
    lines = [Notice(_UTC_S, "n", OperationNote("hop", f"{number} {'x' * size}")) for number, size in enumerate(sizes)]
    for notice in lines:
        log.write(notice)
    log.close()
    files = [path.with_name(f"{path.name}.{number}") for number in range(keep, 0, -1)] + [path]
    there = [file.read_bytes() for file in files if file.exists()]
    assert all(len(data) <= 1000 for data in there)
    assert b"".join(map(log_line, lines)).endswith(b"".join(there))
    assert len(there) == keep + 1 or b"".join(there) == b"".join(map(log_line, lines))


# --- what goes wrong


@pytest.mark.parametrize("cut", [1, 20])
def test_a_line_torn_by_a_power_cut_costs_no_line_but_itself(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "heard.jsonl"
    log = _log(path)
    for number in range(3):
        log.write(_notice(number))
    log.close()
    path.write_bytes(path.read_bytes()[:-cut])
    log = _log(path)
    log.write(_notice(3))
    log.close()
    lines = path.read_bytes().splitlines(keepends=True)
    assert lines[:2] == [log_line(_notice(0)), log_line(_notice(1))]
    assert lines[2].removesuffix(b"\n") == log_line(_notice(2))[:-cut]
    assert lines[3] == log_line(_notice(3))


@pytest.mark.parametrize("done", range(4))
def test_a_power_cut_while_files_are_set_aside_loses_no_file(tmp_path: Path, done: int) -> None:
    path = tmp_path / "heard.jsonl"
    for number in range(3, 0, -1):
        path.with_name(f"heard.jsonl.{number}").write_bytes(log_line(_notice(10 - number)))
    path.write_bytes(log_line(_notice(10)))
    for number in range(4, 4 - done, -1):  # so far it came
        path.with_name(f"heard.jsonl.{number - 1}").replace(path.with_name(f"heard.jsonl.{number}"))
    log = _log(path, max_bytes=1, keep=6)
    log.write(_notice(11))
    log.close()
    assert sorted(number for file in tmp_path.iterdir() for number in _numbers(file)) == [7, 8, 9, 10, 11]


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond 150 bytes: writes are cut short, then refused, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _with_room(log: Log, number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    log.write(_notice(number))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("full_disk")
def test_what_a_full_disk_refuses_is_counted_and_written_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "heard.jsonl"
    log = _log(path)
    for number in range(4):
        log.write(_notice(number))
    assert _numbers(path) == [0], "half a line stays on no disk"
    assert log.failed == 3
    _with_room(log, 4)
    assert _numbers(path) == [0, 1, 2, 3, 4]
    assert log.failed == 3


def test_what_a_full_disk_refused_is_owed_no_longer_than_there_is_memory_for(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.write_text("in the way")
    log = _log(path / "heard.jsonl")
    for number in range(1200):
        log.write(_notice(number))
    assert log.failed == 1200
    path.unlink()
    log.close()
    assert _numbers(path / "heard.jsonl") == list(range(200, 1200))


def test_a_log_that_somebody_took_away_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "heard.jsonl"
    log = _log(path)
    log.write(_notice(0))
    path.rename(tmp_path / "taken")
    log.write(_notice(1))
    assert _numbers(path) == [1]
    assert _numbers(tmp_path / "taken") == [0]


def test_a_pipe_or_a_device_is_no_log_and_stays_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "heard.jsonl"
    os.mkfifo(path)
    log = _log(path, max_bytes=1)
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as pipe:  # noqa: PTH123 - pathlib cannot open so
        for number in range(3):
            log.write(_notice(number))
        log.close()
        assert not pipe.read()
    assert log.failed == 3
    assert path.is_fifo()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_log_holds_one_descriptor_and_lets_it_go(tmp_path: Path) -> None:
    before = _descriptors()
    log = _log(tmp_path / "heard.jsonl", max_bytes=200)
    for number in range(50):
        log.write(_notice(number))
    assert _descriptors() == before + 1
    log.close()
    log.close()
    assert _descriptors() == before
