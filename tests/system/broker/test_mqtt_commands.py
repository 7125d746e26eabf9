"""Commands over a real broker, and the subscriber of the documentation."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.commands import Acknowledge, Pause
from device.messages import Alarm, Transition
from device.sinks import homeassistant, payloads
from device.sinks.mqtt.send_queue import OwedMessage
from tests.system.broker.telling import CRY, ONLINE, TOPICS, Owner, Subscriber, Telling, both, settings_for, until, up

if TYPE_CHECKING:
    from device.config.settings import MqttProtocol
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system


@both
def test_a_command_is_heard_and_what_is_none_changes_nothing(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    acknowledge, pause = TOPICS.command("acknowledge"), TOPICS.command("pause")
    with Subscriber(broker.port) as people:
        people.say(acknowledge, b'{"alarm_id": "kept by the broker"}', retain=True)
        mqtt = telling.begin(settings_for(broker, protocol=protocol), owner)
        up(mqtt)
        until(lambda: "SUBACK" in broker.log.split("auricle-anna")[-1] or people.of(ONLINE.topic), "the subscription")
        time.sleep(0.2)
        hostile = [
            (acknowledge, b"\xff\xfe"),
            (acknowledge, b"[" * 900),
            (acknowledge, b'{"alarm_id": 7}'),
            (acknowledge, b'{"alarm_id": "a", "and": "more"}'),
            (acknowledge, b" " * 2000),
            (pause, b'{"duration_s": 1e9}'),
            (pause, b'{"duration_s": NaN}'),
            (pause, b""),
        ]
        for topic, payload in hostile:
            people.say(topic, payload)
        people.say(f"{TOPICS.base}/command/reboot", b"{}")
        people.say(f"{TOPICS.base}/command/pause/now", b'{"duration_s": 60}')
        people.say("auricle/other/command/pause", b'{"duration_s": 60}')
        people.say(acknowledge, homeassistant.PRESS.encode())
        people.say(pause, b'{"duration_s": 60}')
        until(lambda: len(owner.commands) >= 2, "the commands being heard")
        assert owner.commands == [Acknowledge(None, "mqtt"), Pause(60.0, "mqtt")]
        assert mqtt.counts.rejected >= len(hostile)
        assert mqtt.counts.connected == 1


def test_a_flood_of_commands_is_cut_off_and_alarms_go_on(broker: Mosquitto, telling: Telling) -> None:
    owner = Owner()
    with Subscriber(broker.port) as people:
        mqtt = telling.begin(settings_for(broker), owner)
        up(mqtt)
        until(lambda: people.of(ONLINE.topic), "the connection")
        time.sleep(0.2)
        begun_s = time.monotonic()
        for _ in range(500):
            people.say(TOPICS.command("acknowledge"), b"")
        owner.owe(("a", 0))
        owner.until_paid(mqtt)
        elapsed_s = time.monotonic() - begun_s
        assert 1 <= len(owner.commands) <= 10 + elapsed_s + 1
        assert mqtt.counts.rejected >= 400 - elapsed_s


@both
def test_a_huge_command_is_never_read_and_alarms_go_on(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    with Subscriber(broker.port, "nothing") as people:
        mqtt = telling.begin(settings_for(broker, protocol=protocol), owner)
        up(mqtt)
        time.sleep(0.2)
        people.say(TOPICS.command("acknowledge"), b"x" * 5_000_000)
        if protocol == "3.1.1":  # with MQTT 5 the broker knows the largest packet
            until(lambda: mqtt.counts.connected == 2, "a new connection")
        owner.owe(("a", 0))
        owner.until_paid(mqtt)
        assert not owner.commands


def test_a_retained_command_is_obeyed_neither_when_it_is_said_nor_later(broker: Mosquitto, telling: Telling) -> None:
    owner = Owner()
    with Subscriber(broker.port) as people:
        mqtt = telling.begin(settings_for(broker), owner)
        until(lambda: people.of(ONLINE.topic), "the connection")
        time.sleep(0.2)
        people.say(TOPICS.command("pause"), b'{"duration_s": 60}', retain=True)
        until(lambda: mqtt.counts.rejected == 1, "the command being rejected")
        mqtt.close(3.0)
        again = telling.begin(settings_for(broker), owner, client_id="again")
        up(again)
        time.sleep(0.3)
        assert not owner.commands


_DOCS = Path(__file__).resolve().parents[3] / "docs" / "mqtt.md"


def _shown(language: str) -> str:
    return _DOCS.read_text().split(f"```{language}\n", 1)[1].split("```", 1)[0]


def test_the_subscriber_of_the_documentation_hears_each_alarm_once(broker: Mosquitto, telling: Telling) -> None:
    alarm = Alarm("s-cry-cry-0", "sound", "cry", "cry", "high", "active", acknowledged=False, score=0.9, detail="")
    body = payloads.alarm_body(
        Transition(alarm, 4, "raised", "begin", 0.0),
        instance="anna",
        start_utc_s=None,
        decided_utc_s=1795227247.35,
        time_quality="synchronized",
        captured_to_decided_s=None,
    )
    command = [sys.executable, "-c", _shown("python"), "127.0.0.1", str(broker.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as people:
        try:
            until(lambda: "my-pager 1 auricle/+/alarm/#" in broker.log, "the subscription")
            owner = Owner()
            for number in range(2):  # the second is a copy, as after a lost connection
                late_s = 7200.0 * number
                payload = payloads.alarm_payload(body, decided_to_told_s=late_s, not_durable=False)
                owner.owed["copy", number] = OwedMessage(("copy", number), CRY, lambda payload=payload: payload)  # type: ignore[misc]
            later = payloads.alarm_payload(
                body.replace('"seq":4', '"seq":5').replace("raised", "ended"), decided_to_told_s=9.0, not_durable=False
            )
            owner.owed["copy", 2] = OwedMessage(("copy", 2), CRY, lambda: later)
            owner.until_paid(telling.begin(settings_for(broker), owner))
            assert people.stdout is not None
            lines = [people.stdout.readline().decode().strip() for _ in range(2)]
        finally:
            people.kill()
    assert lines == ["2026-11-21T02:14:07.350Z high cry raised", "2026-11-21T02:14:07.350Z high cry ended LATE"]
