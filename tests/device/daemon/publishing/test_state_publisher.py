"""Changed state is published, and a sound that nobody follows any more is not called over."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from device.alarms.label_modes import ModeNow
from device.config.settings import MqttSettings
from device.daemon.publishing.announcer import Announcer
from device.daemon.publishing.figure_pace import REPEATED_EVERY_S, SIGN_EVERY_S
from device.daemon.publishing.state_publisher import ALL_FIGURES_FOR_S, FIGURES_EVERY_S, StatePublisher
from device.messages import Alarm, Decision, Event, Heard, Scores
from device.runtime.daemon_state import DaemonState, FaultStatus
from device.sinks.payloads import Message, Topics

TOPICS = Topics("auricle", "anna")
DISCOVERY = "homeassistant/device/auricle_anna_1/config"
SOUND = "auricle/anna/sound/cry/cry"
ALARM = Alarm("s-cry-cry-0", "sound", "cry", "cry", "high", "active", False, 0.9, "3 of 4")


class Stage:
    def __init__(self, **settings: Any) -> None:
        self.published: list[Message] = []
        mqtt = MqttSettings(host="h", **settings)
        announcer = Announcer(
            TOPICS,
            mqtt,
            labels=(("cry", "cry"),),
            fresh_id="auricle_anna_1",
            machine_id="auricle_anna_0",
            version="0.1.0",
            publish=self.published.append,
            save_note=lambda _note: None,
        )
        self.state_publisher = StatePublisher(
            TOPICS, mqtt, holds={("cry", "cry"): 1.0}, publish=self.published.append, announcer=announcer
        )

    def payloads(self, topic: str) -> list[bytes]:
        return [message.payload for message in self.published if message.topic == topic]


@pytest.fixture
def now() -> DaemonState:
    zeros: dict[str, Any] = dict.fromkeys((field for field in DaemonState.__slots__), 0)
    running: dict[str, Any] = {
        "hearing": True,
        "sample_rate_hz": 16000,
        "level_dbfs": -50.0,
        "peak_dbfs": -40.0,
        "listened": 1.0,
        "windows": 1.0,
        "broker": "connected",
    }
    return DaemonState(
        **{**zeros, **running, "faults": (), "labels": (), "alarms": (), "told_utc_s": 1.7e9, "listening_in": None}
    )


def event(phase: Any, label: str = "cry", reason: str = "3 of 4") -> Event:
    return Event("s-cry-cry-0", 0, "cry", label, phase, 0.9, 1.0, None, 4.0, reason)


def off(seconds: float) -> Heard:
    """Decisions that are off from the first window to `seconds` after its end."""
    ends_s = [2.0 + 0.5 * index for index in range(round(seconds / 0.5) + 1)]
    return Heard(decisions=[Decision("cry", "cry", "off", "", 0.1, end_s - 2.0, end_s) for end_s in ends_s])


def scored(*values: float) -> Heard:
    return Heard(scores=[Scores("cry", {"cry": value, "babble": 0.3}, 0.0, 2.0) for value in values])


def test_it_begins_with_all_that_an_entity_needs_to_be_available() -> None:
    stage = Stage()
    stage.state_publisher.start()
    assert stage.payloads(TOPICS.available) == [b"online"]
    assert stage.payloads(TOPICS.microphone_available) == [b"offline"]  # until sound comes
    assert stage.payloads(SOUND) == [], "before the first window nobody knows"
    stage.state_publisher.restore_announced(None)
    first = [message.topic for message in stage.state_publisher.initial_messages()]
    assert first == [DISCOVERY, TOPICS.available, TOPICS.microphone_available]


def test_the_microphone_is_available_while_sound_comes(now: DaemonState) -> None:
    stage = Stage()
    stage.state_publisher.start()
    lost = replace(now, faults=(FaultStatus("microphone", 1.0, "unplugged"),))
    silent = replace(now, faults=(FaultStatus("silence", 1.0, "all zeros"),))
    for state in (replace(now, sample_rate_hz=None), now, silent, lost, now):
        stage.state_publisher.publish_state(state, 0.0)
    stage.state_publisher.publish_microphone_offline()
    assert stage.payloads(TOPICS.microphone_available) == [b"offline", b"online", b"offline", b"online", b"offline"]


def test_what_stays_as_it_is_is_told_once_and_figures_once_in_a_while(now: DaemonState) -> None:
    stage = Stage(frigate_topics=True)
    for turn in range(2 * 660):
        stage.state_publisher.publish_heard(scored(0.01))
        stage.state_publisher.publish_state(now, 0.5 * turn)
    assert len(stage.payloads(TOPICS.state)) == 1
    assert len(stage.payloads(TOPICS.faults)) == 1
    assert len(stage.payloads(TOPICS.coverage)) == 1
    levels, scores = stage.payloads(TOPICS.level), stage.payloads(TOPICS.score("cry", "cry"))
    assert len(levels) + len(scores) == 2 + 660 // SIGN_EVERY_S
    assert min(len(levels), len(scores)) >= 660 // REPEATED_EVERY_S + 1
    assert abs(len(levels) - len(scores)) <= 1
    assert len(stage.payloads("auricle/anna/audio/dBFS")) == len(stage.payloads(TOPICS.level))


def test_a_figure_that_moves_is_published_within_ten_seconds(now: DaemonState) -> None:
    stage = Stage()
    levels = (-50.0, -48.0, -44.0, -44.0, None, None, -50.0)
    for turn, level in enumerate(levels):
        listened = 1.0 if turn < 3 else 0.9
        state = replace(now, level_dbfs=level, listened=listened)
        stage.state_publisher.publish_state(state, FIGURES_EVERY_S * turn)
    told = [json.loads(payload)["rms_dbfs"] for payload in stage.payloads(TOPICS.level)]
    assert told == [-50.0, -44.0, None, -50.0]
    assert [json.loads(payload)["listened"] for payload in stage.payloads(TOPICS.coverage)] == [1.0, 0.9]


def test_figures_follow_each_connection_for_a_minute_as_a_subscriber_needs_a_moment(now: DaemonState) -> None:
    stage = Stage()
    stage.state_publisher.publish_state(now, 0.0)
    stage.state_publisher.initial_messages()
    for turn in range(2 * 200):
        stage.state_publisher.publish_state(now, 1.0 + 0.5 * turn)
    later = (200 - ALL_FIGURES_FOR_S) // SIGN_EVERY_S
    assert len(stage.payloads(TOPICS.level)) == 1 + ALL_FIGURES_FOR_S // FIGURES_EVERY_S + 1 + later


def test_alarms_that_are_open_are_told_at_once(now: DaemonState) -> None:
    stage = Stage()
    stage.state_publisher.publish_state(now, 0.0)
    stage.state_publisher.publish_alarms((ALARM,), paused=True, utc_s=1.7e9)
    state = json.loads(stage.payloads(TOPICS.state)[-1])
    assert (state["priority"], state["paused"], state["hearing"]) == ("high", True, True)
    assert state["alarms"][0]["alarm_id"] == ALARM.alarm_id


def test_labels_are_on_from_begin_to_quiet_and_frigates_names_follow() -> None:
    stage = Stage(frigate_topics=True)
    stage.state_publisher.start()
    heard = [event("begin"), event("reopen"), event("end", reason="quiet"), event("begin", "babble")]
    stage.state_publisher.publish_heard(Heard(events=heard))
    assert stage.payloads(SOUND) == [b"ON", b"OFF"]
    assert stage.payloads("auricle/anna/audio/crying") == [b"ON", b"OFF"]
    assert not any("babble" in message.topic for message in stage.published)


@pytest.mark.parametrize("reason", ["no_audio", "deaf", "gap", "rate", "reload", "stopped"])
def test_a_cry_that_may_go_on_is_not_off_before_it_is_known_to_be_over(now: DaemonState, reason: str) -> None:
    stage = Stage(frigate_topics=True)
    stage.state_publisher.publish_heard(Heard(events=[event("begin"), event("end", reason=reason)]))
    stage.state_publisher.publish_state(now, 0.0)
    assert stage.payloads(SOUND) == stage.payloads("auricle/anna/audio/crying") == [b"ON"]
    assert json.loads(stage.payloads(TOPICS.state)[-1])["sounds"] == [
        {"model": "cry", "name": "cry", "heard": None, "mode": "alarm"}
    ]
    stage.state_publisher.publish_heard(off(1.0))
    stage.state_publisher.publish_state(now, 0.5)
    assert stage.payloads(SOUND) == stage.payloads("auricle/anna/audio/crying") == [b"ON", b"OFF"]
    assert json.loads(stage.payloads(TOPICS.state)[-1])["sounds"] == [
        {"model": "cry", "name": "cry", "heard": False, "mode": "alarm"}
    ]


def test_what_a_deaf_daemon_says_of_a_label_that_was_off_is_that_nobody_knows(now: DaemonState) -> None:
    stage = Stage()
    stage.state_publisher.publish_heard(off(1.0))
    stage.state_publisher.publish_state(replace(now, hearing=False), 0.0)
    assert json.loads(stage.payloads(TOPICS.state)[-1])["sounds"][0]["heard"] is None
    assert stage.payloads(SOUND) == [b"OFF"]


def test_scores_are_published_with_the_highest_since_the_last_message(now: DaemonState) -> None:
    stage = Stage()
    topic = TOPICS.score("cry", "cry")
    stage.state_publisher.publish_heard(scored(0.1, 0.7, 0.2))
    stage.state_publisher.publish_state(now, 0.0)
    stage.state_publisher.publish_state(now, 1.0)
    stage.state_publisher.publish_heard(scored(0.3))
    stage.state_publisher.publish_state(now, FIGURES_EVERY_S)
    stage.state_publisher.publish_state(now, 2 * FIGURES_EVERY_S)  # nothing was scored since
    told = [json.loads(payload) for payload in stage.payloads(topic)]
    assert told == [{"newest": 0.2, "highest": 0.7}, {"newest": 0.3, "highest": 0.3}]
    assert not any("babble" in message.topic for message in stage.published)


def test_a_sensitivity_is_published_when_it_changes() -> None:
    stage = Stage()
    for value in (0, 0, 2):
        stage.state_publisher.publish_sensitivities({("cry", "cry"): (value, 0), ("cry", "babble"): (0, 0)})
    told = [json.loads(message.payload) for message in stage.published]
    assert told == [{"sensitivity": value, "configured": 0} for value in (0, 2)]


def test_what_is_off_is_unknown_off_and_said_so_until_it_is_listened_for_again(now: DaemonState) -> None:
    stage, cry = Stage(), ("cry", "cry")
    stage.state_publisher.publish_heard(Heard(events=[event("begin")]))
    stage.state_publisher.publish_heard(Heard(events=[event("end", reason="gap")]))
    stage.state_publisher.publish_modes({"cry": ModeNow("off", "hours")}, frozenset({cry}))
    stage.state_publisher.publish_state(now, 0.0)
    assert stage.payloads(SOUND) == [b"ON", b"OFF"]
    assert json.loads(stage.payloads(TOPICS.state)[-1])["sounds"][0] | {"heard": None, "mode": "off"} == {
        "model": "cry",
        "name": "cry",
        "heard": None,
        "mode": "off",
    }
    stage.state_publisher.publish_modes({"cry": ModeNow("log", "switch", "log")}, frozenset())
    stage.state_publisher.publish_heard(Heard(events=[event("reopen")]))
    stage.state_publisher.publish_state(now, 0.5)
    modes = [json.loads(payload) for payload in stage.payloads("auricle/anna/mode/cry")]
    assert modes == [
        {"mode": "off", "cause": "hours", "switch": None},
        {"mode": "log", "cause": "switch", "switch": "log"},
    ]
    assert stage.payloads(SOUND) == [b"ON", b"OFF", b"ON"]
    assert json.loads(stage.payloads(TOPICS.state)[-1])["sounds"][0]["mode"] == "log"


def test_a_ward_can_count_on_a_message_within_90_seconds_whatever_can_be_measured(now: DaemonState) -> None:
    deaf = replace(now, sample_rate_hz=None, level_dbfs=None, listened=None, windows=None)
    for state in (now, deaf):
        stage, times = Stage(), []
        for turn in range(1800):
            before = len(stage.published)
            stage.state_publisher.publish_state(state, float(turn))
            times += [turn] * (len(stage.published) > before)
        assert max(later - earlier for earlier, later in pairwise([*times, 1800])) <= SIGN_EVERY_S + 1.0


def test_how_many_listen_in_is_told_as_it_changes_and_not_where_it_is_off(now: DaemonState) -> None:
    stage = Stage()
    stage.state_publisher.start()
    for people in (None, (), ("anna",), ("anna",), ("anna", "ben"), None):
        stage.state_publisher.publish_state(replace(now, listening_in=people), 0.0)
    told = [json.loads(payload).get("listening_in", "off") for payload in stage.payloads(TOPICS.state)]
    assert told == ["off", 0, 1, 2, "off"]
