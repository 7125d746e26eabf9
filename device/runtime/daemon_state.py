"""The state of a running daemon as data: one snapshot, its age, and the JSON that carries it over the status socket."""

from __future__ import annotations

import dataclasses
import json
import types
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from device.config.toml_text import printable
from device.errors import BundleError, ServiceError
from device.messages import (  # noqa: TC001 - `from_json` reads them from the classes that they are written in
    AlarmKind,
    AlarmState,
    FaultKind,
    Priority,
)
from device.strict_json import parse

VERSION = 2
"""Of what is told; another one is another set of members."""

HUNG_AFTER_S = 5.0
"""A state is made twice a second: one this old comes from a main loop that hangs."""


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
