"""While somebody floods the topics of commands, alarms are published and acknowledged as at any other time.

A broker that cannot deliver drops acknowledgements too: the flood has to end there.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.system.alarms.test_alarms import Subscriber, config, playing
from tests.system.running_daemon import CRY_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system

_ACKNOWLEDGED_WITHIN_S = 15.0
"""A busy machine included; the client gives a connection up after 20 s without an acknowledgement."""


@pytest.fixture
def daemon(private_folder: Path, broker: Mosquitto) -> Iterator[RunningDaemon]:
    tape = Sounds(private_folder).cry_then_room(6.0, 20.0)
    with playing(private_folder, tape, config(broker)) as running:
        running.wait_until_it_runs()
        yield running


@pytest.mark.parametrize(("qos", "size"), [(0, 0), (0, 3000), (1, 0)], ids=["empty", "3 KB", "QoS 1"])
def test_an_alarm_is_published_and_acknowledged_while_a_flood_goes_on(
    broker: Mosquitto, daemon: RunningDaemon, qos: int, size: int
) -> None:
    with Subscriber(broker.port, below="alarm/#") as people, _flood(broker.port, qos, size) as flooder:
        daemon.wait_until(lambda: _rejected(daemon) > 1000, "the flood", CRY_WITHIN_S)
        for number in (1, 2):
            seen = len(people.alarms(kind="sound"))
            daemon.wait_until(
                lambda seen=seen: len(people.alarms(kind="sound")) > seen,  # type: ignore[misc]
                f"change {number} of an alarm",
                2 * CRY_WITHIN_S,
            )
            daemon.wait_until(
                lambda: (state := daemon.status()) is not None and not state.owed,
                f"the acknowledgement of change {number}",
                _ACKNOWLEDGED_WITHIN_S,
            )
        dropped = "dropped unread: somebody publishes thousands a second"
        daemon.wait_until(lambda: dropped in daemon.printed(), "the line about it, which comes every 10 s", 30.0)
        assert flooder.poll() is None
    state = daemon.status()
    assert state is not None
    assert state.broker == "connected", state.broker_reason
    assert not [line for line in daemon.lines() if line.get("fault") in {"broker", "overload"}]


def _flood(port: int, qos: int, size: int) -> subprocess.Popen[bytes]:
    topic = "auricle/nursery/command/pause"
    return _Flooder([sys.executable, "-m", "tests.system.broker.flooder", str(port), topic, str(qos), str(size)])


class _Flooder(subprocess.Popen[bytes]):
    """Ends when its context does."""

    def __exit__(self, *error: object) -> None:
        self.kill()
        super().__exit__(*error)  # type: ignore[arg-type]


def _rejected(daemon: RunningDaemon) -> int:
    state = daemon.status()
    return 0 if state is None else state.commands_rejected
