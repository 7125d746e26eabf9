"""A client of a broker, in a process of its own so that its memory can be measured: prints what it is, again and again.

Arguments: the port and the protocol.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from device.config.settings import MqttSettings
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.ownership import Owner
from device.sinks.payloads import Topics, availability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.commands import Command
    from device.sinks.mqtt.send_queue import Key
    from device.sinks.payloads import Message

_TOPICS = Topics("auricle", "nursery")


class Nobody:
    """Has nothing to publish and wants no command."""

    def connected(self) -> Iterable[Message]:
        """Nothing."""
        return (availability(_TOPICS, online=True),)

    def acknowledged(self, key: Key) -> None:
        """Ignored."""

    def commanded(self, command: Command) -> None:
        """Ignored."""


def resident_mb() -> float:
    """Memory of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> None:
    """Run until killed."""
    port, protocol = int(sys.argv[1]), sys.argv[2]
    settings = MqttSettings(host="127.0.0.1", port=port, protocol=protocol)  # type: ignore[arg-type] # one of two
    will = availability(_TOPICS, online=False)
    mqtt = Mqtt(
        settings,
        client_id="auricle-nursery",
        will=will,
        owner=Owner("device", "run", "host"),
        owner_topic=_TOPICS.owner,
        password=None,
        handler=Nobody(),
        commands=_TOPICS.commands,
    )
    started = False
    while True:
        link = mqtt.link
        told = {"mb": resident_mb(), "state": link.state, "reason": link.reason, "connected": mqtt.counts.connected}
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()
        if not started:  # what it needs before its first connection is told first
            mqtt.start()
            started = True
        time.sleep(0.1)


if __name__ == "__main__":
    main()
