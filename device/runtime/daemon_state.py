"""What a running daemon tells those who ask, over a local socket.

The daemon hands in a snapshot of its state; whoever connects is told it as JSON and let go. Nothing is
read from a client, so nothing can be asked for, and a client that hangs hinders nobody for long. How old
a snapshot is, the server measures by a clock that never jumps: a main loop that hangs cannot say so itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import select
import socket
import stat
import threading
import time
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from device.config.toml_text import printable
from device.errors import BundleError, ServiceError
from device.messages import (  # noqa: TC001 - `from_json` reads them from the classes that they are written in
    AlarmKind,
    AlarmState,
    FaultKind,
    Priority,
)
from device.strict_json import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSION = 2
"""Of what is told; another one is another set of members."""

HUNG_AFTER_S = 5.0
"""A state is made twice a second: one this old comes from a main loop that hangs."""

ANSWER_WITHIN_S = 3.0

_MOST_BYTES = 1 << 20
_TICK_S = 1.0
_CLIENT_S = 1.0
_PAUSE_S = 0.05
_CLIENTS = 8  # that may wait for their turn
_JOIN_S = 2.0


@dataclass(frozen=True, slots=True)
class LabelNow:
    """One label of one model.

    Attributes:
        model: name of the model.
        label: of it.
        on: it is heard now.
        score: of the newest window, in [0, 1]; None before the first.
        since_utc_s: since when it is heard; None where it is not.
    """

    model: str
    label: str
    on: bool
    score: float | None
    since_utc_s: float | None


@dataclass(frozen=True, slots=True)
class FaultNow:
    """A fault that is open.

    Attributes:
        kind: what is wrong.
        since_utc_s: since when.
        detail: one sentence with the figure that was measured.
    """

    kind: FaultKind
    since_utc_s: float
    detail: str


@dataclass(frozen=True, slots=True)
class AlarmNow:
    """An alarm that is open.

    Attributes:
        alarm_id: never used for another one.
        kind: of what people hear, or of what keeps Auricle from hearing or telling.
        name: the label, or the fault's kind.
        model: that heard it, or that fails; empty for a fault of none.
        priority: as it is told now.
        state: whether its cause is there.
        acknowledged: somebody has seen it.
        detail: one sentence.
    """

    alarm_id: str
    kind: AlarmKind
    name: str
    model: str
    priority: Priority
    state: AlarmState
    acknowledged: bool
    detail: str


@dataclass(frozen=True, slots=True)
class DaemonState:
    """A daemon as it is at one moment; all counts are since its start, the microphone's since it was configured.

    Attributes:
        instance: its name.
        version: of Auricle.
        pid: its process.
        started_utc_s: time of day when it started, as its clock then was.
        told_utc_s: time of day when this was made.
        uptime_s: seconds from its start to this, by a clock that never jumps.
        source: what is heard: the microphone as it is configured, or a recording.
        device: full name of the microphone; empty where none has been open yet.
        hearing: a cry would be heard now.
        sample_rate_hz: at which is captured; None before the first sample.
        level_dbfs: root mean square of the last second; None for digital silence, or no sound at all.
        peak_dbfs: of the last second; None as for the level.
        hop_s: from one window to the next, now.
        configured_hop_s: as it should be.
        listened: share of the last seconds that was in a scored window, in [0, 1]; None before the first.
        windows: share of the windows due that were scored, in [0, 1]; None before the first.
        backlog_s: seconds of sound that wait to be heard.
        labels: of all models.
        faults: that are open.
        alarms: that are open, the most urgent first.
        paused: lights show alarms, and nothing sounds.
        owed: changes of alarms that no broker has acknowledged; None where none is configured.
        broker: how it stands with the broker, as `connected` or `lost`; None where none is configured.
        journal: why alarms are not kept at present; empty while they are.
        events: that began.
        faults_told: that began.
        gaps: stretches of missing samples.
        overruns: how often the sound card lost samples.
        reopened: how often the microphone was opened again.
        windows_scored: by every model that shares the first one's windows.
        windows_due: of these windows, one for each configured hop.
        dropped_s: seconds of sound that were dropped in overload.
        dropped_notices: lines that could not be told in time.
        last_event: one line about it; empty before the first.
        models: name and version of each.
        age_s: seconds since this was made; whoever tells it sets it.
    """

    instance: str
    version: str
    pid: int
    started_utc_s: float
    told_utc_s: float
    uptime_s: float
    source: str
    device: str
    hearing: bool
    sample_rate_hz: int | None
    level_dbfs: float | None
    peak_dbfs: float | None
    hop_s: float
    configured_hop_s: float
    listened: float | None
    windows: float | None
    backlog_s: float
    labels: tuple[LabelNow, ...]
    faults: tuple[FaultNow, ...]
    alarms: tuple[AlarmNow, ...]
    paused: bool
    owed: int | None
    broker: str | None
    journal: str
    events: int
    faults_told: int
    gaps: int
    overruns: int
    reopened: int
    windows_scored: int
    windows_due: int
    dropped_s: float
    dropped_notices: int
    last_event: str
    models: tuple[str, ...]
    age_s: float = 0.0

    @property
    def hangs(self) -> bool:
        """Whether the main loop has made no state for too long."""
        return self.age_s > HUNG_AFTER_S

    @property
    def hears(self) -> bool:
        """Whether a cry would be heard now: `hearing`, and somebody is there who would say otherwise."""
        return self.hearing and not self.hangs


class Age:
    """How old a daemon's states are, from their `uptime_s` alone: the freshest one ever seen was new."""

    def __init__(self) -> None:
        self._started_s = float("inf")

    def told(self, state: DaemonState, now_s: float) -> DaemonState:
        """The state with the seconds since it was made; `now_s` is monotonic."""
        self._started_s = min(self._started_s, now_s - state.uptime_s)
        return dataclasses.replace(state, age_s=now_s - state.uptime_s - self._started_s)


# --- as JSON


def to_json(state: DaemonState) -> str:
    """One line of JSON.

    Raises:
        ValueError: a number is not finite.
    """
    told = {"version": VERSION, "state": dataclasses.asdict(state)}
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()  # a file name that is no UTF-8 holds what JSON may not


def from_json(data: bytes) -> DaemonState:
    """The state that the bytes describe.

    Raises:
        ServiceError: they describe none, or one of another version.
    """
    try:
        told = parse(data, "what the daemon tells")
    except BundleError as error:
        raise ServiceError(str(error)) from None
    if not isinstance(told, dict) or "version" not in told:
        raise ServiceError("what the daemon tells is no status")
    if told["version"] != VERSION:
        version = printable(str(told["version"]))
        raise ServiceError(f"the daemon tells its status in version {version}, this is {VERSION}: use its own auricle")
    return _object(told.get("state"), DaemonState, "state")


_Made = TypeVar("_Made")


def _object(value: Any, kind: type[_Made], where: str) -> _Made:
    """A JSON object that has exactly the fields of a dataclass."""
    hints = get_type_hints(kind)
    if not isinstance(value, dict) or value.keys() != hints.keys():
        raise ServiceError(f"what the daemon tells is no status: {where} must have {', '.join(hints)}")
    return kind(**{name: _field(value[name], hint, f"{where}.{name}") for name, hint in hints.items()})


def _field(value: Any, hint: Any, where: str) -> Any:
    arguments = get_args(hint)
    if get_origin(hint) in {types.UnionType, Union}:  # X | None
        return None if value is None else _field(value, arguments[0], where)
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_field(item, arguments[0], f"{where}[{index}]") for index, item in enumerate(value))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _object(value, hint, where)
    if get_origin(hint) is Literal and value in arguments:
        return value
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ServiceError(f"what the daemon tells is no status: {where} is {printable(repr(value))[:40]}")
    return value


# --- the socket


class StatusServer:
    """Tells a daemon's state to whoever connects to a socket; a context manager with a thread of its own.

    Args:
        path: of the socket; its folder is made where there is none. A second file beside it is locked as
            long as this lives, so that a socket left behind by a crash is known from one that is served.
        state: the newest snapshot, from any thread; None before the first.

    Raises:
        ServiceError: another daemon serves this socket, or it cannot be made.
    """

    def __init__(self, path: Path, state: Callable[[], DaemonState | None]) -> None:
        self._path = path
        self._state = state
        self._age = Age()
        self._closed = threading.Event()
        with contextlib.ExitStack() as opened:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                opened.callback(os.close, _lock(path))
                self._listening = opened.enter_context(_listening(path))
            except OSError as error:
                why = error.strerror or error
                raise ServiceError(f"the status socket {printable(str(path))} cannot be made: {why}") from None
            opened.callback(path.unlink, missing_ok=True)
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            opened.callback(os.close, self._wake)
            self._opened = opened.pop_all()
        self._thread = threading.Thread(target=self._serve, name="status", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"StatusServer({str(self._path)!r}, {'closed' if self._closed.is_set() else 'open'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Serve nobody any more, and take the socket away; idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        os.eventfd_write(self._wake, 1)
        self._thread.join(_JOIN_S)
        with contextlib.suppress(OSError):
            self._opened.close()

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._listening, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._closed.is_set():
            self._aged()  # once in a while, whoever asks: the first who does so must be told the right age
            if poll.poll(_TICK_S * 1000):
                self._tell()

    def _tell(self) -> None:
        """One client; a crowd, or one that hangs, costs each of the others a second at most."""
        try:
            client, _ = self._listening.accept()
        except OSError:  # none is there, or no descriptor is left for one
            self._closed.wait(_PAUSE_S)
            return
        with client, contextlib.suppress(OSError):
            client.settimeout(_CLIENT_S)
            client.sendall(self._answer())

    def _answer(self) -> bytes:
        """The state; nothing before the first, or where it holds what JSON cannot say."""
        state = self._aged()
        with contextlib.suppress(ValueError, TypeError):
            return b"" if state is None else to_json(state).encode()
        return b""

    def _aged(self) -> DaemonState | None:
        state = self._state()
        return None if state is None else self._age.told(state, time.monotonic())


def _lock(path: Path) -> int:
    """The descriptor of a file whose lock says that the socket beside it is served."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        name = path.parent.name
        raise ServiceError(
            f"a daemon already runs at {printable(str(path))}: stop it, or give this one a name other than {name!r}"
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _listening(path: Path) -> socket.socket:
    """A socket at the path, open to owner and group; one that a crash left behind is taken away."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ServiceError(f"{printable(str(path))} is no socket: move it away, auricle listens there")
        path.unlink()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with _short(path) as address:
            server.bind(address)
        path.chmod(0o660)  # nobody can connect before it listens
        server.listen(_CLIENTS)
        server.setblocking(False)
    except BaseException:
        server.close()
        raise
    return server


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """An address for a socket at a path of any length: the kernel takes 107 bytes of one."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def read_status(path: Path, timeout_s: float = ANSWER_WITHIN_S) -> DaemonState:
    """Ask the daemon at a socket.

    Raises:
        ServiceError: none runs there, or it does not answer.
    """
    where = printable(str(path))
    try:
        answer = _asked(path, time.monotonic() + timeout_s)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise ServiceError(f"no daemon runs at {where}; auricle listen starts one") from None
    except PermissionError:
        raise ServiceError(f"{where} is closed to this user: ask with sudo, or join the group auricle") from None
    except (TimeoutError, BlockingIOError):
        raise ServiceError(f"the daemon at {where} does not answer within {timeout_s:g} s") from None
    except OSError as error:
        raise ServiceError(f"the daemon at {where} cannot be asked: {error.strerror or error}") from None
    if not answer:
        raise ServiceError(f"the daemon at {where} is starting or stopping: ask again in a moment")
    return from_json(answer)


def _asked(path: Path, deadline_s: float) -> bytes:
    chunks = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as client, _short(path) as address:
        client.settimeout(max(0.01, deadline_s - time.monotonic()))
        client.connect(address)
        while len(chunks) <= _MOST_BYTES:
            client.settimeout(max(0.01, deadline_s - time.monotonic()))
            chunk = client.recv(1 << 16)
            if not chunk:
                break
            chunks += chunk
            if time.monotonic() > deadline_s:
                raise TimeoutError
    return bytes(chunks)
