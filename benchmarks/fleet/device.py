"""A device that hears nothing and publishes as a daemon does: with the product's client, payloads, pace and backoff."""

from __future__ import annotations

import random
import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from device.config.settings import MqttSettings
from device.daemon.publishing.announcer import Announcer
from device.daemon.publishing.state_publisher import StatePublisher
from device.messages import Alarm, Heard, Scores, Transition
from device.runtime.daemon_state import DaemonState
from device.sinks import payloads
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.ownership import Owner
from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.payloads import Topics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from device.commands import Command
    from device.sinks.mqtt.send_queue import Key
    from device.sinks.payloads import Message

LABELS = (("cry", "cry"), ("scream", "scream"))
VERSION = "0.1.0"


class SimulatedDevice:
    """One device; a thread of its own holds its connection, as in a daemon.

    Args:
        name: of its instance, and in its certificate.
        folder: of its certificate.
        port: of the broker.
    """

    def __init__(self, name: str, folder: Path, port: int) -> None:
        self.name = name
        self.topics = Topics("auricle", name)
        settings = MqttSettings(
            host="localhost",
            port=port,
            tls=True,
            ca_file=str(folder / "ca.crt"),
            cert_file=str(folder / f"{name}.crt"),
            key_file=str(folder / f"{name}.key"),
            discovery_by_instance=True,
        )
        self.mqtt = Mqtt(
            settings,
            client_id=f"auricle-{name}-00000001",
            will=payloads.availability(self.topics, online=False),
            owner=Owner(name, f"{random.getrandbits(32):08x}", "bench"),
            owner_topic=self.topics.owner,
            password=None,
            handler=self,
            commands=self.topics.commands,
            birth_topic="homeassistant/status",
        )
        announcer = Announcer(
            self.topics,
            settings,
            labels=LABELS,
            fresh_id=f"auricle_{name}_00000001",
            machine_id=f"auricle_{name}_00000001",
            version=VERSION,
            publish=self.mqtt.publish,
            save_note=lambda _note: None,
        )
        self._publisher = StatePublisher(
            self.topics, settings, holds=dict.fromkeys(LABELS, 2.0), publish=self.mqtt.publish, announcer=announcer
        )
        self._owed: set[Key] = set()  # not acknowledged
        self._waiting: deque[OwedMessage] = deque()  # of these, what the client has not accepted
        self._alarms = 0

    def __repr__(self) -> str:
        return f"SimulatedDevice({self.name!r}, {self.mqtt.link.state})"

    def start(self) -> None:
        """Connect, and publish what a start publishes."""
        self._publisher.start()
        self._publisher.restore_announced(None)
        self._publisher.publish_sensitivities(dict.fromkeys(LABELS, (0, 0)))
        self.mqtt.start()

    @property
    def owed(self) -> int:
        """Changes of alarms that the broker has not acknowledged."""
        return len(self._owed)

    def tell(self, now_s: float) -> None:
        """Publish what has changed in a quiet room, as a daemon's main loop has it done."""
        scores = [Scores(model, {label: 0.05 * random.random()}, 0.0, 2.0) for model, label in LABELS]
        self._publisher.publish_heard(Heard(scores=scores))
        self._publisher.publish_state(_quiet_state(self.name, self.mqtt.link.state), now_s)

    def raise_alarm(self) -> None:
        """Owe one more change of an alarm."""
        alarm_id = f"{self.name}-cry-cry-{self._alarms}"
        self._alarms += 1
        alarm = Alarm(alarm_id, "sound", "cry", "cry", "high", "active", False, 0.97, "2 of 3 windows at or above 0.42")
        decided_s = time.time()
        body = payloads.alarm_body(
            Transition(alarm, 0, "raised", "begin", 0.0),
            instance=self.name,
            start_utc_s=decided_s - 2.0,
            decided_utc_s=decided_s,
            time_quality="synchronized",
            captured_to_decided_s=0.03,
        )

        def payload() -> bytes:
            return payloads.alarm_payload(body, decided_to_told_s=time.time() - decided_s, not_durable=False)

        topic = self.topics.alarm("sound", model="cry", name="cry")
        message = OwedMessage((alarm_id, 0), topic, payload)
        self._owed.add(message.key)
        self._waiting.append(message)
        self.offer()

    def offer(self) -> None:
        """Hand over as many owed changes as the client takes now, the oldest first; it repeats what is lost then."""
        room = self.mqtt.room if self._waiting else 0
        if room:
            first = list(islice(self._waiting, room))
            for _ in range(self.mqtt.offer(first, self.mqtt.held.generation)):
                self._waiting.popleft()

    # --- as the client's handler

    def connected(self) -> Iterable[Message]:
        """What a broker must receive first."""
        return self._publisher.initial_messages()

    def acknowledged(self, key: Key) -> None:
        """The broker has it."""
        self._owed.discard(key)

    def commanded(self, command: Command) -> None:
        """Nothing is commanded here."""


def _quiet_state(name: str, broker: str) -> DaemonState:
    members: dict[str, Any] = {
        **dict.fromkeys(DaemonState.__slots__, 0),
        "instance": name,
        "version": VERSION,
        "hearing": True,
        "sample_rate_hz": 16000,
        "told_utc_s": time.time(),
        "level_dbfs": -55 + random.uniform(-1.4, 1.4),
        "peak_dbfs": -40.0,
        "listened": 1.0,
        "windows": 1.0,
        "broker": broker,
        "models": ("cry 2.0.0", "scream 2.0.0"),
        "faults": (),
        "labels": (),
        "alarms": (),
        "listening_in": None,
        "night": None,
    }
    return DaemonState(**members)
