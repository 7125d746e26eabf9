"""The state of a running daemon as data: one snapshot, its age, and the JSON that carries it over the status socket."""

from __future__ import annotations

import dataclasses
import json
import types
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from device.errors import BundleError, ServiceError
from device.messages import (  # noqa: TC001 - `from_json` evaluates the annotations of these classes
    AlarmKind,
    AlarmState,
    FaultKind,
    LabelMode,
    ModeCause,
    ModeSwitch,
    NightShare,
    Priority,
)
from device.printable import excerpt
from device.strict_json import parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VERSION = 2
"""Of the JSON. It changes if a field goes or means something else; a new field, with a default, does not change it."""

_SHOWN_CHARACTERS = 40  # of a value that is refused

HUNG_AFTER_S = 5.0
"""The main loop makes a state twice a second; if the newest is this old, the loop hangs."""


@cache
def installed_version() -> str:
    """The version of this package; read once, since the main loop may not wait for a disk."""
    return metadata.version("auricle")


@dataclass(frozen=True, slots=True)
class LabelStatus:
    """One label of one model.

    Attributes:
        model: name of the model.
        label: of it.
        on: whether it is detected now.
        score: of the newest window, in [0, 1]; None before the first.
        since_utc_s: onset time in UTC seconds; None while it is off.
        sensitivity: steps in force, -5 to 5.
        configured_sensitivity: steps that the configuration says.
        mode: what it does now: it raises alarms, is only logged, or is off, which shows neither `on` nor a score.
        mode_cause: why.
        switch: what somebody set it to; None if it has no switch.
    """

    model: str
    label: str
    on: bool
    score: float | None
    since_utc_s: float | None
    sensitivity: int = 0
    configured_sensitivity: int = 0
    mode: LabelMode = "alarm"
    mode_cause: ModeCause = "always"
    switch: ModeSwitch | None = None


@dataclass(frozen=True, slots=True)
class FaultStatus:
    """An open fault.

    Attributes:
        kind: what is wrong.
        since_utc_s: when it began, in UTC seconds.
        detail: one sentence with the measured value.
    """

    kind: FaultKind
    since_utc_s: float
    detail: str


@dataclass(frozen=True, slots=True)
class AlarmStatus:
    """An open alarm.

    Attributes:
        alarm_id: never reused.
        kind: `sound` for a detected sound, `technical` for a fault of Auricle itself.
        name: the label, or the fault's kind.
        model: the model that detected it, or that fails; empty for a fault of no model.
        priority: its current priority.
        state: whether its cause persists.
        acknowledged: whether a caregiver has acknowledged it.
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
    """A snapshot of a daemon; counts run from its start, those of the microphone from when it was configured.

    Attributes:
        instance: its name.
        version: of Auricle.
        pid: its process.
        started_utc_s: time of day when it started, as the clock read then.
        told_utc_s: time of day when this snapshot was made.
        uptime_s: seconds from the start to this snapshot, by the monotonic clock.
        source: the audio source: the microphone as configured, or a recording.
        device: full name of the microphone; empty until one has been opened.
        hearing: whether a cry would be detected now.
        sample_rate_hz: capture rate; None before the first sample.
        level_dbfs: root mean square of the last second; None for digital silence, or no audio at all.
        peak_dbfs: of the last second; None as for the level.
        hop_s: current time from one window to the next.
        configured_hop_s: the configured one.
        listened: share of the last seconds that was in a scored window, in [0, 1]; None before the first.
        windows: share of the windows due that were scored, in [0, 1]; None before the first.
        backlog_s: seconds of queued audio.
        labels: of all models.
        faults: open faults.
        alarms: open alarms, the most urgent first.
        paused: whether alarms are shown by lights only, without sound.
        owed: alarm changes that no broker has acknowledged; None if no broker is configured.
        broker_reason: why it is not connected, or what is wrong with the connection; empty if nothing is.
        broker: state of the connection, as `connected` or `lost`; None if no broker is configured.
        journal: why alarms are not journalled at present; empty while they are.
        events: events that began.
        faults_told: faults that began.
        gaps: stretches of missing samples.
        overruns: how often the sound card lost samples.
        reopened: how often the microphone was reopened.
        windows_scored: by every model that shares the first one's windows.
        windows_due: of these windows, one for each configured hop.
        dropped_s: seconds of audio dropped in overload.
        dropped_notices: notices that no sink wrote in time.
        last_event: one line about it; empty before the first.
        models: name and version of each.
        commands_rejected: commands over MQTT that were invalid, retained or too frequent.
        bundles: SHA-256 of the file of each model, in the order of `models`.
        reloads: that are over since the start, applied or refused.
        reload_refused: why the last one was refused; empty if it was applied, or there was none.
        paused_until_utc_s: when signals sound again; None while they are not paused.
        push: how the process that notifies phones fares; None if nobody is to be notified.
        window_age_s: seconds from the newest window that a model scored to this snapshot; None before the first.
        delivered: changes of alarms that the broker has acknowledged.
        delivered_late: of these, the ones that were late, or for which no clock can say whether they were.
        listening_in: who listens in now; None where nobody can, because it is off.
        night: how much was listened to since the last noon; None for the first seconds.
        age_s: seconds since this snapshot was made, set by whoever serves it.
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
    labels: tuple[LabelStatus, ...]
    faults: tuple[FaultStatus, ...]
    alarms: tuple[AlarmStatus, ...]
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
    commands_rejected: int = 0
    broker_reason: str = ""
    bundles: tuple[str, ...] = ()
    reloads: int = 0
    reload_refused: str = ""
    paused_until_utc_s: float | None = None
    push: str | None = None
    window_age_s: float | None = None
    delivered: int = 0
    delivered_late: int = 0
    listening_in: tuple[str, ...] | None = None
    night: NightShare | None = None
    age_s: float = 0.0

    @property
    def hangs(self) -> bool:
        """Whether the main loop has made no snapshot for too long."""
        return self.age_s > HUNG_AFTER_S

    @property
    def hears(self) -> bool:
        """Whether a cry would be detected now: `hearing`, from a main loop that does not hang."""
        return self.hearing and not self.hangs


class StateAge:
    """How old a daemon's snapshots are, from their `uptime_s` alone: the freshest one seen so far counts as new."""

    def __init__(self) -> None:
        self._started_s = float("inf")

    def apply(self, state: DaemonState, now_s: float) -> DaemonState:
        """The state with its `age_s` set; `now_s` is monotonic."""
        self._started_s = min(self._started_s, now_s - state.uptime_s)
        return dataclasses.replace(state, age_s=now_s - state.uptime_s - self._started_s)


# --- as JSON


def to_json(state: DaemonState, heard: Sequence[Mapping[str, Any]] = ()) -> str:
    """One line of JSON; `heard` stands beside the state, for readers who look for it.

    Raises:
        ValueError: a number is not finite.
    """
    beside = {"heard": heard} if heard else {}
    content = {"version": VERSION, "state": dataclasses.asdict(state), **beside}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()  # a file name that is not UTF-8 holds surrogates


def from_json(data: bytes) -> DaemonState:
    """The state that `to_json` wrote.

    Raises:
        ServiceError: the bytes are no state, or one of another version.
    """
    return told_json(data)[0]


def told_json(data: bytes) -> tuple[DaemonState, Any]:
    """The state that `to_json` wrote, and what stands beside it as it is; None if nothing does.

    Raises:
        ServiceError: the bytes are no state, or one of another version.
    """
    try:
        content = parse(data, "what the daemon tells")
    except BundleError as error:
        raise ServiceError(str(error)) from None
    if not isinstance(content, dict) or "version" not in content:
        raise ServiceError("what the daemon tells is no status")
    if content["version"] != VERSION:
        version = excerpt(str(content["version"]), _SHOWN_CHARACTERS)
        raise ServiceError(f"the daemon tells its status in version {version}, this is {VERSION}: use its own auricle")
    return object_of(content.get("state"), DaemonState, "state"), content.get("heard")


_T = TypeVar("_T")


@cache
def _members_of(kind: type[Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Field -> type, and the fields that have a default; looked up once, as a page asks twice a second."""
    fields = dataclasses.fields(kind)
    return get_type_hints(kind), frozenset(each.name for each in fields if each.default is not dataclasses.MISSING)


def object_of(value: Any, kind: type[_T], where: str) -> _T:
    """A JSON object with the fields of a dataclass, as an instance of it.

    Fields of a newer daemon are ignored; one that an older daemon does not have may be missing if it has a default.

    Raises:
        ServiceError: it is none; `where` names it.
    """
    hints, optional = _members_of(cast("Any", kind))
    if not isinstance(value, dict) or not hints.keys() - optional <= value.keys():
        raise ServiceError(f"what the daemon tells is no status: {where} must have {', '.join(hints)}")
    there = {name: hint for name, hint in hints.items() if name in value}
    return kind(**{name: _field(value[name], hint, f"{where}.{name}") for name, hint in there.items()})


def _field(value: Any, hint: Any, where: str) -> Any:
    arguments = get_args(hint)
    if get_origin(hint) in {types.UnionType, Union}:  # X | None
        return None if value is None else _field(value, arguments[0], where)
    if (get_origin(hint), type(value)) in {(tuple, list), (dict, dict)}:
        return _collection(value, hint, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return object_of(value, hint, where)
    if get_origin(hint) is Literal and value in arguments:
        return value
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise ServiceError(f"what the daemon tells is no status: {where} is {excerpt(repr(value), _SHOWN_CHARACTERS)}")
    return value


def _collection(value: Any, hint: Any, where: str) -> Any:
    """A list as a tuple of fields, or an object as a dictionary of fields."""
    if isinstance(value, dict):
        return {name: _field(item, get_args(hint)[1], f"{where}.{name}") for name, item in value.items()}
    return tuple(_field(item, get_args(hint)[0], f"{where}[{index}]") for index, item in enumerate(value))
