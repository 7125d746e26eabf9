"""Changed state is published, and Home Assistant learns what there is and what is gone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from device.config.settings import MqttSettings
from device.daemon.delivery.state_publisher import FIGURES_EVERY_S, StatePublisher
from device.messages import Alarm, Event
from device.runtime.daemon_state import DaemonState, FaultStatus
from device.sinks.payloads import Message, Topics

TOPICS = Topics("auricle", "anna")
DISCOVERY = "homeassistant/device/auricle_anna/config"
ALARM = Alarm("s-cry-cry-0", "sound", "cry", "cry", "high", "active", False, 0.9, "3 of 4")


class Stage:
    def __init__(self, *, labels: tuple[tuple[str, str], ...] = (("cry", "cry"),), **settings: Any) -> None:
        self.published: list[Message] = []
        self.notes: list[str] = []
        mqtt = MqttSettings(host="h", **settings)
        self.state_publisher = StatePublisher(
            TOPICS, mqtt, labels=labels, publish=self.published.append, save_note=self.notes.append
        )

    def payloads(self, topic: str) -> list[bytes]:
        return [message.payload for message in self.published if message.topic == topic]

    def components(self) -> dict[str, Any]:
        components: dict[str, Any] = json.loads(self.payloads(DISCOVERY)[-1])["components"]
        return components


@pytest.fixture
def now() -> DaemonState:
    zeros: dict[str, Any] = dict.fromkeys((field for field in DaemonState.__slots__), 0)
    running = {
        "hearing": True,
        "sample_rate_hz": 16000,
        "level_dbfs": -50.0,
        "peak_dbfs": -40.0,
        "listened": 1.0,
        "windows": 1.0,
    }
    return DaemonState(**{**zeros, **running, "faults": (), "labels": (), "alarms": (), "told_utc_s": 1.7e9})


def event(phase: Any, label: str = "cry") -> Event:
    return Event("s-cry-cry-0", 0, "cry", label, phase, 0.9, 1.0, None, 4.0, "3 of 4")


def test_it_begins_with_all_that_an_entity_needs_to_be_available() -> None:
    stage = Stage()
    stage.state_publisher.start()
    assert stage.payloads(TOPICS.available) == [b"online"]
    assert stage.payloads(TOPICS.microphone_available) == [b"offline"]  # until sound comes
    assert stage.payloads("auricle/anna/sound/cry/cry") == [b"OFF"]
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
    for turn in range(2 * 25):
        stage.state_publisher.publish_state(now, 0.5 * turn)
    assert len(stage.payloads(TOPICS.state)) == 1
    assert len(stage.payloads(TOPICS.faults)) == 1
    assert len(stage.payloads(TOPICS.coverage)) == 1
    assert len(stage.payloads(TOPICS.level)) == 25 // FIGURES_EVERY_S + 1
    assert len(stage.payloads("auricle/anna/audio/dBFS")) == len(stage.payloads(TOPICS.level))


def test_alarms_that_are_open_are_told_at_once(now: DaemonState) -> None:
    stage = Stage()
    stage.state_publisher.publish_state(now, 0.0)
    stage.state_publisher.publish_alarms((ALARM,), paused=True, utc_s=1.7e9)
    state = json.loads(stage.payloads(TOPICS.state)[-1])
    assert (state["priority"], state["paused"], state["hearing"]) == ("high", True, True)
    assert state["alarms"][0]["alarm_id"] == ALARM.alarm_id


def test_labels_are_on_from_begin_to_end_and_frigates_names_follow() -> None:
    stage = Stage(frigate_topics=True)
    stage.state_publisher.start()
    stage.state_publisher.publish_sounds([event("begin"), event("reopen"), event("end"), event("begin", "babble")])
    assert stage.payloads("auricle/anna/sound/cry/cry") == [b"OFF", b"ON", b"OFF"]
    assert stage.payloads("auricle/anna/audio/crying") == [b"OFF", b"ON", b"OFF"]
    assert not any("babble" in message.topic for message in stage.published)


def test_an_entity_that_is_gone_is_taken_back_and_remembered_for_later() -> None:
    first = Stage(labels=(("cry", "cry"), ("yamnet", "scream")))
    first.state_publisher.start()
    first.state_publisher.restore_announced(None)
    later = Stage()
    later.state_publisher.start()
    assert set(later.components()["sound.cry.cry"]) > {"platform"}
    later.state_publisher.restore_announced(first.notes[-1])
    assert later.components()["sound.yamnet.scream"] == {"platform": "binary_sensor"}
    assert later.notes == []  # nothing new is known


def test_whoever_wants_no_home_assistant_any_more_leaves_nothing_there() -> None:
    before = Stage()
    before.state_publisher.restore_announced(None)
    after = Stage(home_assistant=False)
    after.state_publisher.start()
    assert after.payloads(DISCOVERY) == []
    after.state_publisher.restore_announced(before.notes[-1])
    assert after.payloads(DISCOVERY) == [b""]
    assert after.notes == ["{}"]


@pytest.mark.parametrize("note", ["", "{", "[]", "3"])
def test_a_note_that_is_none_hinders_nothing(note: str) -> None:
    stage = Stage()
    stage.state_publisher.restore_announced(note)
    assert "sound.cry.cry" in stage.components()
