"""Keeps every alarm message that the broker delivers, on a socket that no fault touches."""

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


NAME = PASSWORD = "subscriber"  # noqa: S105 - of a broker that lives for minutes, on the loopback
_LISTENS_WITHIN_S = 10.0


class Subscriber:
    """A subscriber with a persistent session, connected before the daemon can publish anything.

    Args:
        socket: path of the broker's Unix socket.

    Attributes:
        copies: of all changes of alarms, in arrival order.
    """

    def __init__(self, socket: Path) -> None:
        self.copies: list[Copy] = []
        self._socket = socket
        self._client: paho.Client | None = None
        self._disconnected = threading.Event()

    def __repr__(self) -> str:
        return f"Subscriber({len(self.copies)} copies)"

    def open(self) -> None:
        """Connect and subscribe; returns when the broker confirms it."""
        ready = threading.Event()
        self._disconnected = threading.Event()
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            NAME,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            transport="unix",
            reconnect_on_failure=False,
        )
        client.username_pw_set(NAME, PASSWORD)
        client.on_subscribe = lambda *_: ready.set()
        client.on_disconnect = lambda *_, disconnected=self._disconnected: disconnected.set()
        client.on_message = self._on_message
        self._connect(client)
        client.subscribe("auricle/+/alarm/#", 1)
        client.loop_start()
        self._client = client
        if not ready.wait(20.0):
            raise TimeoutError("the broker does not confirm the subscription")

    def _connect(self, client: paho.Client) -> None:
        """Connect as soon as the broker listens; it binds this socket after the port that its start waits for."""
        give_up = time.monotonic() + _LISTENS_WITHIN_S
        while True:
            try:
                client.connect(str(self._socket), keepalive=600)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)
            else:
                return

    def drain(self) -> None:
        """Return when all that a dead broker had sent was read; idempotent."""
        if self._client is not None:
            self._disconnected.wait(20.0)
            self._client.loop_stop()
            self._client = None

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self.copies.append(Copy(json.loads(message.payload), time.time()))
