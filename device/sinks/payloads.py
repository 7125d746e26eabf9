"""What is published over MQTT, and under which topics; docs/mqtt.md tells it to people. Pure.

Everything stands below `<topic>/<instance>`:

    available                       online, offline: the daemon; retained, and the broker says offline for one that died
    microphone/available            online, offline; retained
    alarm/sound/<model>/<label>     every change of an alarm: JSON, docs/schemas/alarm.schema.json
    alarm/technical/<fault>         likewise, of what keeps Auricle from hearing or telling
    state                           what is open now: JSON, docs/schemas/state.schema.json; retained
    sound/<model>/<label>           ON, OFF; retained
    faults, coverage                JSON; retained
    level                           JSON, once in a while; neither retained nor acknowledged
    audio/<label>, dBFS and rms     under the names that Frigate gives them; where asked for
    command/<verb>                  is listened to

A number that is none is null; JSON's keys always come in the same order. Takes all times as arguments.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from device.commands import Verb
from device.daytime import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from device.messages import Alarm, AlarmKind, TimeQuality, Transition

SCHEMA_VERSION = 1
"""Of alarms and of the state; it grows where a member changes its meaning or goes."""

LATE_AFTER_S = 5.0
"""What is told longer than this after it was decided is late."""

MOST_ALARMS = 20
"""That the state lists, the most urgent first; it says how many more there are."""

SILENCE_DBFS = -120.0
"""What digital silence is under Frigate's topics, which know numbers alone: far below what any microphone gives."""

ONLINE, OFFLINE = b"online", b"offline"
ON, OFF = b"ON", b"OFF"

_MOST_CHARACTERS = 500  # of a sentence
_DECIMALS = 6
_FRIGATE_LABELS: Mapping[str, str] = MappingProxyType({"cry": "crying", "scream": "yell"})
_FULL_SCALE = 32768  # Frigate's rms counts steps of 16 bits


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be published.

    Attributes:
        topic: whole.
        payload: as it is sent.
        qos: 1 where the broker is to acknowledge it.
        retain: the broker keeps it for whoever subscribes later.
    """

    topic: str
    payload: bytes
    qos: Literal[0, 1] = 1
    retain: bool = False


class OpenFault(Protocol):
    """A fault as it is listed."""

    @property
    def kind(self) -> str:
        """What is wrong."""

    @property
    def since_utc_s(self) -> float:
        """Since when."""

    @property
    def detail(self) -> str:
        """One sentence."""


class Topics:
    """All topics of one instance.

    Args:
        root: what every topic begins with, such as `auricle`, or `home/auricle`.
        instance: name of the daemon.
    """

    def __init__(self, root: str, instance: str) -> None:
        self.root = root
        self.instance = instance
        self.base = f"{root}/{instance}"
        self.available = f"{self.base}/available"
        self.microphone_available = f"{self.base}/microphone/available"
        self.state = f"{self.base}/state"
        self.faults = f"{self.base}/faults"
        self.coverage = f"{self.base}/coverage"
        self.level = f"{self.base}/level"
        self.technical_alarms = f"{self.base}/alarm/technical/+"  # for subscribers

    def __repr__(self) -> str:
        return f"Topics({self.base!r})"

    @property
    def commands(self) -> Mapping[str, Verb]:
        """Topic -> what is asked of the daemon there."""
        verbs: tuple[Verb, ...] = get_args(Verb)
        return MappingProxyType({self.command(verb): verb for verb in verbs})

    def command(self, verb: Verb) -> str:
        """Where people ask for something."""
        return f"{self.base}/command/{verb}"

    def alarm(self, kind: AlarmKind, *, model: str, name: str) -> str:
        """Where the changes of such an alarm are told."""
        return f"{self.base}/alarm/sound/{model}/{name}" if kind == "sound" else f"{self.base}/alarm/technical/{name}"

    def alarm_of(self, body: str) -> str:
        """Where the body of an alarm is told, see `alarm_body`.

        Raises:
            ValueError: it is none.
        """
        members = _alarm_members(body)
        return self.alarm(members["kind"], model=members["model"], name=members["name"])

    def sound(self, model: str, label: str) -> str:
        """Where it is told whether a label is heard."""
        return f"{self.base}/sound/{model}/{label}"

    def frigate(self, name: str) -> str:
        """Where Frigate tells it."""
        return f"{self.base}/audio/{name}"


# --- alarms


def alarm_body(
    transition: Transition,
    *,
    instance: str,
    start_utc_s: float | None,
    decided_utc_s: float,
    time_quality: TimeQuality,
    captured_to_decided_s: float | None,
) -> str:
    """What a change of an alarm says wherever and whenever it is told: JSON, as it is journalled.

    Args:
        transition: the change.
        instance: name of the daemon.
        start_utc_s: when what is alarmed about began; None where nobody knows.
        decided_utc_s: when this change was decided.
        time_quality: of both.
        captured_to_decided_s: from the last sample of the deciding window to the decision; None where none decided.
    """
    alarm = transition.alarm
    return _json(
        {
            "schema_version": SCHEMA_VERSION,
            "instance": instance,
            "alarm_id": alarm.alarm_id,
            "seq": transition.seq,
            "change": transition.change,
            "event_type": transition.change,  # as Home Assistant calls it
            **_alarm_now(alarm),
            "cause": _sentence(transition.cause),
            "start_utc": None if start_utc_s is None else utc_text(start_utc_s, "milliseconds"),
            "decided_utc": utc_text(decided_utc_s, "milliseconds"),
            "time_quality": time_quality,
            "captured_to_decided_s": _number(captured_to_decided_s),
        }
    )


def alarm_payload(body: str, *, decided_to_told_s: float | None, not_durable: bool) -> bytes:
    """A change of an alarm as it is told now.

    Args:
        body: of `alarm_body`.
        decided_to_told_s: from the decision to this moment; None where no clock can say.
        not_durable: the disk has not kept it: where this message is lost, so is the change.

    Raises:
        ValueError: the body is none.
    """
    told = {
        **_alarm_members(body),
        "decided_to_told_s": _number(decided_to_told_s),
        "late": decided_to_told_s is None or not decided_to_told_s <= LATE_AFTER_S,
        "not_durable": not_durable,
    }
    return _json(told).encode()


def _alarm_members(body: str) -> dict[str, Any]:
    members = json.loads(body)
    if isinstance(members, dict) and all(isinstance(members.get(key), str) for key in ("kind", "model", "name")):
        return members
    raise ValueError("what was kept of an alarm is no body of one")


def _alarm_now(alarm: Alarm) -> dict[str, Any]:
    return {
        "kind": alarm.kind,
        "name": alarm.name,
        "model": alarm.model,
        "state": alarm.state,
        "priority": alarm.priority,
        "acknowledged": alarm.acknowledged,
        "score": _number(alarm.score),
        "detail": _sentence(alarm.detail),
    }


# --- what is the case


def availability(topics: Topics, *, online: bool) -> Message:
    """Whether the daemon runs; the broker holds the one that says offline as its last will."""
    return Message(topics.available, ONLINE if online else OFFLINE, retain=True)


def microphone_availability(topics: Topics, *, online: bool) -> Message:
    """Whether a microphone is heard."""
    return Message(topics.microphone_available, ONLINE if online else OFFLINE, retain=True)


def state(topics: Topics, alarms: Sequence[Alarm], *, hearing: bool, paused: bool, utc_s: float) -> Message:
    """What is open, and whether a cry would be heard.

    Args:
        topics: of the instance.
        alarms: that are open, the most urgent first.
        hearing: a cry would be heard now.
        paused: lights and buzzer are silent for a while.
        utc_s: now.
    """
    listed = [{"alarm_id": alarm.alarm_id, **_alarm_now(alarm)} for alarm in alarms[:MOST_ALARMS]]
    told = {
        "schema_version": SCHEMA_VERSION,
        "instance": topics.instance,
        "hearing": hearing,
        "paused": paused,
        "priority": alarms[0].priority if alarms else None,
        "alarms": listed,
        "omitted": len(alarms) - len(listed),
        "told_utc": utc_text(utc_s, "milliseconds"),
    }
    return Message(topics.state, _json(told).encode(), retain=True)


def sound(topics: Topics, model: str, label: str, *, on: bool) -> Message:
    """Whether a label is heard."""
    return Message(topics.sound(model, label), ON if on else OFF, retain=True)


def faults(topics: Topics, listed: Iterable[OpenFault]) -> Message:
    """The faults that are open."""
    told = [
        {
            "kind": fault.kind,
            "since_utc": utc_text(fault.since_utc_s, "milliseconds"),
            "detail": _sentence(fault.detail),
        }
        for fault in listed
    ]
    return Message(topics.faults, _json({"open": told}).encode(), retain=True)


def coverage(topics: Topics, *, listened: float | None, windows: float | None) -> Message:
    """Shares, in [0, 1], of the last seconds that were listened to and of the windows that were scored."""
    told = {"listened": _number(listened), "windows": _number(windows)}
    return Message(topics.coverage, _json(told).encode(), retain=True)


def level(topics: Topics, *, rms_dbfs: float | None, peak_dbfs: float | None) -> Message:
    """How loud it is; None for digital silence, or no sound at all."""
    told = {"rms_dbfs": _number(rms_dbfs, 2), "peak_dbfs": _number(peak_dbfs, 2)}
    return Message(topics.level, _json(told).encode(), qos=0)


# --- Frigate's names


def frigate_sound(topics: Topics, label: str, *, on: bool) -> Message:
    """Whether a label is heard, under Frigate's name for it; never retained there."""
    return Message(topics.frigate(_FRIGATE_LABELS.get(label, label)), ON if on else OFF)


def frigate_level(topics: Topics, rms_dbfs: float | None) -> tuple[Message, Message]:
    """How loud it is, twice: in dBFS, and as steps of 16 bits. Digital silence is a floor, never full scale."""
    dbfs = SILENCE_DBFS if rms_dbfs is None or not rms_dbfs > SILENCE_DBFS else rms_dbfs
    steps = 0.0 if dbfs == SILENCE_DBFS else _FULL_SCALE * 10 ** (dbfs / 20)
    return (
        Message(topics.frigate("dBFS"), f"{dbfs:.1f}".encode(), qos=0),
        Message(topics.frigate("rms"), f"{steps:.1f}".encode(), qos=0),
    )


# --- JSON


def _json(members: Mapping[str, Any]) -> str:
    """In the order given; what is no UTF-8 (a file's name) is escaped, as JSON may."""
    text = json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()


def _sentence(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"


def _number(value: float | None, decimals: int = _DECIMALS) -> float | None:
    """Never a negative zero, and nothing that JSON does not know."""
    return None if value is None or not math.isfinite(value) else round(float(value), decimals) + 0.0
