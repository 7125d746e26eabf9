"""A daemon that detects cries while its disk, broker, network, clock or the broker's other clients fail or attack."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from tests.programs import program
from tests.system.alarms.test_alarms import BASE, SOON_S, Subscriber, config, journalled
from tests.system.broker.authority import Authority
from tests.system.conftest import Mosquitto, NotifySocket, wait_until
from tests.system.running_daemon import AURICLE, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from device.runtime.daemon_state import DaemonState

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
SPEED = 4
PATIENCE_S = 30.0
"""A broker may be out of reach for this long before an alarm is raised."""

HEARD_EVERY_S = 10.0
"""A working broker sends something this often; one that hangs sent its last message at most this long before."""

HOUR_S = 3600
BUSY_S = 15.0
"""Added to every promised time, for a machine that runs other tests."""

QUICK = (
    "[model.cry.label.cry]", "confirm_s = 1.0", "confirm_of_s = 1.0", "hold_s = 1.0", "cooldown_s = 0.0",
    "[self_test]", 'daily_at = "off"',
)  # fmt: skip


@pytest.fixture(scope="module")
def cries() -> Iterator[Path]:
    """A recording of four minutes: an infant cries for 3 s, again and again."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as name:
        sounds = Sounds(Path(name))
        yield sounds.write("cries.wav", 34 * [sounds.room(4.0), sounds.crying(3.0)])


def hearing(
    folder: Path, sound: Path, text: str, environment: Mapping[str, str] | None = None, command: Sequence[str] = ()
) -> RunningDaemon:
    """A daemon that plays a recording at several times its speed."""
    start = [*(command or [str(AURICLE), "listen"]), "--speed", str(SPEED), "--source", str(sound)]
    return RunningDaemon(folder, environment or {}, text, command=start)


def assert_nothing_went_unheard(state: DaemonState) -> None:
    """No sound was dropped, no gap was made, and every window that was due was scored."""
    assert (state.dropped_s, state.gaps) == (0.0, 0)
    assert state.windows_due > 0
    assert state.windows_scored >= state.windows_due - 1  # one may be due just now


# --- a broker that is out of reach


class Private:
    """A private network for the processes started inside it, as `ip netns` makes one, without a name."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._outside = _network()
        self._enter(self._libc.unshare, _NEW_NETWORK)
        try:
            subprocess.run([program("ip"), "link", "set", "lo", "up"], check=True, timeout=20)
            self._inside = _network()
        finally:
            self._enter(self._libc.setns, self._outside, _NEW_NETWORK)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Start processes of this thread inside, for the duration of the block."""
        self._enter(self._libc.setns, self._inside, _NEW_NETWORK)
        try:
            yield
        finally:
            self._enter(self._libc.setns, self._outside, _NEW_NETWORK)

    def close(self) -> None:
        """Release it; it ends with the last process inside."""
        os.close(self._inside)
        os.close(self._outside)

    @staticmethod
    def _enter(call: Callable[..., int], *arguments: int) -> None:
        if call(*arguments):
            pytest.fail(f"a network of its own takes root: {os.strerror(ctypes.get_errno())}")


_NEW_NETWORK = 0x40000000  # CLONE_NEWNET


def _network() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Outage:
    """A daemon that detects cries, its broker, and a fault of the connection between them.

    Attributes:
        said: what the technical alarm must contain.
        told_at_once: only a person can end it, so the alarm is raised at once.
    """

    said: ClassVar[str] = "nothing listens at"
    told_at_once: ClassVar[bool] = False

    def __init__(self, folder: Path, sound: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.broker = Mosquitto(folder, *self.lines())
        self.daemon = hearing(folder, sound, config(self.broker, *self.more(), *QUICK), command=self.command())

    def lines(self) -> Sequence[str]:
        """Lines of the broker's configuration."""
        return ()

    def more(self) -> Sequence[str]:
        """Lines of the daemon's configuration."""
        return ()

    def command(self) -> Sequence[str]:
        """The daemon's command; empty for its usual one."""
        return ()

    def start(self) -> None:
        """Start broker and daemon, without a fault."""
        self.broker.start()
        self.daemon.start()

    def begin(self) -> None:
        """Begin the fault: the broker is out of reach."""
        self.broker.kill()

    def end(self) -> None:
        """End the fault: the broker is reachable again."""
        self.broker.start()

    def close(self) -> None:
        """End both."""
        self.daemon.kill()
        self.broker.kill()


class Killed(Outage):
    """The broker dies."""


class Hung(Outage):
    """The broker is stopped (SIGSTOP): its port accepts connections, and nothing answers."""

    said = "does not answer|is silent|acknowledged nothing"

    def begin(self) -> None:
        self.broker.signal(signal.SIGSTOP)

    def end(self) -> None:
        self.broker.signal(signal.SIGCONT)


class Cut(Outage):
    """Packets to the broker are dropped; no reset reports it."""

    said = "does not answer|is silent|acknowledged nothing|takes too long|out of reach"

    def start(self) -> None:
        self._network = Private()
        with self._network.entered():
            super().start()

    def begin(self) -> None:
        hook = "{ type filter hook input priority 0 ; }"
        self._nft("add", "table", "inet", "cut")
        self._nft("add", "chain", "inet", "cut", "in", hook)
        self._nft("add", "rule", "inet", "cut", "in", "tcp", "dport", str(self.broker.port), "drop")

    def end(self) -> None:
        self._nft("delete", "table", "inet", "cut")

    def close(self) -> None:
        super().close()
        self._network.close()

    def _nft(self, *words: str) -> None:
        with self._network.entered():
            subprocess.run([program("nft"), *words], check=True, timeout=20)


class Refused(Outage):
    """Somebody changes the broker's password, and changes it back."""

    said = "password|user"
    told_at_once = True

    def lines(self) -> Sequence[str]:
        self._know("right")
        return ("allow_anonymous false", f"password_file {self.folder / 'passwords'}")

    def more(self) -> Sequence[str]:
        word = self.folder / "word"
        word.write_text("right\n")
        word.chmod(0o600)
        return ('username = "anna"', f'password_file = "{word}"')

    def begin(self) -> None:
        self._know("another")
        self.broker.kill()
        self.broker.start()

    def end(self) -> None:
        self._know("right")
        self.broker.signal(signal.SIGHUP)

    def _know(self, word: str) -> None:
        path = self.folder / "passwords"
        subprocess.run([program("mosquitto_passwd"), "-b", "-c", path, "anna", word], check=True, timeout=20)
        path.chmod(0o600)


class Expired(Outage):
    """The broker's certificate expires, until somebody renews it."""

    said = "certificate has expired"
    told_at_once = True

    def lines(self) -> Sequence[str]:
        self._authority = Authority(self.folder)
        return self._tls("valid", 2)

    def more(self) -> Sequence[str]:
        return ("tls = true", f'ca_file = "{self._authority.certificate}"')

    def begin(self) -> None:
        self._restart("expired", 0)

    def end(self) -> None:
        self._restart("renewed", 2)

    def _restart(self, name: str, days: int) -> None:
        self.broker.kill()
        self.broker.configure(*self._tls(name, days))
        self.broker.start()

    def _tls(self, name: str, days: int) -> Sequence[str]:
        certificate, key = self._authority.sign(name, days=days)
        return (f"cafile {self._authority.certificate}", f"certfile {certificate}", f"keyfile {key}")


@dataclass(slots=True)
class Course:
    """The course of an outage.

    Attributes:
        told_after_s: from its begin to the technical alarm, in seconds.
        over_after_s: from its end to that alarm's.
        fault: the line of the log.
        during: the daemon's state when it had told.
        after: its state when nothing was owed any more.
        journal: what it had kept by then.
        printed: on its console.
    """

    told_after_s: float = 0.0
    over_after_s: float = 0.0
    fault: dict[str, Any] = field(default_factory=dict)
    during: DaemonState | None = None
    after: DaemonState | None = None
    journal: list[dict[str, Any]] = field(default_factory=list)
    printed: str = ""


OUTAGES: tuple[type[Outage], ...] = (Killed, Hung, Cut, Refused, Expired)


@pytest.fixture(scope="module", autouse=True)
def trial() -> Iterator[Future[dict[str, Course]]]:
    """All outages in parallel, and in parallel to the other tests of this module: each lasts a minute."""
    with (
        tempfile.TemporaryDirectory(prefix="auricle-") as name,
        ThreadPoolExecutor(1) as pool,
        contextlib.ExitStack() as closing,  # first, so that a thread that waits for an ended daemon stops waiting
    ):
        sounds = Sounds(Path(name))
        sound = sounds.write("night.wav", 100 * [sounds.room(4.0), sounds.crying(3.0)])
        outages = [kind(Path(name, kind.__name__.lower()), sound) for kind in OUTAGES]
        for outage in outages:
            closing.callback(outage.close)
        yield pool.submit(_tried, outages)


def _tried(outages: Sequence[Outage]) -> dict[str, Course]:
    for outage in outages:
        outage.start()
    for outage in outages:
        outage.daemon.wait_until(partial(_is_told_of_cries, outage.daemon), "an alarm", UP_WITHIN_S)
    return {type(outage).__name__: course for outage, course in zip(outages, _passed(outages), strict=True)}


def _is_told_of_cries(daemon: RunningDaemon) -> bool:
    state = daemon.status()
    return state is not None and state.broker == "connected" and state.events > 0 and state.owed == 0


def _is_well_again(daemon: RunningDaemon) -> bool:
    return _is_told_of_cries(daemon) and _with_fault(daemon) is None


def _with_fault(daemon: RunningDaemon) -> DaemonState | None:
    """The daemon's status, once it shows that the broker is out of reach."""
    state = daemon.status()
    return state if state is not None and any(fault.kind == "broker" for fault in state.faults) else None


def _passed(outages: Sequence[Outage]) -> list[Course]:
    courses = [Course() for _ in outages]
    begun_s = []
    for outage in outages:
        outage.begin()
        begun_s.append(time.monotonic())
    for outage, course, since_s in zip(outages, courses, begun_s, strict=True):
        course.fault = outage.daemon.wait_for({"fault": "broker", "begins": True}, within_s=PATIENCE_S + BUSY_S)
        course.told_after_s = _at_s(course.fault) - since_s
        course.during = outage.daemon.wait_until(partial(_with_fault, outage.daemon), "its status", BUSY_S)
    ended_s = []
    for outage in outages:
        outage.end()
        ended_s.append(time.monotonic())
    for outage, course, since_s in zip(outages, courses, ended_s, strict=True):
        # A client that was refused connects again after 30 s at most; two seconds later the fault is over.
        over = outage.daemon.wait_for({"fault": "broker", "begins": False}, within_s=PATIENCE_S + 2.0 + BUSY_S)
        course.over_after_s = _at_s(over) - since_s
        outage.daemon.wait_until(partial(_is_well_again, outage.daemon), "nothing owed", BUSY_S)
        course.after, course.printed = outage.daemon.status(), outage.daemon.printed()
        course.journal = list(journalled(outage.daemon).values())
    return courses


def _at_s(line: Mapping[str, Any]) -> float:
    """When a line of the log was written, by the monotonic clock."""
    return datetime.fromisoformat(line["utc"]).timestamp() - time.time() + time.monotonic()


# --- a thread that hangs


def test_a_thread_that_hangs_on_its_way_to_the_broker_is_an_alarm_and_then_the_watchdogs(
    private_folder: Path, broker: Mosquitto, notify: NotifySocket, cries: Path
) -> None:
    trigger, watchdog_s = private_folder / "hang", 2.0
    environment = {**notify.environment, "WATCHDOG_USEC": str(round(1e6 * watchdog_s))}
    command = [sys.executable, str(HERE / "hung_broker_daemon.py"), str(trigger), "listen"]
    with hearing(private_folder, cries, config(broker, *QUICK), environment, command) as daemon:
        daemon.wait_until(lambda: _is_told_of_cries(daemon), "an alarm", UP_WITHIN_S)
        trigger.touch()
        hung_s = time.monotonic()
        fault = daemon.wait_for({"fault": "broker", "begins": True}, within_s=3.0 + BUSY_S)
        assert "the thread that talks to the broker has hung" in fault["detail"]
        notify.collect()
        told = len(notify.received)
        wait_until(lambda: "WATCHDOG=1" in [line for _, line in _new(notify, told)], "a fed watchdog", 3.0)
        time.sleep(max(0.0, hung_s + 9.0 + 2.0 - time.monotonic()))
        notify.collect()
        told = len(notify.received)
        time.sleep(2 * watchdog_s)
        assert "WATCHDOG=1" not in [line for _, line in _new(notify, told)]
        state = daemon.status()
        assert state is not None
        assert_nothing_went_unheard(state)
        assert any(kept["name"] == "broker" for kept in journalled(daemon).values())


def _new(notify: NotifySocket, told: int) -> list[tuple[float, str]]:
    notify.collect()
    return notify.received[told:]


# --- a disk that stalls


def preloaded(folder: Path, source: str) -> str:
    """A preloaded library that replaces some calls of the C library."""
    library = folder / "preloaded.so"
    compiling = [
        program("gcc"),
        "-shared",
        "-fPIC",
        "-Wall",
        "-Werror",
        "-o",
        str(library),
        str(HERE.parent / source),
        "-ldl",
    ]
    subprocess.run(compiling, check=True, timeout=60)
    return str(library)


def test_a_disk_that_stalls_for_5_s_loses_no_window_and_people_are_told_at_once_and_of_the_disk(
    private_folder: Path, broker: Mosquitto, cries: Path
) -> None:
    stalled = private_folder / "stalled"
    environment = {"LD_PRELOAD": preloaded(private_folder, "stall_fsync.c"), "STALL_FILE": str(stalled)}
    with (
        Subscriber(broker.port) as people,
        hearing(private_folder, cries, config(broker, *QUICK), environment) as daemon,
    ):
        daemon.wait_until(lambda: people.alarms(change="ended"), "an alarm", UP_WITHIN_S)
        stalled.touch()
        time.sleep(5.0)
        stalled.unlink()
        from_memory = people.alarms(not_durable=True)
        assert len([told for told in from_memory if told["kind"] == "sound"]) >= 3
        assert max(told["decided_to_told_s"] for told in from_memory) < 3.0  # a second, and a busy machine
        assert [told for told in from_memory if (told["name"], told["change"]) == ("journal", "raised")]
        fault = daemon.wait_for({"fault": "journal", "begins": True}, within_s=1.0)
        assert "does not answer" in fault["detail"]
        daemon.wait_until(lambda: people.alarms(name="journal", change="ended"), "its end", 10.0 + BUSY_S)
        daemon.wait_until(
            lambda: _keys(from_memory) <= journalled(daemon).keys(), "what was told in the journal", BUSY_S
        )
        state = daemon.status()
        assert state is not None
        assert state.journal == ""
        assert_nothing_went_unheard(state)
        assert_told_whole(people, daemon)


def _keys(told: Sequence[Mapping[str, Any]]) -> set[tuple[str, int]]:
    return {(alarm["alarm_id"], alarm["seq"]) for alarm in told}


def assert_told_whole(people: Subscriber, daemon: RunningDaemon) -> None:
    """All journalled changes arrive, those of each alarm in order and without a gap."""
    kept = journalled(daemon)
    daemon.wait_until(lambda: kept.keys() <= _keys(people.alarms()), "all that was kept", SOON_S)
    first: dict[str, list[int]] = {}
    for told in people.alarms():
        seqs = first.setdefault(told["alarm_id"], [])
        if told["seq"] not in seqs:
            seqs.append(told["seq"])
    assert all(seqs == list(range(len(seqs))) for seqs in first.values()), first


# --- a clock that is stepped


def test_a_clock_stepped_by_an_hour_in_mid_alarm_is_told_and_loses_repeats_and_sticks_nothing(
    private_folder: Path, broker: Mosquitto
) -> None:
    sounds, shift = Sounds(private_folder), private_folder / "shift"
    cries = sounds.write("cries.wav", 6 * [sounds.room(8.0), sounds.crying(16.0)])
    shift.write_bytes(bytes(8))
    environment = {"LD_PRELOAD": preloaded(private_folder, "shift_clock.c"), "SHIFT_CLOCK_FILE": str(shift)}
    with (
        Subscriber(broker.port) as people,
        hearing(private_folder, cries, config(broker, *QUICK), environment) as daemon,
    ):
        for number, shift_s in enumerate([HOUR_S, 0]):  # an hour forward, and an hour back
            daemon.wait_until(partial(_more_than, number, people, "raised"), "a cry", UP_WITHIN_S)
            with shift.open("r+b", buffering=0) as file:
                file.write(shift_s.to_bytes(8, sys.byteorder, signed=True))
            daemon.wait_until(partial(_more_than, number, people, "ended"), "its end", BUSY_S)
        daemon.wait_until(lambda: len(people.alarms(change="raised")) > 2, "one more cry", BUSY_S)
        raised, ended = people.alarms(change="raised"), people.alarms(change="ended")
        assert not [told for told in raised if told["time_quality"] == "stepped"]
        assert [(told["time_quality"], told["cause"]) for told in ended] == 2 * [("stepped", "quiet")]
        assert _utc_s(raised[1]) - _utc_s(raised[0]) - HOUR_S == pytest.approx(24.0 / SPEED, abs=2.0)
        assert _utc_s(raised[2]) - _utc_s(raised[1]) + HOUR_S == pytest.approx(24.0 / SPEED, abs=2.0)
        assert not people.alarms(late=True)
        assert not people.alarms(not_durable=True)
        assert {told["change"] for told in people.alarms()} == {"raised", "ended"}
        assert len(people.alarms()) == len(_keys(people.alarms()))
        state = daemon.status()
        assert state is not None
        assert_nothing_went_unheard(state)
        assert state.faults == ()
        assert_told_whole(people, daemon)


def _more_than(number: int, people: Subscriber, change: str) -> bool:
    return len(people.alarms(change=change)) > number


def _utc_s(told: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(told["decided_utc"]).timestamp()


# --- ten thousand owed changes


def test_what_cries_now_is_told_before_ten_thousand_that_are_owed_and_then_all_of_them_are(
    private_folder: Path,
) -> None:
    broker = Mosquitto(private_folder, "max_queued_messages 0", "max_inflight_messages 0")
    sounds = Sounds(private_folder)
    cry = sounds.write("cry.wav", [sounds.room(4.0), sounds.crying(6.0), sounds.room(400.0)])
    daemon = hearing(private_folder, cry, config(broker, *QUICK))
    daemon.log_path.parent.mkdir(parents=True)
    owed = _owe_ten_thousand(daemon.log_path.with_name("alarms.db"))
    try:
        daemon.start()
        daemon.wait_until(lambda: len(journalled(daemon).keys() - owed) == 2, "a cry in the journal", UP_WITHIN_S)
        fresh = journalled(daemon).keys() - owed
        daemon.process.send_signal(signal.SIGSTOP)  # until a broker can be reached
        broker.start()
        with Subscriber(broker.port) as people:
            daemon.process.send_signal(signal.SIGCONT)
            daemon.wait_until(lambda: people.newest("available") == b"online", "a connection", SOON_S)
            connected_s = time.monotonic()
            daemon.wait_until(lambda: fresh <= _keys(people.alarms()), "the cry", SOON_S)
            assert time.monotonic() - connected_s < 3.0  # a second, and a busy machine
            assert fresh <= _keys(people.alarms()[: 2 * _IN_FLIGHT])
            daemon.wait_until(lambda: owed <= _keys(people.alarms()), "all that is owed", 60.0)
            state = daemon.status()
            assert state is not None
            assert_nothing_went_unheard(state)
            assert all(told["late"] for told in people.alarms() if (told["alarm_id"], told["seq"]) in owed)
            daemon.wait_until(
                lambda: (state := daemon.status()) is not None and state.owed == 0, "nothing owed", SOON_S
            )
    finally:
        daemon.kill()
        broker.kill()


_IN_FLIGHT = 20


def _owe_ten_thousand(path: Path) -> set[tuple[str, int]]:
    """Fill a journal with undelivered changes of alarms."""
    alarm = {
        "kind": "sound", "name": "cry", "model": "cry", "priority": "medium", "state": "ended", "acknowledged": False,
        "score": 0.9, "detail": "", "lowered_from": None,
    }  # fmt: skip
    entries = []
    for number in range(10_000):
        key = {"alarm_id": f"0123456789ab-cry-cry-{number // 2}", "seq": number % 2}
        body = json.dumps({**key, **alarm, "time_quality": "synchronized", "decided_utc": "2026-01-01T00:00:00.000Z"})
        text = json.dumps({"alarm_id": key["alarm_id"], **alarm, "start_utc_s": None})
        entries.append(Entry(str(key["alarm_id"]), number % 2, 1.7e9 + number, False, text, body))
    with Journal.open(path, max_bytes=64_000_000) as journal:
        journal.append(entries)
    return {entry.key for entry in entries}


# --- other clients of the broker


def test_a_thousand_hostile_commands_a_second_change_nothing_and_the_daemon_hears_and_tells_on(
    private_folder: Path, broker: Mosquitto, cries: Path
) -> None:
    with Subscriber(broker.port) as people, hearing(private_folder, cries, config(broker, *QUICK)) as daemon:
        daemon.wait_until(lambda: _is_told_of_cries(daemon), "an alarm", UP_WITHIN_S)
        before = len(people.alarms())
        assert _flooded(broker.port, 8.0) > 4000
        told = people.alarms()[before:]
        assert len([alarm for alarm in told if alarm["change"] == "raised"]) >= 3
        assert not [alarm for alarm in told if alarm["late"] or alarm["not_durable"]]
        assert {alarm["change"] for alarm in people.alarms()} == {"raised", "ended"}
        rejections = [line["detail"] for line in daemon.lines() if line.get("happening") == "asked"]
        assert 1 <= len(rejections) <= 2, "at most one line in 10 s"
        assert all("reject" in detail for detail in rejections)
        people.ask("pause", b'{"duration_s": 60}')
        daemon.wait_until(lambda: (state := daemon.status()) is not None and state.paused, "the pause", SOON_S)
        state = daemon.status()
        assert state is not None
        assert_nothing_went_unheard(state)
        assert state.faults == ()
        assert_told_whole(people, daemon)


def _flooded(port: int, seconds: float) -> int:
    """Send malicious messages, a thousand a second; returns their number."""
    nonsense: list[tuple[str, bytes, bool]] = [
        ("acknowledge", b"\xff\xfe{", False),
        ("acknowledge", b'{"alarm_id": null}', False),
        ("acknowledge", b"[" * 1000, False),
        ("acknowledge", b"", True),
        ("pause", b'{"duration_s": 1e308}', False),
        ("pause", b'{"duration_s": 60, "duration_s": 7200}', False),
        ("pause", b'{"duration_s": 600}', True),
        ("resume", b"x" * 2000, False),
        ("self_test", b'{"really": true}', False),
        ("shutdown", b"", False),
        ("pause", b"9" * 100_000, False),
    ]
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    ready = threading.Event()
    client.on_connect = lambda *_: ready.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(SOON_S)
    sent, begun_s = 0, time.monotonic()
    try:
        while (gone_s := time.monotonic() - begun_s) < seconds:
            while sent < 1000 * gone_s:
                verb, payload, retain = nonsense[sent % len(nonsense) if sent % 50 == 0 else sent % (len(nonsense) - 1)]
                client.publish(f"{BASE}/command/{verb}", payload, 0, retain)
                sent += 1
            time.sleep(0.01)
        return sent
    finally:
        client.disconnect()
        client.loop_stop()


# --- the results of the outages, at the end, because they run in parallel


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", OUTAGES)
def test_a_broker_that_refuses_us_or_is_out_of_reach_for_30_s_is_an_alarm_until_it_is_back_and_no_cry_is_lost(
    trial: Future[dict[str, Course]], kind: type[Outage]
) -> None:
    course = trial.result()[kind.__name__]
    if kind.told_at_once:
        assert course.told_after_s < BUSY_S
    else:
        assert PATIENCE_S - HEARD_EVERY_S - 1.0 < course.told_after_s < PATIENCE_S + BUSY_S
    assert re.search(kind.said, course.fault["detail"]), course.fault
    assert course.during is not None
    assert any(alarm.name == "broker" for alarm in course.during.alarms)
    assert (course.during.owed or 0) >= 2  # cries, meanwhile
    assert course.during.broker in {"lost", "refused"}
    assert "broker" in course.printed
    assert {"raised", "ended"} <= {kept["change"] for kept in course.journal if kept["name"] == "broker"}
    assert course.after is not None
    assert_nothing_went_unheard(course.after)
