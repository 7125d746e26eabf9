"""What is owed is published once in a life and in order: on a disk that refuses, over restarts, to a mute broker."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.sinks.mqtt.timeouts import SessionTimeouts
from tests.programs import program
from tests.system.alarms.test_alarm_faults import preloaded
from tests.system.alarms.test_alarms import SOON_S, Subscriber, config
from tests.system.broker.mute_broker import MuteBroker
from tests.system.conftest import Mosquitto
from tests.system.running_daemon import AURICLE, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.alarms.journal.entries import Key

pytestmark = pytest.mark.system

OWED = 9_500
"""More than what was once remembered of acknowledgements, 8,000."""

NO_MORE_FOR_S = 4.0
ACKNOWLEDGED_WITHIN_S = 20.0  # else the connection counts as lost
FAULT_AFTER_S = 30.0
BUSY_S = 6.0  # of a machine that runs other tests


@pytest.fixture
def disk(private_folder: Path) -> Iterator[Path]:
    """A file system of its own."""
    folder = private_folder / "disk"
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", "size=64m", "none", str(folder))
    yield folder
    subprocess.run([program("umount"), "--lazy", str(folder)], check=True, timeout=20)


@pytest.fixture
def patient_broker(private_folder: Path) -> Iterator[Mosquitto]:
    """One that queues for its subscribers whatever comes."""
    broker = Mosquitto(private_folder, "max_queued_messages 0", "max_inflight_messages 0")
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


def _mount(*arguments: str) -> None:
    subprocess.run([program("mount"), *arguments], check=True, timeout=20)


def _entry(alarm: int, seq: int, *, state: str = "ended") -> Entry:
    members: dict[str, Any] = {
        "kind": "sound", "name": "cry", "model": "cry", "priority": "high", "state": state, "acknowledged": False,
        "score": 0.9, "detail": "", "lowered_from": None,
    }  # fmt: skip
    alarm_id = f"0123456789ab-cry-cry-{alarm}"
    body = {"alarm_id": alarm_id, "seq": seq, **members, "time_quality": "unsynchronized", "decided_utc": "2026-01-01"}
    kept = json.dumps({"alarm_id": alarm_id, **members, "start_utc_s": 1.7e9})
    return Entry(alarm_id, seq, 1.7e9 + alarm, urgent=True, alarm=kept, body=json.dumps(body))


def _journal(disk: Path, entries: list[Entry], *, delivered: bool = False) -> str:
    """A configuration with a journal that holds these, and that nobody can write any more."""
    path = disk / "alarms.db"
    with Journal.open(path, max_bytes=64_000_000) as journal:
        journal.append(entries, delivered=[entry.key for entry in entries] if delivered else ())
    _mount("-o", "remount,ro", str(disk))
    return f'[journal]\nfile = "{path}"\n[self_test]\ndaily_at = "off"'


def _daemon(folder: Path, text: str, environment: dict[str, str] | None = None) -> RunningDaemon:
    """One that hears nothing but a room."""
    room = Sounds(folder).endless_room()
    command = [str(AURICLE), "listen", "--loop", "--source", str(room)]
    return RunningDaemon(folder, environment or {}, text, command=command)


def _keys(people: Subscriber) -> list[Key]:
    return [(told["alarm_id"], told["seq"]) for told in people.alarms()]


@pytest.mark.parametrize("changes", [1, OWED], ids=["of as many alarms", "of one alarm"])
def test_on_a_read_only_disk_each_that_is_owed_comes_once_in_order_and_then_nothing_comes(
    private_folder: Path, disk: Path, patient_broker: Mosquitto, changes: int
) -> None:
    """The bug: beyond 8,000 the oldest came again and again, 500 a second, and the rest never."""
    entries = [_entry(number // changes, number % changes) for number in range(OWED)]
    text = _journal(disk, entries)
    owed = {entry.key for entry in entries}
    with (
        Subscriber(patient_broker.port) as people,
        _daemon(private_folder, config(patient_broker, text)) as daemon,
    ):
        daemon.wait_until(lambda: len(people.heard) >= OWED and owed <= set(_keys(people)), "all that is owed", 120.0)
        daemon.wait_until(lambda: (state := daemon.status()) is not None and state.owed == 0, "nothing owed", SOON_S)
        time.sleep(BUSY_S)  # the journal's own fault has been told by then
        published = len(people.alarms())
        time.sleep(NO_MORE_FOR_S)
        assert len(people.alarms()) == published
        copies = Counter(_keys(people))
        assert {key: count for key, count in copies.items() if count > 1} == {}
        newest: dict[str, int] = {}
        for alarm_id, seq in _keys(people):
            assert newest.get(alarm_id, -1) < seq
            newest[alarm_id] = seq
        assert daemon.find({"fault": "journal", "begins": True}) is not None


def test_no_number_comes_again_though_the_disk_is_read_only_the_clock_goes_back_and_it_restarts_twice(
    private_folder: Path, disk: Path, broker: Mosquitto
) -> None:
    """The bug: the third start published its changes under the numbers of the second."""
    shift = private_folder / "shift"
    environment = {"LD_PRELOAD": preloaded(private_folder, "shift_clock.c"), "SHIFT_CLOCK_FILE": str(shift)}
    alarm_id = _entry(1, 0).alarm_id
    text = _journal(disk, [_entry(1, 0, state="active")], delivered=True)
    highest = 0
    with Subscriber(broker.port) as people:
        for shift_s in (0, -3600, -3600):
            shift.write_bytes(shift_s.to_bytes(8, "little", signed=True))
            before = len(people.alarms(alarm_id=alarm_id))
            with _daemon(private_folder, config(broker, text), environment) as daemon:
                daemon.wait_until(partial(_more_than, before, people, alarm_id), "its change", UP_WITHIN_S)
            came = people.alarms(alarm_id=alarm_id)[before:]
            assert all(told["not_durable"] for told in came)
            assert min(told["seq"] for told in came) > highest + 1
            highest = max(told["seq"] for told in came)


def _more_than(count: int, people: Subscriber, alarm_id: str) -> bool:
    return len(people.alarms(alarm_id=alarm_id)) > count


@pytest.mark.timeout(180)
def test_a_broker_that_accepts_logins_and_acknowledges_nothing_is_a_fault_until_it_acknowledges(
    private_folder: Path,
) -> None:
    """The bug: each new connection counted as a cure, and the alarm came after 149 s."""
    with MuteBroker() as mute:
        text = f'[mqtt]\nhost = "127.0.0.1"\nport = {mute.port}\n[self_test]\ndaily_at = "off"'
        with _daemon(private_folder, text) as daemon:
            daemon.wait_until(lambda: mute.published, "a message", UP_WITHIN_S)
            began_s = mute.logins_s[0]
            fault = daemon.wait_for({"fault": "broker", "begins": True}, within_s=FAULT_AFTER_S + ACKNOWLEDGED_WITHIN_S)
            assert time.monotonic() - began_s < FAULT_AFTER_S + ACKNOWLEDGED_WITHIN_S
            assert "acknowledged nothing" in fault["detail"]
            connections = len(mute.logins_s)
            assert connections > 1
            daemon.wait_until(lambda: len(mute.logins_s) > connections, "one more connection", 2 * FAULT_AFTER_S)
            time.sleep(BUSY_S)
            assert daemon.find({"fault": "broker", "begins": False}) is None
            mute.acknowledges = True
            # A row of lost connections is over once one of them is stable.
            cured_within_s = 2 * FAULT_AFTER_S + SessionTimeouts().stable_s
            daemon.wait_for({"fault": "broker", "begins": False}, within_s=cured_within_s)
