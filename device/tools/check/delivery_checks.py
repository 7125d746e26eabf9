"""Whether people would be told: the journal, the broker, the pins, the clips, and the zone of quiet hours.

The broker is asked over one short connection under a client id of its own, which throws no daemon out; what is
written there is what a self-test writes, and no alarm. A journal is only read. Pins that a running daemon holds are
left to it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import socket
import sqlite3
import tempfile
import time
import zoneinfo
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.alarms.journal.damage import connection_damage, header_damage
from device.alarms.journal.files import beside, uri_path
from device.alarms.journal.queries import NotAsWrittenError
from device.alarms.journal.reading import check_location, connect_read_only
from device.alarms.journal.salvage import read_wal
from device.errors import ConfigError, JournalError
from device.runtime.self_test.outcome import alert_topic
from device.sinks.clips.clip_store import KEPT_FREE_BYTES
from device.sinks.gpio.pins import Gpio, named_pins
from device.sinks.mqtt.connection import hung_up, port_of, read_password, tls_context, trouble_of
from device.sinks.payloads import Message, Topics
from device.tools.check.finding import Finding
from device.tools.check.machine_checks import room

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from device.config.settings import AlarmSettings, ClipSettings, GpioSettings, MqttSettings, Settings
    from device.runtime.daemon_state import DaemonState
    from device.sinks.mqtt.connection import Trouble
    from device.sinks.mqtt.session import Session

ANSWERS_WITHIN_S = 5.0
"""A broker that has let us in answers what is asked of it so soon, or it is of no use at night."""

_TURN_S = 0.25
_FAILURE = 0x80  # from here on, reason codes of MQTT 5 say so
_CONNECTED = {"connected", "denied"}
_AS_THE_DAEMON = "ask as whoever runs the daemon, as with sudo -u auricle"
_REFUSED = "look at username, password_file and certificates in [mqtt], and into the broker's log, which may say more"
_LOST = "look at host and port in [mqtt], and after the broker; what is to be told is owed until it answers"
_ALLOW = "allow {user} to read and write {base}/#; docs/mqtt.md has the lines for mosquitto"


# --- journal


def journal(path: Path | None, max_bytes: int, state: DaemonState | None) -> Finding:
    """Whether what is owed outlives the process: it can be read, written, and has room to grow as large as it may.

    Args:
        path: of it; None where none is kept.
        max_bytes: of all its files.
        state: what the running daemon tells, which writes it just now; None where none runs.

    Raises:
        JournalError: the place can hold none, or what is there cannot be read.
    """
    if path is None:
        says = 'no journal is kept: "file" in [journal] is "off", and what is owed is lost with the process'
        return Finding("journal", "warning", says, 'set "file" in [journal] to "auto"')
    try:
        return _unfit(path, state) or _writable(path, max_bytes)
    except PermissionError:
        return Finding("journal", "failure", f"the journal {path} is closed to this user", _AS_THE_DAEMON)


def _unfit(path: Path, state: DaemonState | None) -> Finding | None:
    """What is wrong with it as it is; None where nothing is."""
    if state is not None and state.journal:
        do = f"auricle status --instance {state.instance} says since when; look at the disk under {path.parent}"
        return Finding("journal", "failure", f"the daemon that runs does not keep alarms: {state.journal}", do)
    if not path.exists():
        return None
    check_location(path)
    damage = _damage_of(path, is_in_motion=state is not None or _is_kept(path))
    if damage is not None:
        do = "start the daemon: it salvages what can be read and sets the file aside; then look after the disk"
        return Finding("journal", "failure", f"the journal {path} is damaged: {damage}", do)
    if not os.access(path, os.W_OK):
        return Finding("journal", "failure", f"the journal {path} is not this user's to write", _AS_THE_DAEMON)
    return None


def _is_kept(path: Path) -> bool:
    """Whether a process keeps the journal: proc(5) lists its lock, and to try the lock would be in somebody's way."""
    with contextlib.suppress(OSError):
        inode = beside(path, ".lock").stat().st_ino
        return any(f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines() if " FLOCK " in line)
    return False


def _damage_of(path: Path, *, is_in_motion: bool) -> str | None:
    """What is wrong with it, in one clause; None where it is sound."""
    try:
        if not is_in_motion and read_wal(path).is_damaged:
            return "its log is"
        head = header_damage(path)
        if head is not None:
            return head
        with _read_only(path, is_in_motion=is_in_motion) as connection:
            return connection_damage(connection)
    except PermissionError:
        raise
    except (OSError, sqlite3.OperationalError) as error:
        raise JournalError(f"the journal {path} cannot be read: {error}") from error
    except (sqlite3.Error, NotAsWrittenError, UnicodeDecodeError) as error:
        return str(error)


@contextlib.contextmanager
def _read_only(path: Path, *, is_in_motion: bool) -> Iterator[sqlite3.Connection]:
    """The journal, with nothing changed beside it: who reads a log at rest leaves an index of it behind.

    Raises:
        OSError: it cannot be read.
        sqlite3.Error: likewise, or it is no journal.
    """
    if is_in_motion:  # whoever writes it keeps the index
        with contextlib.closing(connect_read_only(path)) as connection:
            yield connection
        return
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        log = beside(path, "-wal")
        if log.exists() and log.stat().st_size:
            copied = Path(folder, path.name)
            shutil.copyfile(log, beside(copied, "-wal"))
            path = Path(shutil.copyfile(path, copied))
        address = f"file:{uri_path(path)}?mode=ro{'' if path.parent == Path(folder) else '&immutable=1'}"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            yield connection


def _writable(path: Path, max_bytes: int) -> Finding:
    left_bytes = max(0, max_bytes - _held_bytes(path))
    do = "make room, or set a smaller max_mb in [journal]"
    return room("journal", f"the journal {path}", path.parent, needed_bytes=left_bytes, do=do)


def _held_bytes(path: Path) -> int:
    """What it takes already."""
    with contextlib.suppress(OSError):
        return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    return 0


# --- broker


@dataclass(slots=True)
class _Tried:
    """What came of one connection.

    Attributes:
        trouble: why it ended; None where it stayed.
        denied: the broker's word for not taking what was written; empty where it did.
        came_back: what was written was read back.
        is_deaf: commands may not be listened to.
    """

    trouble: Trouble | None = None
    denied: str = ""
    came_back: bool = False
    is_deaf: bool = False


def broker(
    settings: MqttSettings, instance: str, state: DaemonState | None, environment: Mapping[str, str] = os.environ
) -> Finding:
    """Whether a broker takes what this instance tells, and lets it listen.

    Args:
        settings: of the broker.
        instance: whose topics.
        state: what the running daemon tells; None where none runs.
        environment: names the folder of systemd's credentials, where there is one.

    Raises:
        ConfigError: a password, certificate or key does not hold.
        MissingExtraError: no MQTT library is installed.
    """
    if settings.host is None:
        return Finding("broker", "ok", 'none is configured: "host" in [mqtt] is "off"')
    password = read_password(settings, environment)
    if settings.username is not None and password is None and state is not None and state.broker is not None:
        return _as_the_daemon_has_it(settings, state)
    tried = _tried(settings, instance, password)
    topics = Topics(settings.topic, instance)
    finding = _judged(tried, settings, topics)
    if finding.verdict == "failure" and settings.username is not None and password is None:
        do = "set password_file; a password that is a systemd credential is given to the daemon alone: start it and ask"
        return Finding("broker", "failure", f"{finding.says}; no password was found", do)
    return finding if state is None or finding.verdict == "failure" else _beside_the_daemon(finding, state)


def _tried(settings: MqttSettings, instance: str, password: str | None) -> _Tried:
    from device.sinks.mqtt.session import Login, Pace, Session  # paho takes a tenth of a second to import

    client_id = f"auricle-{instance}-check"
    topic = alert_topic(Topics(settings.topic, instance))
    login = Login(client_id, settings.username, password, Message(topic, b""))
    tls, tried = tls_context(settings), _Tried()
    session = Session(settings, login, tls, Pace(answer_s=ANSWERS_WITHIN_S), time.monotonic)
    try:
        session.open()
        _talk(session, tried, Topics(settings.topic, instance))
    except OSError as error:
        tried.trouble = trouble_of(error, settings)
    else:
        if not session.is_open:
            unsaid = hung_up(settings, client_id=client_id, accepted=session.is_accepted)
            tried.trouble = session.trouble or unsaid
        session.disconnect()
    finally:
        session.close()
    return tried


def _talk(session: Session, tried: _Tried, topics: Topics) -> None:
    """Log in, listen where the daemon listens, write where a self-test writes, and wait for that to come back."""
    said = Message(alert_topic(topics), f'{{"test":true,"by":"auricle check","id":"{secrets.token_hex(8)}"}}'.encode())
    waker, waking = socket.socketpair()  # nobody wakes us, but a session wants to be wakeable
    with waker, waking:
        while session.is_open and not session.is_accepted:
            session.wait(waking, _TURN_S)
        if not session.is_open:
            return
        session.subscribe(list(topics.commands), None, said.topic)
        session.publish(said, topic=said.topic, payload=said.payload, qos=1, retain=False)
        until_s = time.monotonic() + ANSWERS_WITHIN_S
        while session.is_open and not (tried.came_back or tried.denied) and time.monotonic() < until_s:
            session.wait(waking, _TURN_S)
            tried.denied = next((name.lower() for _, code, name in session.take_acknowledged() if code >= _FAILURE), "")
            tried.came_back = any(message.payload == said.payload for message in session.take_received())
    tried.is_deaf = session.is_deaf


def _judged(tried: _Tried, settings: MqttSettings, topics: Topics) -> Finding:
    where, user = f"{settings.host}:{port_of(settings)}", settings.username or "this client"
    allow = _ALLOW.format(user=user, base=topics.base)
    if tried.trouble is not None:
        return Finding("broker", "failure", tried.trouble.reason, _REFUSED if tried.trouble.refused else _LOST)
    if tried.denied:
        says = f"{where} does not take {alert_topic(topics)} ({tried.denied})"
        return Finding("broker", "failure", says, allow)
    if not tried.came_back:
        return _unheard(settings, topics, f"{where} lets {user} in, but", allow)
    if tried.is_deaf:
        says = f"{where} does not let {user} listen to commands: nobody can acknowledge over MQTT"
        return Finding("broker", "warning", says, allow)
    as_user = "" if settings.username is None else f" as {settings.username}"
    sealed = "with TLS" if settings.tls else "without TLS"
    says = f"{where} lets us in{as_user}, {sealed}; what is written below {topics.base} is taken, and comes back"
    return Finding("broker", "ok", says)


def _unheard(settings: MqttSettings, topics: Topics, says: str, allow: str) -> Finding:
    """Only MQTT 5 says whether something was taken: without its word, nothing may arrive."""
    written = f"what is written to {alert_topic(topics)} does not come back"
    if settings.protocol == "5":
        says = f"{says} {written}: commands and self-tests may not be heard"
        return Finding("broker", "warning", says, allow)
    says = f"{says} {written}: it may not be taken, which MQTT {settings.protocol} cannot say"
    return Finding("broker", "failure", says, f'{allow}; set protocol to "5" where the broker speaks it')


def _as_the_daemon_has_it(settings: MqttSettings, state: DaemonState) -> Finding:
    """The password is a credential that only the daemon is given."""
    says = f"the daemon that runs logs in as {settings.username} with a password of its own: {state.broker}"
    if state.broker in _CONNECTED:
        return Finding("broker", "ok" if state.broker == "connected" else "warning", says, _status(state))
    return Finding("broker", "failure", says, _status(state))


def _beside_the_daemon(finding: Finding, state: DaemonState) -> Finding:
    """What the running daemon says of the same broker."""
    if state.broker is None:
        says = f"{finding.says}; the daemon that runs knows of no broker"
        return Finding("broker", "warning", says, f"systemctl reload auricle@{state.instance}, or start it anew")
    if state.broker != "connected":
        says = f"{finding.says}; but the daemon that runs says: {state.broker}"
        return Finding("broker", "warning", says, _status(state) or finding.do)
    owed = f", {state.owed} changes are owed" if state.owed else ""
    return Finding("broker", finding.verdict, f"{finding.says}; the daemon that runs is connected{owed}", finding.do)


def _status(state: DaemonState) -> str:
    return "" if state.broker == "connected" else f"auricle status --instance {state.instance} tells why"


# --- pins


def pins(settings: GpioSettings, state: DaemonState | None, factory: Any = None) -> Finding:
    """Whether the pins that are named can be had; they are low for a moment.

    Args:
        settings: which pins.
        state: what the running daemon tells, which holds them; None where none runs.
        factory: gpiozero's; None for this machine's own pins.
    """
    named = ", ".join(f"GPIO {number} ({name})" for name, number in named_pins(settings).items())
    if not named:
        return Finding("pins", "ok", "none is named in [gpio]")
    if state is not None:
        says = f"the daemon that runs (process {state.pid}) holds {named}; where it could not have one, it said so"
        return Finding("pins", "ok", says)
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        gpio = Gpio(settings, on_acknowledge=_nothing, on_pause=_nothing, work_folder=Path(folder), factory=factory)
        with gpio:
            problem = gpio.problem
    if problem is None:
        return Finding("pins", "ok", f"{named} can be had")
    do = "look for what else uses these pins, with gpioinfo; where this is no Raspberry Pi, leave [gpio] out"
    return Finding("pins", "failure", problem, do)


def _nothing() -> None:
    """The button may be pressed meanwhile."""


# --- clips


def clips(settings: ClipSettings, folder: Path) -> Finding:
    """Whether sound and pictures of alarms can be kept, where that is asked for."""
    if not settings.enabled:
        return Finding("clips", "ok", "no sound is kept")
    if importlib.util.find_spec("soundfile") is None:
        return Finding("clips", "failure", "soundfile is not installed, which clips need", "install auricle[device]")
    try:
        left_bytes = max(0, round(settings.max_mb * 1e6) - _clip_bytes(folder)) + KEPT_FREE_BYTES
    except PermissionError:
        return Finding("clips", "failure", f"the folder of clips {folder} is closed to this user", _AS_THE_DAEMON)
    do = "make room, or set a smaller max_mb in [clips]; what finds no room is not kept, and alarms are told even so"
    return room("clips", f"the folder of clips {folder}", folder, needed_bytes=left_bytes, do=do)


def _clip_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.*") if file.is_file())


# --- time zone


def zone(settings: Settings, now: datetime | None = None) -> Finding:
    """By which clock on the wall quiet hours and daily times are kept.

    Args:
        settings: of them.
        now: with a zone; None for the time of day.

    Raises:
        ConfigError: there is no such zone.
    """
    there = (now or datetime.now().astimezone()).astimezone(_zone_of(settings.alarms))
    by = settings.alarms.time_zone or "this machine's zone"
    kept = [f"quiet hours {settings.alarms.quiet_hours}"] if settings.alarms.quiet_hours else []
    kept += [f"self-test at {settings.self_test.daily_at}"] if settings.self_test.daily_at else []
    says = f"{' and '.join(kept) or 'no time of day'} by {by}, where it is {there:%H:%M} ({there:%Z})"
    if settings.alarms.quiet_hours and settings.alarms.time_zone is None and not there.utcoffset():
        do = 'set "time_zone" in [alarms], as to "Europe/Berlin", or the machine\'s with timedatectl set-timezone'
        return Finding("zone", "warning", f"{says}: is that the time on your wall?", do)
    return Finding("zone", "ok", says)


def _zone_of(settings: AlarmSettings) -> zoneinfo.ZoneInfo | None:
    if settings.time_zone is None:
        return None
    try:
        return zoneinfo.ZoneInfo(settings.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        raise ConfigError(
            f'"time_zone" in [alarms] is "{settings.time_zone}", which this machine does not know'
        ) from None
