"""What a bed publishes, read from payloads that nobody can trust. Pure.

Only the members that a ward shows are read; others may come with later versions. A payload that cannot be read raises
`UnreadableError`, and the ward goes on without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from device.alarms.machine import acknowledger
from device.errors import BundleError
from device.messages import AlarmKind, AlarmState, Priority
from device.sinks.payloads import OFFLINE, ONLINE
from device.strict_json import parse

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_PAYLOAD_BYTES = 1 << 16
"""More than any daemon publishes."""

MAX_LISTED = 100
"""Alarms or faults of one payload; a daemon lists 20 alarms at most, and has fewer kinds of faults."""

_MAX_CHARACTERS = 500
_MAX_SEQ = 2**53
_MAX_NIGHT_S = 1e9
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)


class UnreadableError(ValueError):
    """A payload is not what its topic promises."""


@dataclass(frozen=True, slots=True)
class WardAlarm:
    """An alarm of a bed, after one of its changes.

    Attributes:
        alarm_id: never used for another alarm.
        seq: orders the changes of one alarm; None where a state lists it.
        kind: of what is heard, or of what keeps the bed from hearing.
        name: the label, or the kind of the fault.
        model: that heard it; empty for a fault of none.
        state: active, latched or ended.
        priority: as it is now.
        acknowledged: somebody has seen it.
        detail: one sentence.
        start_utc: when it began, as `2026-11-21T02:14:04.850Z`; None if that is unknown.
        decided_utc: when this change was decided, or when the state was published that lists it.
        trusts_clock: whether the bed's clock was right then.
        acknowledged_by: who acknowledged it, by this change; None if this change does not say.
    """

    alarm_id: str
    seq: int | None
    kind: AlarmKind
    name: str
    model: str
    state: AlarmState
    priority: Priority
    acknowledged: bool
    detail: str
    start_utc: str | None
    decided_utc: str
    trusts_clock: bool = True
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class BedState:
    """The newest state of a bed.

    Attributes:
        hearing: a cry would be heard.
        alarms: that are open, the most urgent first; some may be left out.
        omitted: how many are left out.
        told_utc: when this was said.
    """

    hearing: bool
    alarms: tuple[WardAlarm, ...]
    omitted: int
    told_utc: str


@dataclass(frozen=True, slots=True)
class BedFault:
    """A fault that is open.

    Attributes:
        kind: of the fault.
        since_utc: when it began.
        detail: one sentence.
    """

    kind: str
    since_utc: str
    detail: str


@dataclass(frozen=True, slots=True)
class BedSoftware:
    """What runs at a bed.

    Attributes:
        version: of Auricle.
        models: name and version of each.
    """

    version: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BedNight:
    """How much a bed has listened since the last noon of its zone, or since its first start.

    Attributes:
        since_utc: from then on.
        elapsed_s: seconds until the bed said this.
        listened_s: of these, the seconds in which it listened; at most `elapsed_s`.
    """

    since_utc: str
    elapsed_s: float
    listened_s: float


@dataclass(frozen=True, slots=True)
class BedCoverage:
    """How much a bed listens.

    Attributes:
        listened: share of the last seconds, in [0, 1]; None if the bed does not know.
        night: None if the bed does not say.
    """

    listened: float | None
    night: BedNight | None


def is_offline(payload: bytes) -> bool:
    """Whether a message of `available` says that a bed is gone.

    Raises:
        UnreadableError: it says neither that nor the contrary.
    """
    if payload not in {ONLINE, OFFLINE}:
        raise UnreadableError("the payload is neither online nor offline")
    return payload == OFFLINE


def read_alarm_change(payload: bytes) -> WardAlarm:
    """Read a message below `alarm/`.

    Raises:
        UnreadableError: it is none.
    """
    members = _object(payload)
    by = acknowledger(_text(members, "cause")) if members.get("change") == "acknowledged" else None
    seq = members.get("seq")
    if type(seq) is not int or not 0 <= seq <= _MAX_SEQ:
        raise UnreadableError("seq is no number of a change")
    decided_utc = _moment(members, "decided_utc")
    is_right = members.get("time_quality") == "synchronized"
    return _alarm(members, seq=seq, decided_utc=decided_utc, trusts_clock=is_right, by=by)


def read_state(payload: bytes) -> BedState:
    """Read a message of `state`.

    Raises:
        UnreadableError: it is none.
    """
    members = _object(payload)
    told_utc, hearing, omitted = _moment(members, "told_utc"), members.get("hearing"), members.get("omitted")
    if not isinstance(hearing, bool) or type(omitted) is not int or not 0 <= omitted <= _MAX_SEQ:
        raise UnreadableError("hearing or omitted is missing")
    return BedState(
        hearing, tuple(_listed_alarm(each, told_utc) for each in _objects(members, "alarms")), omitted, told_utc
    )


def read_faults(payload: bytes) -> tuple[BedFault, ...]:
    """Read a message of `faults`.

    Raises:
        UnreadableError: it is none.
    """
    listed = _objects(_object(payload), "open")
    return tuple(BedFault(_text(each, "kind"), _moment(each, "since_utc"), _text(each, "detail")) for each in listed)


def read_coverage(payload: bytes) -> BedCoverage:
    """Read a message of `coverage`.

    Raises:
        UnreadableError: it is none.
    """
    members = _object(payload)
    share, night = members.get("listened"), members.get("night")
    if "listened" not in members or not (night is None or isinstance(night, dict)):
        raise UnreadableError("listened is missing, or night is no object")
    return BedCoverage(
        None if share is None else _number_to(members, "listened", 1.0), None if night is None else _night(night)
    )


def read_software(payload: bytes) -> BedSoftware:
    """Read a message of `software`.

    Raises:
        UnreadableError: it is none.
    """
    members = _object(payload)
    models = members.get("models")
    if not isinstance(models, list) or len(models) > MAX_LISTED or not all(isinstance(each, str) for each in models):
        raise UnreadableError("models is no list of names")
    return BedSoftware(_text(members, "version"), tuple(each[:_MAX_CHARACTERS] for each in models))


def _night(members: dict[str, Any]) -> BedNight:
    elapsed_s = _number_to(members, "elapsed_s", _MAX_NIGHT_S)
    return BedNight(_moment(members, "since_utc"), elapsed_s, _number_to(members, "listened_s", elapsed_s))


def _listed_alarm(members: dict[str, Any], told_utc: str) -> WardAlarm:
    by = members.get("acknowledged_by")
    name = by[:_MAX_CHARACTERS] if isinstance(by, str) else None
    return _alarm(members, seq=None, decided_utc=told_utc, trusts_clock=True, by=name)


def _alarm(
    members: dict[str, Any], *, seq: int | None, decided_utc: str, trusts_clock: bool, by: str | None
) -> WardAlarm:
    acknowledged = members.get("acknowledged")
    if not isinstance(acknowledged, bool):
        raise UnreadableError("acknowledged is missing")
    alarm_id = _text(members, "alarm_id")
    if not alarm_id:
        raise UnreadableError("an alarm has no id")
    return WardAlarm(
        alarm_id=alarm_id,
        seq=seq,
        kind=_choice(members, "kind", get_args(AlarmKind)),
        name=_text(members, "name"),
        model=_text(members, "model"),
        state=_choice(members, "state", get_args(AlarmState)),
        priority=_choice(members, "priority", get_args(Priority)),
        acknowledged=acknowledged,
        detail=_text(members, "detail"),
        start_utc=None if members.get("start_utc") is None else _moment(members, "start_utc"),
        decided_utc=decided_utc,
        trusts_clock=trusts_clock,
        acknowledged_by=by,
    )


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise UnreadableError("the payload is longer than any daemon's")
    try:
        members = parse(payload, "the payload")
    except BundleError as error:
        raise UnreadableError(str(error)) from None
    if not isinstance(members, dict):
        raise UnreadableError("the payload is no object")
    return members


def _objects(members: dict[str, Any], name: str) -> list[dict[str, Any]]:
    listed = members.get(name)
    if not isinstance(listed, list) or len(listed) > MAX_LISTED or not all(isinstance(each, dict) for each in listed):
        raise UnreadableError(f"{name} is no list of objects")
    return listed


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise UnreadableError(f"{name} is no text")
    return value[:_MAX_CHARACTERS]


def _number_to(members: dict[str, Any], name: str, most: float) -> float:
    value = members.get(name)
    if type(value) not in {int, float} or not 0 <= value <= most:  # type: ignore[operator]
        raise UnreadableError(f"{name} is no number from 0 to {most:g}")
    return float(value)  # type: ignore[arg-type]


def _moment(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        raise UnreadableError(f"{name} is no moment")
    return value


def _choice(members: dict[str, Any], name: str, choices: Collection[Any]) -> Any:
    value = members.get(name)
    if not isinstance(value, str) or value not in choices:
        raise UnreadableError(f"{name} is none of {', '.join(choices)}")
    return value
