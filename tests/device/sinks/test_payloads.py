"""What is published: its form is the schema's, whatever stands in it, and every topic carries the instance."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from device.alarms.label_modes import ModeNow
from device.commands import Verb
from device.messages import (
    Alarm,
    AlarmChange,
    AlarmKind,
    AlarmState,
    Event,
    NightShare,
    Priority,
    TimeQuality,
    Transition,
)
from device.sinks import frigate_payloads, payloads
from device.sinks.mqtt.ownership import Owner, Ownership, OwnTopics
from device.sinks.payloads import LATE_AFTER_S, MAX_ALARMS, Message, Topics, alarm_body, alarm_payload
from tests.schemas import TOPICS, check_message

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
_UTC_S = 1795227247.350
_TOPICS = Topics("auricle", "anna")
_CRY = Alarm("s-cry-cry-0", "sound", "cry", "cry", "high", "active", acknowledged=False, score=0.97, detail="3 of 4")


@dataclass(frozen=True, slots=True)
class _Fault:
    kind: str
    since_utc_s: float
    detail: str


def _schema(name: str) -> Draft202012Validator:
    schema = json.loads((_SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


_ALARM, _STATE = _schema("alarm"), _schema("state")
_ALARM_MEMBERS = set(json.loads((_SCHEMAS / "alarm.schema.json").read_text())["properties"])


def _no_number(text: str) -> Any:
    pytest.fail(f"{text} is no JSON")


def _parsed(payload: bytes) -> Any:
    return json.loads(payload.decode("utf-8", "strict"), parse_constant=_no_number)


def _body(alarm: Alarm = _CRY, **other: Any) -> str:
    transition = Transition(alarm, other.pop("seq", 0), other.pop("change", "raised"), other.pop("cause", "begin"), 9.0)
    given_: dict[str, Any] = {
        "instance": "anna",
        "start_utc_s": _UTC_S - 2.5,
        "decided_utc_s": _UTC_S,
        "time_quality": "synchronized",
        "captured_to_decided_s": 0.0312,
    }
    return alarm_body(transition, **{**given_, **other})


def _finite_or_not() -> st.SearchStrategy[float]:
    return st.floats() | st.sampled_from([-0.0, math.nan, math.inf])


_ALARMS = st.builds(
    Alarm,
    alarm_id=st.text(min_size=1, max_size=80),
    kind=st.sampled_from(get_args(AlarmKind)),
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
    model=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
    priority=st.sampled_from(get_args(Priority)),
    state=st.sampled_from(get_args(AlarmState)),
    acknowledged=st.booleans(),
    score=st.none() | st.floats(0, 1),
    detail=st.text(st.characters(), max_size=1500),  # lone surrogates too: a file's name may hold them
)


# --- alarms


def test_an_alarm_is_told_whole_with_its_keys_in_the_documented_order() -> None:
    payload = alarm_payload(_body(), decided_to_told_s=0.0123, not_durable=False)
    assert payload.decode() == (
        '{"schema_version":1,"instance":"anna","alarm_id":"s-cry-cry-0","seq":0,"change":"raised",'
        '"event_type":"raised","kind":"sound","name":"cry","model":"cry","state":"active","priority":"high",'
        '"acknowledged":false,"score":0.97,"detail":"3 of 4","cause":"begin","verdict":null,'
        '"start_utc":"2026-11-21T02:14:04.850Z","end_utc":null,"decided_utc":"2026-11-21T02:14:07.350Z",'
        '"time_quality":"synchronized","captured_to_decided_s":0.0312,"decided_to_told_s":0.0123,"late":false,'
        '"not_durable":false}'
    )


def test_the_end_of_a_sound_tells_its_verdict_and_a_change_without_an_event_none() -> None:
    begin = Event("s-cry-cry-0", 0, "cry", "cry", "begin", 0.97, 10.0, None, 11.5, "2 of 3 windows")
    end = replace(begin, phase="end", end_s=20.0, reason="quiet", verdict="hungry")
    verdicts = []
    for event in (begin, end, replace(end, verdict=None), None):
        transition = Transition(_CRY, 0, "ended", "quiet", 9.0, event)
        body = alarm_body(
            transition,
            instance="anna",
            start_utc_s=None,
            decided_utc_s=_UTC_S,
            time_quality="synchronized",
            captured_to_decided_s=None,
        )
        told = _parsed(alarm_payload(body, decided_to_told_s=0.0, not_durable=False))
        _ALARM.validate(told)
        verdicts.append(told["verdict"])
    assert verdicts == [None, "hungry", None, None]


@given(
    alarm=_ALARMS,
    seq=st.integers(0, 10**9),
    change=st.sampled_from(get_args(AlarmChange)),
    cause=st.text(st.characters(), max_size=1500),
    start_utc_s=st.none() | st.floats(0, 4e9),
    time_quality=st.sampled_from(get_args(TimeQuality)),
    captured_to_decided_s=st.none() | st.floats(0, 1e6),
    decided_to_told_s=st.none() | _finite_or_not(),
    not_durable=st.booleans(),
)
def test_every_alarm_is_strict_json_that_the_schema_describes_and_bounded(
    alarm: Alarm,
    *,
    change: AlarmChange,
    decided_to_told_s: float | None,
    not_durable: bool,
    **rest: Any,
) -> None:
    body = _body(alarm, change=change, **rest)
    body.encode()  # as a database wants it
    payload = alarm_payload(body, decided_to_told_s=decided_to_told_s, not_durable=not_durable)
    told = _parsed(payload)
    _ALARM.validate(told)
    assert set(told) == _ALARM_MEMBERS
    assert (told["alarm_id"], told["change"]) == (alarm.alarm_id, told["event_type"])
    assert len(payload) < 16000


@given(_finite_or_not() | st.none())
def test_an_alarm_is_late_unless_it_is_known_to_be_in_time(decided_to_told_s: float | None) -> None:
    told = _parsed(alarm_payload(_body(), decided_to_told_s=decided_to_told_s, not_durable=True))
    in_time = decided_to_told_s is not None and decided_to_told_s <= LATE_AFTER_S
    assert told["late"] is not in_time
    assert told["not_durable"] is True


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "{}", '{"kind":"sound","name":1,"model":"cry"}'])
def test_what_is_no_body_of_an_alarm_is_refused_and_not_told(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        alarm_payload(body, decided_to_told_s=0.0, not_durable=False)
    with pytest.raises(ValueError, match=r"."):
        _TOPICS.alarm_of(body)


def test_an_alarm_is_told_under_its_own_label_and_a_technical_one_under_its_fault() -> None:
    broken = Alarm(
        "b-3", "technical", "classifier", "cry", "high", "active", acknowledged=False, score=None, detail="no"
    )
    assert _TOPICS.alarm_of(_body()) == "auricle/anna/alarm/sound/cry/cry"
    assert _TOPICS.alarm_of(_body(broken)) == "auricle/anna/alarm/technical/classifier"


# --- what is the case


@given(st.lists(_ALARMS, max_size=40))
def test_the_state_lists_what_is_open_and_says_what_it_leaves_out(alarms: list[Alarm]) -> None:
    open_ = [alarm for alarm in alarms if alarm.state != "ended"]
    sounds = {("cry", "cry"): True, ("lung", "wheeze"): None}
    message = payloads.state(_TOPICS, open_, sounds, hearing=True, paused=False, utc_s=_UTC_S)
    told = _parsed(message.payload)
    _STATE.validate(told)
    assert message.retain
    assert len(told["alarms"]) == min(len(open_), MAX_ALARMS)
    assert len(told["alarms"]) + told["omitted"] == len(open_)
    assert told["priority"] == (open_[0].priority if open_ else None)
    assert told["unacknowledged"] == sum(not alarm.acknowledged for alarm in open_), "of all, not of those listed"
    assert [sound["heard"] for sound in told["sounds"]] == [True, None]


def test_the_newest_state_alone_is_retained_and_no_alarm_is() -> None:
    retained = {message.topic for message in _all_messages() if message.retain}
    assert retained == {
        "auricle/anna/available",
        "auricle/anna/owner",
        "auricle/anna/microphone/available",
        "auricle/anna/state",
        "auricle/anna/sound/cry/cry",
        "auricle/anna/sensitivity/cry/cry",
        "auricle/anna/mode/cry",
        "auricle/anna/faults",
        "auricle/anna/software",
        "auricle/anna/coverage",
    }


def test_availability_is_what_home_assistant_and_frigate_expect() -> None:
    assert payloads.availability(_TOPICS, online=True) == Message("auricle/anna/available", b"online", retain=True)
    assert payloads.availability(_TOPICS, online=False).payload == b"offline"
    assert payloads.microphone_availability(_TOPICS, online=False).payload == b"offline"


def test_a_fault_is_listed_with_the_time_since_which_it_is_open() -> None:
    told = _parsed(payloads.faults(_TOPICS, [_Fault("silence", _UTC_S, "zeros for 12 s")]).payload)
    assert told == {"open": [{"kind": "silence", "since_utc": "2026-11-21T02:14:07.350Z", "detail": "zeros for 12 s"}]}
    assert _parsed(payloads.faults(_TOPICS, []).payload) == {"open": []}


@given(_finite_or_not() | st.none(), _finite_or_not() | st.none())
def test_what_cannot_be_measured_is_null_and_never_a_number(first: float | None, second: float | None) -> None:
    level = _parsed(payloads.level(_TOPICS, rms_dbfs=first, peak_dbfs=second).payload)
    coverage = _parsed(payloads.coverage(_TOPICS, listened=first, windows=second).payload)
    known = first is not None and math.isfinite(first)
    assert (level["rms_dbfs"] is not None, coverage["listened"] is not None) == (known, known)


# --- Frigate's names


def test_frigates_labels_are_those_that_automations_know() -> None:
    assert frigate_payloads.frigate_sound(_TOPICS, "cry", on=True) == Message("auricle/anna/audio/crying", b"ON")
    assert frigate_payloads.frigate_sound(_TOPICS, "scream", on=False) == Message("auricle/anna/audio/yell", b"OFF")
    assert frigate_payloads.frigate_sound(_TOPICS, "wheeze", on=True).topic == "auricle/anna/audio/wheeze"


def test_digital_silence_is_never_told_as_full_scale() -> None:
    for silent in (None, -math.inf, math.nan, -300.0):
        dbfs, rms = frigate_payloads.frigate_level(_TOPICS, silent)
        assert (dbfs.payload, rms.payload) == (b"-120.0", b"0.0")


def test_frigates_level_counts_steps_of_16_bits() -> None:
    dbfs, rms = frigate_payloads.frigate_level(_TOPICS, -20.0)
    assert (dbfs.topic, dbfs.payload) == ("auricle/anna/audio/dBFS", b"-20.0")
    assert (rms.topic, rms.payload) == ("auricle/anna/audio/rms", b"3276.8")


# --- topics


def _all_messages() -> Iterator[Message]:
    yield payloads.availability(_TOPICS, online=True)
    yield payloads.microphone_availability(_TOPICS, online=True)
    yield Ownership(Owner("d", "r", "h"), OwnTopics(_TOPICS.owner, _TOPICS.available)).message
    yield Message(_TOPICS.alarm_of(_body()), alarm_payload(_body(), decided_to_told_s=0.0, not_durable=False))
    yield payloads.state(_TOPICS, [_CRY], {("cry", "cry"): True}, hearing=True, paused=False, utc_s=_UTC_S)
    yield payloads.sound(_TOPICS, "cry", "cry", on=True)
    yield payloads.score(_TOPICS, "cry", "cry", newest=0.1, highest=0.4)
    yield payloads.sensitivity(_TOPICS, "cry", "cry", value=1, configured=0)
    yield payloads.mode(_TOPICS, "cry", ModeNow("log", "hours", "auto"))
    yield payloads.faults(_TOPICS, [])
    yield payloads.software(_TOPICS, version="0.1.0", models=("cry 1.0.0",))
    yield payloads.coverage(_TOPICS, listened=1.0, windows=1.0, night=NightShare(1.7e9, 600.0, 599.0))
    yield payloads.level(_TOPICS, rms_dbfs=-40.0, peak_dbfs=-20.0)
    yield frigate_payloads.frigate_sound(_TOPICS, "cry", on=True)
    yield from frigate_payloads.frigate_level(_TOPICS, -40.0)


def test_every_topic_carries_the_instance_and_no_two_messages_share_one() -> None:
    topics = [message.topic for message in _all_messages()] + list(_TOPICS.commands)
    assert all(topic.startswith("auricle/anna/") for topic in topics)
    assert len(set(topics)) == len(topics)


def test_every_message_has_a_documented_schema_and_holds_to_it() -> None:
    documented = {
        check_message(message.topic.removeprefix("auricle/anna/"), message.payload) for message in _all_messages()
    }
    assert documented == TOPICS.keys() - {"alarm/technical/+", "self_test", "self_test/alert"}


def test_each_verb_has_one_topic() -> None:
    assert dict(_TOPICS.commands) == {f"auricle/anna/command/{verb}": verb for verb in get_args(Verb)}
