"""Alarms on real parts, and their faults: the daemon, a broker, a journal on a disk, recordings, a sound card."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from device.alarms.journal.reading import read_history
from tests.system.conftest import wait_until
from tests.system.running_daemon import (
    AURICLE,
    CRY_WITHIN_S,
    NAMES_ANY_CRY,
    UP_WITHIN_S,
    RunningDaemon,
    Sounds,
    says,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.system.conftest import Mosquitto, PulseCard

pytestmark = pytest.mark.system

SOON_S = 20.0
LONGEST_PAUSE_S = 15.0  # between two attempts to connect to a broker
LEAVES_WITHIN_S = 5.0
SPEED = 4
BASE = "auricle/nursery"
CRY = f"{BASE}/alarm/sound/cry/cry"
_KEEPS = ("persistence true", "autosave_on_changes true", "autosave_interval 1")

Told = dict[str, Any]


class Subscriber:
    """Remembers all messages of a broker, in a session that outlives connections."""

    def __init__(self, port: int, *, name: str = "subscriber", below: str = "#") -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{BASE}/{below}", qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, bytes(message.payload), message.retain)
        )
        self._client.connect_async("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(SOON_S)
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def ask(self, verb: str, payload: bytes = b"") -> None:
        """Send the daemon a command."""
        self._client.publish(f"{BASE}/command/{verb}", payload, qos=1).wait_for_publish(SOON_S)

    def alarms(self, **what: object) -> list[Told]:
        """Changes of alarms with these members."""
        told = [json.loads(payload) for topic, payload, _ in list(self.heard) if topic.startswith(f"{BASE}/alarm/")]
        return [alarm for alarm in told if says(alarm, what)]

    def newest(self, topic: str) -> bytes | None:
        """The last message under a topic of the daemon."""
        return next((payload for there, payload, _ in reversed(list(self.heard)) if there == f"{BASE}/{topic}"), None)


def config(broker: Mosquitto | None = None, *more: str) -> str:
    """Configuration of a daemon that publishes to this broker."""
    mqtt = [] if broker is None else ["[mqtt]", 'host = "127.0.0.1"', f"port = {broker.port}"]
    return "\n".join([*mqtt, *more, ""])


def playing(folder: Path, recording: Path, text: str, *, loops: bool = True) -> RunningDaemon:
    """A daemon that plays a recording in a loop at several times its speed."""
    loop = ["--loop"] if loops else []
    command = [str(AURICLE), "listen", "--speed", str(SPEED), *loop, "--source", str(recording)]
    return RunningDaemon(folder, {}, text, command=command)


def journalled(daemon: RunningDaemon) -> dict[tuple[str, int], Told]:
    """The entries of a daemon's journal."""
    path = daemon.log_path.with_name("alarms.db")
    return {entry.key: json.loads(entry.body) for entry in read_history(path, 0.0)} if path.exists() else {}


@pytest.fixture
def broker(private_folder: Path) -> Iterator[Mosquitto]:
    """A broker that keeps sessions and their queued messages, even if it is killed."""
    from tests.system.conftest import Mosquitto

    running = Mosquitto(private_folder, *_KEEPS, f"persistence_location {private_folder}/")
    try:
        running.start()
        yield running
    finally:
        running.kill()


@pytest.fixture
def sounds(private_folder: Path) -> Sounds:
    return Sounds(private_folder)


# --- what is published


def test_a_cry_is_kept_and_then_told_with_its_state_and_history(
    private_folder: Path, broker: Mosquitto, sounds: Sounds
) -> None:
    recording = sounds.cry_then_room(8.0, 12.0)
    with Subscriber(broker.port) as people, playing(private_folder, recording, config(broker)) as daemon:
        daemon.wait_until(lambda: people.alarms(change="raised"), "an alarm", CRY_WITHIN_S + UP_WITHIN_S)
        raised = people.alarms(change="raised")[0]
        assert (raised["alarm_id"], raised["seq"]) in journalled(daemon)
        assert (raised["late"], raised["not_durable"], raised["priority"]) == (False, False, "high")
        assert raised["alarm_id"] == daemon.events()[0]["event_id"]
        daemon.wait_until(lambda: raised["alarm_id"] in ids_of_state(people), "the state that holds it", SOON_S)
        daemon.wait_until(lambda: people.newest("sound/cry/cry") == b"ON", "ON", SOON_S)
        daemon.wait_until(lambda: people.alarms(change="ended", cause="quiet"), "its end", SOON_S)
        daemon.wait_until(lambda: people.newest("sound/cry/cry") == b"OFF", "OFF", SOON_S)
        state = daemon.status()
        assert state is not None
        assert (state.broker, state.journal) == ("connected", "")
        asked = daemon.ask("history")
        assert asked.returncode == 0, asked.stderr
        assert "cry (cry)" in asked.stdout
        assert "ended: quiet" in asked.stdout
        code, left_s = daemon.terminate()
        assert (code, left_s < LEAVES_WITHIN_S) == (0, True)
        for topic in ("available", "microphone/available"):
            wait_until(lambda topic=topic: people.newest(topic) == b"offline", f"{topic}: offline")  # type: ignore[misc]


def test_a_cry_while_the_broker_is_down_is_told_when_it_is_back_and_says_that_it_is_late(
    private_folder: Path, broker: Mosquitto, sounds: Sounds
) -> None:
    recording = sounds.write("cry.wav", [sounds.room(4.0), sounds.crying(8.0), sounds.room(120.0)])
    with Subscriber(broker.port) as people, playing(private_folder, recording, config(broker)) as daemon:
        daemon.wait_until(lambda: people.newest("available") == b"online", "the daemon's word", UP_WITHIN_S)
        broker.kill()
        daemon.wait_until(lambda: len(journalled(daemon)) >= 2, "a cry in the journal", CRY_WITHIN_S)
        assert people.alarms() == []
        time.sleep(6.0)  # late means more than 5 s
        broker.start()
        daemon.wait_until(lambda: people.alarms(change="ended"), "the alarm's end", SOON_S)
        raised, ended = people.alarms(change="raised")[0], people.alarms(change="ended")[0]
        assert (raised["late"], ended["late"]) == (True, True)
        assert raised["decided_to_told_s"] > 5.0
        order = [alarm["seq"] for alarm in people.alarms(alarm_id=raised["alarm_id"])]
        assert order == sorted(order)
        daemon.wait_until(lambda: (state := daemon.status()) is not None and state.owed == 0, "nothing owed", SOON_S)


def test_whatever_was_kept_arrives_after_kills_at_any_moment_with_the_broker_down(
    private_folder: Path, broker: Mosquitto, sounds: Sounds
) -> None:
    chance = random.Random(5)
    recording = sounds.write("cries.wav", [sounds.room(2.0), sounds.crying(6.0), sounds.room(10.0)])
    daemon = playing(private_folder, recording, config(broker))
    with Subscriber(broker.port) as people, daemon:
        for _ in range(3):
            broker.kill()
            daemon.wait_until(lambda: daemon.find({"happening": "started"}), "its start", UP_WITHIN_S)
            time.sleep(chance.uniform(1.0, 5.0))
            daemon.kill()
            if chance.random() < 0.5:
                broker.start()
            daemon.start()
        if "down" in repr(broker):
            broker.start()
        daemon.wait_until(people.alarms, "an alarm", CRY_WITHIN_S + UP_WITHIN_S)
        kept = journalled(daemon)
        assert kept
        daemon.wait_until(lambda: not missing(kept, people), "all that was kept", LONGEST_PAUSE_S + SOON_S)
        said: dict[tuple[str, int], Told] = {}
        for alarm in people.alarms():
            told = {
                name: value for name, value in alarm.items() if name not in {"decided_to_told_s", "late", "not_durable"}
            }
            assert said.setdefault((alarm["alarm_id"], alarm["seq"]), told) == told  # copies are equal


def missing(kept: Mapping[tuple[str, int], Told], people: Subscriber) -> set[tuple[str, int]]:
    """Journalled changes that have not arrived."""
    return set(kept) - {(alarm["alarm_id"], alarm["seq"]) for alarm in people.alarms()}


def test_an_alarm_that_a_kill_left_open_is_latched_after_the_restart_and_a_pause_goes_on(
    private_folder: Path, broker: Mosquitto, sounds: Sounds
) -> None:
    daemon = playing(private_folder, sounds.endless_cry(), config(broker) + NAMES_ANY_CRY)
    with Subscriber(broker.port) as people, daemon:
        daemon.wait_until(lambda: people.alarms(change="raised"), "an alarm", CRY_WITHIN_S + UP_WITHIN_S)
        alarm_id = people.alarms(change="raised")[0]["alarm_id"]
        people.ask("pause", b'{"duration_s": 300}')
        daemon.wait_until(lambda: paused(people), "the pause", SOON_S)
        time.sleep(0.5)  # the note is written after the alarms
        daemon.kill()
        daemon.start()
        daemon.wait_until(lambda: people.alarms(alarm_id=alarm_id, change="latched"), "the old alarm", UP_WITHIN_S)
        latched = people.alarms(alarm_id=alarm_id, change="latched")[0]
        assert (latched["cause"], latched["seq"] >= 1000) == ("interrupted", True)
        assert latched["verdict"] is None  # the model that follows would name any cry, but nobody heard this one's end
        daemon.wait_until(lambda: people.alarms(alarm_id=alarm_id, change="ended"), "its end", CRY_WITHIN_S)
        daemon.wait_until(lambda: len(_ids(people, change="raised")) > 1, "the alarm that takes over", SOON_S)
        assert people.alarms(alarm_id=alarm_id, change="ended")[0]["cause"] in {
            f"taken over by {fresh}" for fresh in _ids(people, change="raised") - {alarm_id}
        }
        assert paused(people)


def _ids(people: Subscriber, **what: object) -> set[str]:
    return {told["alarm_id"] for told in people.alarms(**what)}


def paused(people: Subscriber) -> bool:
    return bool(_state(people).get("paused"))


def ids_of_state(people: Subscriber) -> set[str]:
    """Alarms that the last published state names; it comes after the changes of the alarms."""
    return {alarm["alarm_id"] for alarm in _state(people).get("alarms", [])}


def _state(people: Subscriber) -> Told:
    state: Told = json.loads(people.newest("state") or b"{}")
    return state


# --- commands


def test_an_acknowledgement_silences_pins_and_is_kept_and_nonsense_changes_nothing(
    private_folder: Path, broker: Mosquitto, sounds: Sounds
) -> None:
    pins = ("[gpio]", "led = 17", "buzzer = 18", "alive = 23")
    daemon = playing(private_folder, sounds.endless_cry(), config(broker, *pins))
    with Subscriber(broker.port) as people, daemon:
        daemon.wait_until(lambda: people.alarms(change="raised"), "an alarm", CRY_WITHIN_S + UP_WITHIN_S)
        for line in ("GPIO 23 (alive) pulses", "GPIO 17 (led) flashes 2 times a second", "GPIO 18 (buzzer) beeps 10"):
            daemon.wait_until(lambda line=line: line in daemon.printed(), line, SOON_S)  # type: ignore[misc]
        for nonsense in (b"{", b'{"alarm_id": null}', b"x" * 5000, b'["all"]'):
            people.ask("acknowledge", nonsense)
        people.ask("pause", b'{"duration_s": 1e9}')
        people.ask("acknowledge", json.dumps({"alarm_id": people.alarms(change="raised")[0]["alarm_id"]}).encode())
        daemon.wait_until(lambda: people.alarms(change="acknowledged"), "the acknowledgement", SOON_S)
        assert people.alarms(change="acknowledged")[0]["cause"] == "acknowledged by mqtt"
        daemon.wait_until(lambda: "GPIO 18 (buzzer) off" in daemon.printed(), "the silent buzzer", SOON_S)
        assert "GPIO 17 (led) off" not in daemon.printed()
        asked = [line["detail"] for line in daemon.lines() if line.get("happening") == "asked"]
        assert len([detail for detail in asked if detail.startswith("mqtt acknowledges")]) == 1
        assert len(asked) == 2, "one line for all that was rejected, and one for the acknowledgement"
        assert any(kept["change"] == "acknowledged" for kept in journalled(daemon).values())
        assert "acknowledged by mqtt after" in daemon.ask("history", "--instance", "nursery").stdout


# --- faults


def test_what_no_disk_keeps_is_told_within_a_second_and_that_is_an_alarm_until_a_disk_is_back(
    private_folder: Path, broker: Mosquitto, sounds: Sounds
) -> None:
    folder = private_folder / "nosuch"
    text = config(broker, "[journal]", 'file = "nosuch/alarms.db"')
    daemon = playing(private_folder, sounds.cry_then_room(8.0, 12.0), text)
    with Subscriber(broker.port) as people, daemon:
        daemon.wait_until(lambda: people.alarms(change="raised", kind="sound"), "an alarm", CRY_WITHIN_S + UP_WITHIN_S)
        raised = people.alarms(change="raised", kind="sound")[0]
        assert raised["not_durable"]
        assert raised["decided_to_told_s"] < 3.0  # a second, and a busy machine
        daemon.wait_until(lambda: people.alarms(name="journal", change="raised"), "the alarm of the journal", SOON_S)
        assert people.alarms(name="journal", change="raised")[0]["not_durable"]
        assert daemon.find({"fault": "journal", "begins": True}) is not None
        state = daemon.status()
        assert state is not None
        assert (state.hearing, "nosuch" in state.journal) == (True, True)
        folder.mkdir()
        daemon.wait_until(lambda: people.alarms(name="journal", change="ended"), "the cure", 2 * SOON_S)
        kept = {entry.key for entry in read_history(folder / "alarms.db", 0.0)}
        assert (raised["alarm_id"], raised["seq"]) in kept


def test_sigterm_is_obeyed_in_time_while_the_broker_hangs_and_what_it_did_not_take_is_told_by_the_next(
    private_folder: Path, broker: Mosquitto, sounds: Sounds
) -> None:
    daemon = playing(private_folder, sounds.endless_cry(), config(broker))
    with Subscriber(broker.port) as people, daemon:
        daemon.wait_until(lambda: people.newest("available") == b"online", "the daemon's word", UP_WITHIN_S)
        broker.signal(signal.SIGSTOP)
        daemon.wait_until(lambda: journalled(daemon), "a cry in the journal", CRY_WITHIN_S)
        code, left_s = daemon.terminate()
        assert code == 0
        assert left_s < LEAVES_WITHIN_S
        broker.signal(signal.SIGCONT)
        kept = journalled(daemon)
        assert {body["change"] for body in kept.values()} >= {"raised", "latched"}
        daemon.start()
        daemon.wait_until(lambda: not missing(kept, people), "all that was kept", UP_WITHIN_S)


def test_a_broker_out_of_reach_is_an_alarm_and_a_reload_to_another_one_ends_it(
    private_folder: Path, broker: Mosquitto, sounds: Sounds
) -> None:
    dead = config(broker).replace(f"port = {broker.port}", "port = 1")
    daemon = playing(private_folder, sounds.endless_cry(), dead)
    with Subscriber(broker.port) as people, daemon:
        fault = daemon.wait_for({"fault": "broker", "begins": True}, within_s=UP_WITHIN_S + 40.0)
        assert "nothing listens at 127.0.0.1:1" in fault["detail"]
        refused = config(broker, "tls = true", 'ca_file = "nosuch.pem"')
        before = len(daemon.lines())
        daemon.configure(refused)
        daemon.reload()
        daemon.wait_for({"happening": "reload_refused"}, after=before, within_s=SOON_S)
        daemon.configure(config(broker))
        daemon.reload()
        daemon.wait_for({"fault": "broker", "begins": False}, after=before, within_s=SOON_S)
        daemon.wait_until(lambda: people.alarms(name="broker", change="ended"), "the owed alarms", SOON_S)
        first = min(people.alarms(kind="sound", change="raised"), key=lambda alarm: str(alarm["decided_utc"]))
        assert first["late"]  # it was decided half a minute before; what is new comes before it


def test_a_microphone_that_is_pulled_out_is_an_alarm_and_is_not_available_until_it_is_back(
    private_folder: Path, broker: Mosquitto, pulse: PulseCard, sounds: Sounds
) -> None:
    text = config(broker, "[microphone]", 'device = "fakemic"')
    with Subscriber(broker.port) as people, RunningDaemon(private_folder, pulse.environment, text) as daemon:
        pulse.play(sounds.endless_room())
        told: Callable[[bytes], bool] = lambda word: people.newest("microphone/available") == word  # noqa: E731 - of one use
        daemon.wait_until(lambda: told(b"online"), "the microphone", UP_WITHIN_S)
        pulse.unplug()
        daemon.wait_until(lambda: people.alarms(name="microphone", change="raised"), "its loss", SOON_S)
        daemon.wait_until(lambda: told(b"offline"), "its absence", SOON_S)
        pulse.plug()
        daemon.wait_until(lambda: people.alarms(name="microphone", change="ended"), "its return", SOON_S)
        daemon.wait_until(lambda: told(b"online"), "the microphone again", SOON_S)
        assert people.newest("available") == b"online"
