"""Beds that are simulated: what they publish is made by the product's own functions, over one connection for all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from device.messages import Alarm, AlarmHistory, Transition
from device.sinks import payloads
from device.sinks.payloads import Topics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.sinks.payloads import Message

WITHIN_S = 60.0


class SimulatedBeds:
    """Beds of one broker; they say something when they are told to.

    Args:
        port: of the broker.
        names: of the beds.
    """

    def __init__(self, port: int, names: Iterable[str]) -> None:
        self.topics = {name: Topics("auricle", name) for name in names}
        self._alarms: dict[str, list[Alarm]] = {name: [] for name in self.topics}
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(200)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def begin(self, *, version: str = "0.1.0") -> None:
        """All of them start, and hear."""
        for name, topics in self.topics.items():
            self.say(payloads.availability(topics, online=True))
            self.say(payloads.software(topics, version=version, models=["cry 2.0.0", "scream 2.0.0"]))
            self.say(payloads.coverage(topics, listened=1.0, windows=1.0))
            self.tell_state(name)
        self.settle()

    def tell_state(self, name: str, *, hearing: bool = True) -> None:
        """One says what is open there, and whether it hears."""
        began = {alarm.alarm_id: AlarmHistory(time.time() - 120.0) for alarm in self._alarms[name]}
        self.say(
            payloads.state(
                self.topics[name],
                self._alarms[name],
                {},
                hearing=hearing,
                paused=False,
                utc_s=time.time(),
                histories=began,
            )
        )

    def cry(self, name: str, *, label: str = "cry", ago_s: float = 120.0, detail: str = "2 of 3 windows") -> str:
        """An alarm is raised at a bed; returns its id."""
        alarm = Alarm(f"{name}-{label}-0", "sound", label, "cry", "high", "active", False, 0.97, detail)
        self._alarms[name].append(alarm)
        body = payloads.alarm_body(
            Transition(alarm, 0, "raised", "begin", 0.0),
            instance=name,
            start_utc_s=time.time() - ago_s,
            decided_utc_s=time.time(),
            time_quality="synchronized",
            captured_to_decided_s=None,
        )
        topics = self.topics[name]
        topic = topics.alarm("sound", model="cry", name="cry")
        self.say(
            payloads.Message(topic, payloads.alarm_payload(body, decided_to_told_s=0.01, not_durable=False), qos=1)
        )
        self.tell_state(name)
        return alarm.alarm_id

    def say(self, message: Message) -> None:
        """Publish a message."""
        self._last = self._client.publish(message.topic, message.payload, message.qos, message.retain)

    def settle(self) -> None:
        """Wait until the broker has what was said last."""
        self._last.wait_for_publish(WITHIN_S)
