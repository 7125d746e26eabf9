"""The messages that are published over MQTT, and their topics; docs/mqtt.md documents them for users. Pure.

Everything stands below `<topic>/<instance>`:

    available                       online, offline: the daemon; retained, and the broker says offline for one that died
    microphone/available            online, offline; retained
    owner                           which device publishes under this name: JSON of sinks.mqtt.ownership; retained
    alarm/sound/<model>/<label>     every change of an alarm: JSON, docs/schemas/alarm.schema.json
    alarm/technical/<fault>         likewise, of what keeps Auricle from hearing or from delivering alarms
    state                           the alarms that are open now: JSON, docs/schemas/state.schema.json; retained
    sound/<model>/<label>           ON, OFF; retained
    sensitivity/<model>/<label>     JSON; retained
    mode/<label>                    JSON, of each label that is scheduled; retained
    score/<model>/<label>           JSON, at intervals; neither retained nor acknowledged
    faults, coverage, software      JSON; retained
    level                           JSON, at intervals; neither retained nor acknowledged
    audio/<label>, dBFS and rms     under Frigate's names; if configured
    command/<verb>                  subscribed to

docs/schemas/topics.json names the schema of each. A number that is not finite is null; JSON keys always have the same
order. All times are arguments.
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

    from device.alarms.label_modes import ModeNow
    from device.messages import Alarm, AlarmHistory, AlarmKind, LabelMode, NightShare, TimeQuality, Transition

SCHEMA_VERSION = 1
"""Of alarms and of the state; incremented if a member changes its meaning or is removed."""

LATE_AFTER_S = 5.0
"""An alarm that is published longer than this after its decision is late."""

MAX_ALARMS = 20
"""Alarms that the state lists, the most urgent first; it says how many more there are."""

ONLINE, OFFLINE = b"online", b"offline"
ON, OFF = b"ON", b"OFF"

_NO_HISTORIES: Mapping[str, AlarmHistory] = MappingProxyType({})
_NOTHING_SCHEDULED: Mapping[str, LabelMode] = MappingProxyType({})
_MAX_CHARACTERS = 500  # of a sentence
_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Message:
    """A message to publish.

    Attributes:
        topic: in full.
        payload: as sent.
        qos: 1 if the broker is to acknowledge it.
        retain: the broker keeps it for later subscribers.
    """

    topic: str
    payload: bytes
    qos: Literal[0, 1] = 1
    retain: bool = False


class OpenFault(Protocol):
    """A fault in the list of open faults."""

    @property
    def kind(self) -> str:
        """What is wrong."""

    @property
    def since_utc_s(self) -> float:
        """When it began."""

    @property
    def detail(self) -> str:
        """One sentence."""


class Topics:
    """All topics of one instance.

    Args:
        root: prefix of every topic, such as `auricle`, or `home/auricle`.
        instance: name of the daemon.
    """

    def __init__(self, root: str, instance: str) -> None:
        self.root = root
        self.instance = instance
        self.base = f"{root}/{instance}"
        self.available = f"{self.base}/available"
        self.owner = f"{self.base}/owner"
        self.microphone_available = f"{self.base}/microphone/available"
        self.state = f"{self.base}/state"
        self.faults = f"{self.base}/faults"
        self.software = f"{self.base}/software"
        self.coverage = f"{self.base}/coverage"
        self.level = f"{self.base}/level"
        self.technical_alarms = f"{self.base}/alarm/technical/+"  # for subscribers

    def __repr__(self) -> str:
        return f"Topics({self.base!r})"

    @property
    def commands(self) -> Mapping[str, Verb]:
        """Topic -> verb of the commands there."""
        verbs: tuple[Verb, ...] = get_args(Verb)
        return MappingProxyType({self.command(verb): verb for verb in verbs})

    def command(self, verb: Verb) -> str:
        """Topic of a command."""
        return f"{self.base}/command/{verb}"

    def alarm(self, kind: AlarmKind, *, model: str, name: str) -> str:
        """Topic of the changes of an alarm."""
        return f"{self.base}/alarm/sound/{model}/{name}" if kind == "sound" else f"{self.base}/alarm/technical/{name}"

    def alarm_of(self, body: str) -> str:
        """Topic of the body of an alarm, see `alarm_body`.

        Raises:
            ValueError: it is not one.
        """
        members = _alarm_members(body)
        return self.alarm(members["kind"], model=members["model"], name=members["name"])

    def sound(self, model: str, label: str) -> str:
        """Topic of whether a label is heard."""
        return f"{self.base}/sound/{model}/{label}"

    def score(self, model: str, label: str) -> str:
        """Topic of the scores of a label."""
        return f"{self.base}/score/{model}/{label}"

    def sensitivity(self, model: str, label: str) -> str:
        """Topic of the sensitivity of a label."""
        return f"{self.base}/sensitivity/{model}/{label}"

    def mode(self, label: str) -> str:
        """Topic of what a label does now."""
        return f"{self.base}/mode/{label}"

    def retained(self, labels: Iterable[tuple[str, str]], scheduled: Iterable[str] = ()) -> tuple[str, ...]:
        """All topics of the instance that the broker keeps, with these (model, label), and scheduled labels."""
        of_labels = [topic(*label) for label in labels for topic in (self.sound, self.sensitivity)]
        return (
            self.available,
            self.owner,
            self.microphone_available,
            self.state,
            self.faults,
            self.software,
            self.coverage,
            f"{self.base}/self_test",
            *of_labels,
            *map(self.mode, scheduled),
        )

    def frigate(self, name: str) -> str:
        """Topic under Frigate's name."""
        return f"{self.base}/audio/{name}"


# --- alarms


def alarm_body(
    transition: Transition,
    *,
    instance: str,
    start_utc_s: float | None,
    end_utc_s: float | None = None,
    decided_utc_s: float,
    time_quality: TimeQuality,
    captured_to_decided_s: float | None,
) -> str:
    """A change of an alarm as JSON, as it is journalled; the same for all sinks and every try.

    Args:
        transition: the change.
        instance: name of the daemon.
        start_utc_s: when the cause of the alarm began; None if that is unknown.
        end_utc_s: when it ended; None if it has not, or if that is unknown.
        decided_utc_s: when this change was decided.
        time_quality: of all three.
        captured_to_decided_s: from the last sample of the deciding window to the decision; None if no window decided.
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
            **_alarm_fields(alarm),
            "cause": _sentence(transition.cause),
            "verdict": None if transition.event is None else transition.event.verdict,
            "start_utc": None if start_utc_s is None else utc_text(start_utc_s, "milliseconds"),
            "end_utc": None if end_utc_s is None else utc_text(end_utc_s, "milliseconds"),
            "decided_utc": utc_text(decided_utc_s, "milliseconds"),
            "time_quality": time_quality,
            "captured_to_decided_s": _number(captured_to_decided_s),
        }
    )


def alarm_payload(body: str, *, decided_to_told_s: float | None, not_durable: bool) -> bytes:
    """A change of an alarm as it is published now.

    Args:
        body: of `alarm_body`.
        decided_to_told_s: from the decision to now; None if no clock can say.
        not_durable: no disk has it: if this message is lost, so is the change.

    Raises:
        ValueError: it is not a body.
    """
    members = {
        **_alarm_members(body),
        "decided_to_told_s": _number(decided_to_told_s),
        "late": is_late(decided_to_told_s),
        "not_durable": not_durable,
    }
    return _json(members).encode()


def is_late(age_s: float | None) -> bool:
    """Whether a change of an alarm of this age, counted from its decision, is late; an unknown age is."""
    return age_s is None or not age_s <= LATE_AFTER_S


def _alarm_members(body: str) -> dict[str, Any]:
    members = json.loads(body)
    if isinstance(members, dict) and all(isinstance(members.get(key), str) for key in ("kind", "model", "name")):
        return members
    raise ValueError("what was kept of an alarm is no body of one")


def _alarm_fields(alarm: Alarm) -> dict[str, Any]:
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


def _history_fields(history: AlarmHistory | None) -> dict[str, Any]:
    start_utc_s = None if history is None else history.start_utc_s
    return {
        "start_utc": None if start_utc_s is None else utc_text(start_utc_s, "milliseconds"),
        "acknowledged_by": None if history is None else history.acknowledged_by,
    }


# --- current state


def availability(topics: Topics, *, online: bool) -> Message:
    """Whether the daemon runs; `offline` is also the last will that the broker holds."""
    return Message(topics.available, ONLINE if online else OFFLINE, retain=True)


def microphone_availability(topics: Topics, *, online: bool) -> Message:
    """Whether a microphone delivers sound."""
    return Message(topics.microphone_available, ONLINE if online else OFFLINE, retain=True)


def state(
    topics: Topics,
    alarms: Sequence[Alarm],
    sounds: Mapping[tuple[str, str], bool | None],
    *,
    hearing: bool,
    paused: bool,
    utc_s: float,
    modes: Mapping[str, LabelMode] = _NOTHING_SCHEDULED,
    histories: Mapping[str, AlarmHistory] = _NO_HISTORIES,
    listening_in: int | None = None,
) -> Message:
    """The open alarms, which labels are heard, and whether a cry would be heard.

    Args:
        topics: of the instance.
        alarms: that are open, the most urgent first.
        sounds: (model, label) -> whether it is heard; None if that is unknown.
        hearing: a cry would be heard now.
        paused: buzzer and relay are silenced for a while.
        utc_s: now.
        modes: label -> what it does, of those that are scheduled.
        histories: alarm_id -> what is remembered of it.
        listening_in: how many listen in now; None where nobody can.
    """
    listed = [
        {"alarm_id": alarm.alarm_id, **_alarm_fields(alarm), **_history_fields(histories.get(alarm.alarm_id))}
        for alarm in alarms[:MAX_ALARMS]
    ]
    members = {
        "schema_version": SCHEMA_VERSION,
        "instance": topics.instance,
        "hearing": hearing,
        "paused": paused,
        "priority": alarms[0].priority if alarms else None,
        "alarms": listed,
        "omitted": len(alarms) - len(listed),
        "unacknowledged": sum(not alarm.acknowledged for alarm in alarms),
        "sounds": [
            {"model": model, "name": label, "heard": heard, "mode": modes.get(label, "alarm")}
            for (model, label), heard in sounds.items()
        ],
        **({} if listening_in is None else {"listening_in": listening_in}),
        "told_utc": utc_text(utc_s, "milliseconds"),
    }
    return Message(topics.state, _json(members).encode(), retain=True)


def sound(topics: Topics, model: str, label: str, *, on: bool) -> Message:
    """Whether a label is heard; this form cannot say that nobody knows, or that it is off, see `state`."""
    return Message(topics.sound(model, label), ON if on else OFF, retain=True)


def score(topics: Topics, model: str, label: str, *, newest: float, highest: float) -> Message:
    """Scores of a label in [0, 1]: of the newest window, and the highest since the last message."""
    members = {"newest": _number(newest, 3), "highest": _number(highest, 3)}
    return Message(topics.score(model, label), _json(members).encode(), qos=0)


def sensitivity(topics: Topics, model: str, label: str, *, value: int, configured: int) -> Message:
    """The sensitivity of a label in force, and that of the configuration."""
    members = {"sensitivity": value, "configured": configured}
    return Message(topics.sensitivity(model, label), _json(members).encode(), retain=True)


def mode(topics: Topics, label: str, now: ModeNow) -> Message:
    """What a label does now, why, and what somebody set it to."""
    members = {"mode": now.mode, "cause": now.cause, "switch": now.switch}
    return Message(topics.mode(label), _json(members).encode(), retain=True)


def withdrawal(topic: str) -> Message:
    """Makes the broker forget the retained message of a topic."""
    return Message(topic, b"", retain=True)


def faults(topics: Topics, listed: Iterable[OpenFault]) -> Message:
    """The faults that are open."""
    faults_open = [
        {
            "kind": fault.kind,
            "since_utc": utc_text(fault.since_utc_s, "milliseconds"),
            "detail": _sentence(fault.detail),
        }
        for fault in listed
    ]
    return Message(topics.faults, _json({"open": faults_open}).encode(), retain=True)


def software(topics: Topics, *, version: str, models: Sequence[str]) -> Message:
    """What runs: the version of Auricle, and name and version of each model."""
    return Message(topics.software, _json({"version": version, "models": models}).encode(), retain=True)


def coverage(
    topics: Topics, *, listened: float | None, windows: float | None, night: NightShare | None = None
) -> Message:
    """Shares, in [0, 1], of the last seconds that were analysed and of the windows that were scored; and the night."""
    members: dict[str, Any] = {"listened": _number(listened), "windows": _number(windows), "night": None}
    if night:
        since_utc = utc_text(night.since_utc_s, "milliseconds")
        members["night"] = {"since_utc": since_utc, "elapsed_s": night.elapsed_s, "listened_s": night.listened_s}
    return Message(topics.coverage, _json(members).encode(), retain=True)


def level(topics: Topics, *, rms_dbfs: float | None, peak_dbfs: float | None) -> Message:
    """The sound level; None for digital silence, or no sound at all."""
    members = {"rms_dbfs": _number(rms_dbfs, 2), "peak_dbfs": _number(peak_dbfs, 2)}
    return Message(topics.level, _json(members).encode(), qos=0)


# --- JSON


def _json(members: Mapping[str, Any]) -> str:
    """Members in the given order; what is not UTF-8 (a file's name) is escaped, as JSON allows."""
    text = json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()


def _sentence(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 1]}…"


def _number(value: float | None, decimals: int = _DECIMALS) -> float | None:
    """Rounded; no negative zero, and None for what JSON cannot express."""
    return None if value is None or not math.isfinite(value) else round(float(value), decimals) + 0.0
