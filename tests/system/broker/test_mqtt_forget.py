"""What an instance left at a real broker is cleared by `auricle mqtt forget`, and nothing of anybody else."""

from __future__ import annotations

import io
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from device.config.settings import MqttSettings
from device.errors import ConfigError, ServiceError
from device.sinks import homeassistant, payloads
from device.sinks.homeassistant import AnnouncedDevice
from device.sinks.payloads import Topics
from device.tools.mqtt_forget import ForgetOptions, forget
from tests.programs import program
from tests.system.broker.telling import Owner, Subscriber, settings_for, until, up
from tests.system.running_daemon import AURICLE, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from device.config.settings import MqttProtocol
    from tests.system.broker.telling import Telling
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system

_LABELS = (("cry", "cry"),)
_OWN = ("auricle/anna/available", "auricle/anna/state", "auricle/anna/sound/gone/label")
_OTHER = ("auricle/ann/available", "auricle/annabel/state", "other/anna/state", "homeassistant/device/lamp/config")


def _announcement(name: str) -> payloads.Message:
    return homeassistant.discovery(_device(name), {})


def _device(name: str) -> AnnouncedDevice:
    return AnnouncedDevice(f"auricle_{name}_1", Topics("auricle", name), "homeassistant", _LABELS, "0.1.0")


@pytest.fixture
def kept(broker: Mosquitto) -> set[str]:
    """Topics of what the broker retains: of anna, who is gone, and of others."""
    return _publish_all(broker.port)


def _publish_all(port: int) -> set[str]:
    messages = dict.fromkeys((*_OWN, *_OTHER), b"offline")
    messages |= {message.topic: message.payload for message in map(_announcement, ("anna", "ben"))}
    _publish(port, messages)
    return set(messages)


def _publish(port: int, messages: Mapping[str, bytes]) -> None:
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set("writer", None)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for topic, payload in messages.items():
        client.publish(topic, payload, qos=1, retain=True).wait_for_publish(UP_WITHIN_S)
    client.disconnect()
    client.loop_stop()


def _retained(port: int) -> set[str]:
    command = [program("mosquitto_sub"), "-p", str(port), "-t", "#", "--retained-only", "-W", "1", "-F", "%t"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return set(done.stdout.split())


def _forget(broker: Mosquitto, *, yes: bool = True, within_s: float = 0.5, **settings: str) -> tuple[int, str]:
    out = io.StringIO()
    mqtt = MqttSettings(host="127.0.0.1", port=broker.port, **settings)  # type: ignore[arg-type]
    code = forget(ForgetOptions("anna"), mqtt, out=out, ask=lambda _: yes, environment={}, alive_within_s=within_s)
    return code, out.getvalue()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_all_that_is_left_of_a_name_is_listed_and_cleared_and_nothing_else(
    broker: Mosquitto, kept: set[str], protocol: MqttProtocol
) -> None:
    gone = {*_OWN, _announcement("anna").topic}
    code, told = _forget(broker, protocol=protocol)
    assert (code, set(told.splitlines()[:-1])) == (0, gone)
    assert told.splitlines()[-1] == "4 retained messages forgotten"
    assert _retained(broker.port) == kept - gone
    assert _forget(broker, protocol=protocol) == (0, "127.0.0.1 keeps nothing of auricle/anna\n")


def test_an_announcement_below_the_name_is_forgotten_too(broker: Mosquitto) -> None:
    announced = homeassistant.discovery(replace(_device("anna"), below_instance=True), {})
    _publish(broker.port, {announced.topic: announced.payload})
    code, told = _forget(broker)
    assert (code, told.splitlines()[0]) == (0, "homeassistant/device/anna/auricle_anna_1/config")
    assert _retained(broker.port) == set()


def test_whoever_says_no_changes_nothing(broker: Mosquitto, kept: set[str]) -> None:
    code, told = _forget(broker, yes=False)
    assert (code, told.splitlines()[-1]) == (1, "nothing was changed")
    assert _retained(broker.port) == kept


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_denies_it_is_named_with_the_topic(
    broker: Mosquitto, private_folder: Path, protocol: MqttProtocol
) -> None:
    rights = private_folder / "rights"
    rights.write_text("topic read #\n\nuser writer\ntopic readwrite #\n")
    broker.kill()
    broker.configure(f"acl_file {rights}")
    broker.start()
    kept = _publish_all(broker.port)
    with pytest.raises(ServiceError, match=r"homeassistant/device/.*: this client must be allowed to write there"):
        _forget(broker, protocol=protocol)
    assert _retained(broker.port) == kept


def test_a_name_whose_daemon_runs_is_refused_here_and_from_elsewhere(broker: Mosquitto, private_folder: Path) -> None:
    config = f"""
        [model.cry]
        [mqtt]
        host = "127.0.0.1"
        port = {broker.port}
    """
    sounds = Sounds(private_folder)
    room = sounds.write("room.wav", [sounds.room(600.0)])
    command = [str(AURICLE), "listen", "--source", str(room)]
    with RunningDaemon(private_folder, {}, config, name="anna", command=command) as daemon:
        wanted = ("auricle/anna/state", "auricle/anna/sound/cry/cry")
        daemon.wait_until(
            lambda: all(topic in _retained(broker.port) for topic in wanted), "its state and its label", UP_WITHIN_S
        )
        before = _retained(broker.port)
        here = subprocess.run(
            [str(AURICLE), "mqtt", "forget", "anna", "--config", str(daemon.config_path), "--yes"],
            env=daemon.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (here.returncode, here.stdout) == (2, "")
        assert "the daemon anna runs here" in here.stderr
        mqtt = MqttSettings(host="127.0.0.1", port=broker.port)
        with pytest.raises(ServiceError, match="a daemon runs that publishes auricle/anna/"):
            forget(ForgetOptions("anna"), mqtt, out=io.StringIO(), ask=lambda _: True, environment={})
        assert _retained(broker.port) >= before


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_daemon_that_has_nothing_to_publish_is_asked_and_refused_too(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    """The bug: a quiet room publishes nothing for a minute, and so its daemon counted as gone after 12 s."""
    mqtt = telling.begin(settings_for(broker, protocol=protocol), Owner())
    up(mqtt)
    until(lambda: "auricle/anna/available" in _retained(broker.port), "that it is online")
    with pytest.raises(ServiceError, match="a daemon runs that publishes auricle/anna/owner"):
        _forget(broker, within_s=10.0, protocol=protocol)
    assert "auricle/anna/available" in _retained(broker.port)


def test_an_online_that_nobody_stands_behind_is_no_daemon(broker: Mosquitto) -> None:
    _publish(broker.port, {"auricle/anna/available": b"online"})
    assert _forget(broker) == (0, "auricle/anna/available\n1 retained message forgotten\n")


def test_commands_to_a_daemon_that_is_gone_are_no_sign_of_it(broker: Mosquitto) -> None:
    """An automation that goes on to publish commands, or another device, kept the name from being forgotten."""
    _publish(broker.port, {"auricle/anna/available": b"online"})
    with Subscriber(broker.port) as automation:
        ended = threading.Event()

        def commands() -> None:
            while not ended.wait(0.05):
                automation.say("auricle/anna/command/resume", b"{}")
                automation.say("homeassistant/device/lamp/config", b"{}")

        thread = threading.Thread(target=commands)
        thread.start()
        try:
            assert _forget(broker) == (0, "auricle/anna/available\n1 retained message forgotten\n")
        finally:
            ended.set()
            thread.join()
        assert len(automation.of("auricle/anna/command/resume")) > 10


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (ForgetOptions("Anna!"), "cannot name an instance"),
        (ForgetOptions("anna", topic="#"), "is no topic"),
        (ForgetOptions("anna", topic=""), "is no topic"),
        (ForgetOptions("anna", topic="$share/group/auricle"), "is no topic"),
        (ForgetOptions("anna", topic="auricle\n"), r"'auricle\\n' is no topic"),
        (ForgetOptions("anna", topic="a" * 70_000), r"'a{60}\.\.\.' is no topic"),
        (ForgetOptions("anna"), "no broker is configured"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_any_broker_is_asked(options: ForgetOptions, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        forget(options, MqttSettings(), out=io.StringIO(), ask=lambda _: True, environment={})


def test_a_broker_that_is_not_there_is_one_sentence(broker: Mosquitto) -> None:
    broker.kill()
    with pytest.raises(ServiceError, match="nothing listens at"):
        _forget(broker)


def test_a_broker_that_retains_more_than_memory_should_hold_is_refused(broker: Mosquitto) -> None:
    _publish(broker.port, {f"auricle/anna/heap/{place}": bytes(3 << 20) for place in range(6)})
    with pytest.raises(ServiceError, match="retains more than 16 megabytes there"):
        _forget(broker)
