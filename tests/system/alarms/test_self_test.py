"""A real daemon tests itself on a real broker and a real disk; a cry during the test is published as usual."""

from __future__ import annotations

import json
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system

_TESTED_WITHIN_S = 45.0
"""3 s of sound at the loop's pace, 10 s for a broker, 10 s to read back, on a machine that runs other tests."""

_ALL = "topic readwrite auricle/#\ntopic readwrite homeassistant/#\n"
_CONFIG = """
[mqtt]
host = "127.0.0.1"
port = {port}
protocol = "{protocol}"
"""


class People:
    """A subscriber that may request a test.

    Attributes:
        heard: (topic, payload, retained) of each message below `auricle/`.
    """

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = lambda _c, _d, said: self.heard.append((said.topic, bytes(said.payload), said.retain))
        self._client.on_connect = self._subscribe
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(20.0)

    @staticmethod
    def _subscribe(client: paho.Client, *_: object) -> None:
        client.subscribe("auricle/#", 1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def ask_for_a_test(self) -> None:
        self._client.publish("auricle/nursery/command/self_test", b"", 1).wait_for_publish(20.0)

    def of(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(payload) for topic, payload, _ in list(self.heard) if topic == f"auricle/nursery/{name}"]

    def alarms(self, name: str = "") -> list[dict[str, Any]]:
        told = [json.loads(payload) for topic, payload, _ in list(self.heard) if "/alarm/" in topic]
        return [alarm for alarm in told if name in {"", alarm["name"]}]


@pytest.fixture
def people(broker: Mosquitto) -> Iterator[People]:
    subscribed = People(broker.port)
    yield subscribed
    subscribed.close()


def _daemon(folder: Path, broker: Mosquitto, sound: Path, *, protocol: str = "5", more: str = "") -> RunningDaemon:
    command = [str(AURICLE), "listen", "--source", str(sound)]
    return RunningDaemon(folder, {}, _CONFIG.format(port=broker.port, protocol=protocol) + more, command=command)


def _result(daemon: RunningDaemon, people: People, number: int = 1) -> dict[str, Any]:
    def told() -> list[dict[str, Any]]:
        found = people.of("self_test")
        return found if len(found) >= number else []

    return daemon.wait_until(told, f"the result of self-test {number}", _TESTED_WITHIN_S)[number - 1]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_whole_way_is_tried_on_command_and_nobody_is_alarmed(
    private_folder: Path, broker: Mosquitto, people: People, protocol: str
) -> None:
    quiet = Sounds(private_folder).endless_room()
    with _daemon(private_folder, broker, quiet, protocol=protocol) as daemon:
        daemon.wait_until(lambda: people.of("state"), "the state", _TESTED_WITHIN_S)
        people.ask_for_a_test()
        result = _result(daemon, people)
        assert {stage: said["passed"] for stage, said in result["stages"].items()} == dict.fromkeys(
            ("hear", "decide", "journal", "publish", "read_back"), True
        )
        assert result["by"] == "mqtt"
        (alert,) = people.of("self_test/alert")
        assert (alert["test"], alert["test_id"]) == (True, result["test_id"])
        time.sleep(1.0)  # nor does it cause anything later
        assert not people.alarms()
        assert not any(payload == b"ON" for _, payload, _ in people.heard)
        assert not daemon.events()
        assert not [line for line in daemon.lines() if line.get("fault") == "self_test"]


def test_a_cry_during_the_test_is_told(private_folder: Path, broker: Mosquitto, people: People) -> None:
    sounds = Sounds(private_folder)
    sound = sounds.write("cry.wav", [sounds.room(4.0), sounds.crying(8.0), sounds.room(60.0)])
    with _daemon(private_folder, broker, sound) as daemon:
        daemon.wait_until(lambda: people.of("state"), "the state", _TESTED_WITHIN_S)
        for number in range(1, 4):
            people.ask_for_a_test()
            assert _result(daemon, people, number)["passed"]
        daemon.wait_for_a_cry(within_s=_TESTED_WITHIN_S)
        told = daemon.wait_until(people.alarms, "the cry's alarm", _TESTED_WITHIN_S)
        assert (told[0]["name"], told[0]["change"]) == ("cry", "raised")
        daemon.wait_for({"label": "cry", "phase": "end"}, within_s=_TESTED_WITHIN_S)
        assert len({alarm["alarm_id"] for alarm in people.alarms()}) == 1


def test_a_stage_that_fails_is_an_alarm_that_names_it_and_a_test_that_passes_ends_it(
    private_folder: Path, broker: Mosquitto, people: People
) -> None:
    quiet = Sounds(private_folder).endless_room()
    rights = private_folder / "rights"
    rights.write_text(_ALL)
    broker.kill()
    broker.configure(f"acl_file {rights}")
    broker.start()
    with _daemon(private_folder, broker, quiet) as daemon:
        daemon.wait_until(lambda: people.of("state"), "the state", _TESTED_WITHIN_S)
        rights.write_text(f"{_ALL}topic deny auricle/nursery/self_test/alert\n")
        broker.signal(signal.SIGHUP)
        people.ask_for_a_test()
        alarm = daemon.wait_until(lambda: people.alarms("self_test"), "the alarm", _TESTED_WITHIN_S)[0]
        assert (alarm["kind"], alarm["change"]) == ("technical", "raised")
        assert "read_back" in alarm["detail"]
        rights.write_text(_ALL)
        broker.signal(signal.SIGHUP)
        people.ask_for_a_test()
        daemon.wait_until(
            lambda: people.alarms("self_test")[-1]["change"] == "ended", "the alarm's end", _TESTED_WITHIN_S
        )
