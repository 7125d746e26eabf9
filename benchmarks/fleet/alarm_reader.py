"""A ward's reader of all alarms, in a session that the broker keeps: how late each came, and which never did."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.fleet.fleet_broker import READER

if TYPE_CHECKING:
    from tests.system.broker.fleet import Fleet

REAL = "real-"
"""What names of real daemons begin with."""

TOPIC = "auricle/+/alarm/#"
_KEPT_S = 3600


class AlarmReader:
    """Reads in a thread of its own, from `start` to `stop`.

    Args:
        fleet: whose broker it reads.

    Attributes:
        received: (alarm_id, seq) of each change of simulated devices that came.
        of_daemons: the same of real daemons.
        copies: changes that came again.
    """

    def __init__(self, fleet: Fleet) -> None:
        self.received: set[tuple[str, int]] = set()
        self.of_daemons: set[tuple[str, int]] = set()
        self.copies = 0
        self._delays_s: list[float] = []
        self._delays_of_daemons_s: list[float] = []
        self._reads = threading.Event()
        self._reads.set()
        self._subscribed = threading.Event()
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2, READER, protocol=paho.MQTTv5)
        client.tls_set(fleet.file("ca.crt"), fleet.file(f"{READER}.crt"), fleet.file(f"{READER}.key"))
        client.reconnect_delay_set(1, 5)
        client.on_connect = lambda client, *_: client.subscribe(TOPIC, qos=1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_message = self._on_message
        self._port = fleet.broker.port

    def __repr__(self) -> str:
        return f"AlarmReader({len(self.received)} received)"

    def start(self) -> None:
        """Connect; returns once it is subscribed."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho says no types here
        properties.SessionExpiryInterval = _KEPT_S
        self._client.connect("localhost", self._port, 30, clean_start=False, properties=properties)
        self._client.loop_start()
        if not self._subscribed.wait(60.0):
            raise RuntimeError("the broker does not answer the reader")

    def stop(self) -> None:
        """Leave the broker."""
        self._reads.set()
        self._client.disconnect()
        self._client.loop_stop()

    def pause(self) -> None:
        """Read nothing until `go_on`: the broker has to keep what comes."""
        self._reads.clear()

    def go_on(self) -> None:
        """Read again."""
        self._reads.set()

    def pop_delays(self) -> list[float]:
        """Seconds from decision to arrival of what has come since the last call, shortest first."""
        delays, self._delays_s = self._delays_s, []
        return sorted(delays)

    def pop_delays_of_daemons(self) -> list[float]:
        """The same of real daemons."""
        delays, self._delays_of_daemons_s = self._delays_of_daemons_s, []
        return sorted(delays)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._reads.wait()
        members = json.loads(message.payload)
        key = members["alarm_id"], members["seq"]
        is_real = members["instance"].startswith(REAL)
        received = self.of_daemons if is_real else self.received
        if key in received:
            self.copies += 1
            return
        received.add(key)
        delay_s = time.time() - datetime.fromisoformat(members["decided_utc"]).timestamp()
        (self._delays_of_daemons_s if is_real else self._delays_s).append(delay_s)
