"""A real daemon whose MQTT thread hangs as soon as a file exists: `python hung_broker_daemon.py FILE listen ...`.

All other threads continue. The daemon's timeouts for a hung thread are a tenth of the real ones, so that no test has
to wait for minutes.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from device.__main__ import main
from device.daemon.alerting.faults.delivery_faults import BROKER_RAISE_AFTER_S, HUNG_AFTER_S, RESTART_AFTER_S
from device.sinks.mqtt.session import Session

if TYPE_CHECKING:
    import socket

TRIGGER = Path(sys.argv[1])


class HangingSession(Session):
    """Talks to the broker until it hangs."""

    def wait(self, waking: socket.socket, timeout_s: float) -> None:
        """Wait as every session does, or for ever once the file exists."""
        if TRIGGER.exists():
            threading.Event().wait()
        super().wait(waking, timeout_s)


if __name__ == "__main__":
    with (
        patch("device.sinks.mqtt.client.Session", HangingSession),
        patch("device.daemon.alerting.faults.delivery_faults.BROKER_RAISE_AFTER_S", BROKER_RAISE_AFTER_S / 10),
        patch("device.daemon.alerting.faults.delivery_faults.HUNG_AFTER_S", HUNG_AFTER_S / 10),
        patch("device.daemon.alerting.controller.RESTART_AFTER_S", RESTART_AFTER_S / 10),
    ):
        sys.exit(main(sys.argv[2:]))
