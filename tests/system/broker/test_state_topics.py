"""The state that a real daemon publishes: each message is as documented, and true whatever befalls the microphone."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Self

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.schemas import TOPICS, check_message, validator
from tests.system.running_daemon import AURICLE, CRY_WITHIN_S, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.conftest import Mosquitto, PulseCard

pytestmark = pytest.mark.system

SOON_S = 25.0
_AS_PUBLISHED = SubscribeOptions(qos=1, retainAsPublished=True)
_MICROPHONE = (
    'device = "fakemic"\n[model.cry.label.cry]\nhold_s = 1.0\ncooldown_s = 0.0\n[schedule.cry]\nswitch = true\n'
)


class Everybody:
    """Remembers all messages of the broker, and what it retains."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.retained: dict[str, bytes] = {}
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("#", options=_AS_PUBLISHED)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(SOON_S)
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def of(self, topic: str) -> list[bytes]:
        return [payload for there, payload in list(self.heard) if there == topic]

    def has_heard_below(self, prefix: str) -> bool:
        return any(topic.startswith(prefix) for topic, _ in list(self.heard))

    def say(self, topic: str, payload: str) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(SOON_S)

    def state(self, name: str) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.of(f"auricle/{name}/state") or [b"{}"])[-1])
        return state

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))
        if message.retain:
            self.retained[message.topic] = bytes(message.payload)
        if not message.payload:
            self.retained.pop(message.topic, None)


def _config(broker: Mosquitto, microphone: str = "", *, mqtt: str = "", more: str = "") -> str:
    return f"""
        [microphone]
        {microphone}
        [model.cry]
        [mqtt]
        host = "127.0.0.1"
        port = {broker.port}
        {mqtt}
        {more}
    """


def test_a_microphone_lost_in_mid_cry_leaves_the_cry_on_until_quiet_is_heard_and_all_is_as_documented(
    private_folder: Path, broker: Mosquitto, pulse: PulseCard
) -> None:
    sounds = Sounds(private_folder)
    cry, room = sounds.write("cry.wav", [sounds.crying(120.0)]), sounds.write("room.wav", [sounds.room(300.0)])
    sound, crying = "auricle/nursery/sound/cry/cry", "auricle/nursery/audio/crying"
    text = _config(broker, _MICROPHONE, mqtt="frigate_topics = true")
    with Everybody(broker.port) as people, RunningDaemon(private_folder, pulse.environment, text) as daemon:
        pulse.play(cry)
        daemon.wait_until(lambda: people.of(sound) == [b"ON"], "ON, and no OFF before it", CRY_WITHIN_S)
        pulse.unplug()
        unknown = {"model": "cry", "name": "cry", "heard": None, "mode": "alarm"}
        daemon.wait_until(lambda: people.state("nursery")["sounds"][0] == unknown, "that nobody knows", SOON_S)
        daemon.wait_until(lambda: people.of("auricle/nursery/microphone/available")[-1] == b"offline", "loss", SOON_S)
        assert people.of(sound) == people.of(crying) == [b"ON"]
        alarm = "auricle/nursery/alarm/technical/"
        daemon.wait_until(lambda: people.has_heard_below(alarm), "a technical alarm", SOON_S)
        pulse.plug()
        pulse.play(room)
        daemon.wait_until(lambda: people.of(sound)[-1] == people.of(crying)[-1] == b"OFF", "OFF", SOON_S)
        assert people.of(sound) == people.of(crying) == [b"ON", b"OFF"]
        daemon.wait_until(lambda: people.state("nursery")["sounds"][0]["heard"] is False, "the same there", SOON_S)
        people.say("auricle/nursery/command/self_test", "{}")
        daemon.wait_until(lambda: people.of("auricle/nursery/self_test"), "the self-test", SOON_S)
        people.say("auricle/nursery/command/acknowledge", "{}")
        daemon.wait_until(lambda: people.state("nursery")["unacknowledged"] == 0, "the acknowledgement", SOON_S)
    own = [(topic, payload) for topic, payload in people.heard if topic.startswith("auricle/nursery/")]
    below = [(topic.removeprefix("auricle/nursery/"), payload) for topic, payload in own]
    documented = {check_message(topic, payload) for topic, payload in below if not topic.startswith("command/")}
    assert documented == TOPICS.keys()
    (announced,) = {topic for topic, _ in people.heard if topic.startswith("homeassistant/device/")}
    validator("discovery.schema.json").validate(json.loads(people.of(announced)[-1]))


def test_a_sensitivity_set_by_a_command_decides_and_outlives_a_restart_until_the_file_is_changed(
    private_folder: Path, broker: Mosquitto
) -> None:
    sounds = Sounds(private_folder)
    recording = sounds.write("room.wav", [sounds.room(600.0)])
    command = [str(AURICLE), "listen", "--source", str(recording)]

    def in_force() -> tuple[int, int] | None:
        state = daemon.status()
        return None if state is None else (state.labels[0].sensitivity, state.labels[0].configured_sensitivity)

    topic, text = "auricle/anna/sensitivity/cry/cry", _config(broker)
    with (
        Everybody(broker.port) as people,
        RunningDaemon(private_folder, {}, text, name="anna", command=command) as daemon,
    ):
        daemon.wait_until(lambda: people.of(topic), "the configured one", UP_WITHIN_S)
        people.say("auricle/anna/command/sensitivity", '{"model":"cry","label":"cry","sensitivity":-3}')
        daemon.wait_until(lambda: in_force() == (-3, 0), "the command", SOON_S)
        daemon.reload()
        daemon.wait_for({"happening": "reloaded"}, within_s=SOON_S)
        daemon.wait_until(lambda: in_force() == (-3, 0), "the same after a reload", SOON_S)
        daemon.terminate()
        daemon.start()
        daemon.wait_until(lambda: in_force() == (-3, 0), "the same after a restart", UP_WITHIN_S)
        daemon.configure(_config(broker, more="[model.cry.label.cry]\nsensitivity = 1\n"))
        daemon.reload()
        daemon.wait_until(lambda: in_force() == (1, 1), "that of the file", SOON_S)
        daemon.wait_until(lambda: json.loads(people.of(topic)[-1])["sensitivity"] == 1, "it published", SOON_S)


def test_another_name_and_topic_keep_the_device_and_leave_nothing_of_the_old_ones(
    private_folder: Path, broker: Mosquitto
) -> None:
    sounds = Sounds(private_folder)
    recording = sounds.write("room.wav", [sounds.room(600.0)])
    command = [str(AURICLE), "listen", "--source", str(recording)]
    journal = f'[journal]\nfile = "{private_folder / "moved.db"}"\n'
    announced: list[str] = []
    with Everybody(broker.port) as people:

        def device() -> list[str]:
            return [topic for topic in list(people.retained) if topic.startswith("homeassistant/device/")]

        for name, root in (("anna", "auricle"), ("ben", "auricle"), ("ben", "home/auricle")):
            text = _config(broker, mqtt=f'topic = "{root}"', more=journal)
            with RunningDaemon(private_folder, {}, text, name=name, command=command) as daemon:
                base = f"{root}/{name}/"

                def own_alone(base: str = base) -> bool:
                    topics = {topic for topic in list(people.retained) if not topic.startswith("homeassistant/")}
                    is_announced = base.encode() in b"".join(people.retained.get(topic, b"") for topic in device())
                    return is_announced and bool(topics) and all(topic.startswith(base) for topic in topics)

                daemon.wait_until(own_alone, f"{base} alone", UP_WITHIN_S)
                announced += device()
                daemon.terminate()
    assert len(announced) == 3
    assert len(set(announced)) == 1
