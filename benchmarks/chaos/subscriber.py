"""A subscriber on a socket that no fault touches; it keeps all that comes."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from benchmarks.chaos.judgement import Copy

if TYPE_CHECKING:
    from pathlib import Path


class Ears:
    """A subscriber on a socket of its own; it is there before the daemon can tell anything.

    Args:
        socket: of the broker.
    """

    def __init__(self, socket: Path) -> None:
        self.copies: list[Copy] = []
        self._socket = socket
        self._client: paho.Client | None = None
        self._gone = threading.Event()

    def __repr__(self) -> str:
        return f"Ears({len(self.copies)} copies)"

    def open(self) -> None:
        """Subscribe; returns when the broker has said so."""
        ready = threading.Event()
        self._gone = threading.Event()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            "people",
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            transport="unix",
            reconnect_on_failure=False,
        )
        client.username_pw_set("people", "people")
        client.on_subscribe = lambda *_: ready.set()
        client.on_disconnect = lambda *_, gone=self._gone: gone.set()
        client.on_message = self._hear
        client.connect(str(self._socket), keepalive=600)
        client.subscribe("auricle/+/alarm/#", 1)
        client.loop_start()
        self._client = client
        if not ready.wait(20.0):
            raise TimeoutError("the broker takes no subscriber")

    def ended(self) -> None:
        """The broker is gone: returns when all that it had sent was read."""
        if self._client is not None:
            self._gone.wait(20.0)
            self._client.loop_stop()
            self._client = None

    def _hear(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.copies.append(Copy(json.loads(message.payload), time.time()))
