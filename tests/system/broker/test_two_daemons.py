"""Two real daemons of one name on a real broker: one publishes, the other one says who does, and nobody fights."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.programs import program
from tests.system.alarms.test_alarms import BASE, SPEED, Subscriber, config
from tests.system.running_daemon import AURICLE, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system

_CLIENT_TURNS_S = 45.0
"""A client that stands back asks again after 30 s at most."""

_WATCHED_S = 40.0
_QUICK = ("[model.cry.label.cry]", "confirm_s = 1.0", "confirm_of_s = 1.0", "hold_s = 1.0", "cooldown_s = 0.0")
_TAKEN_OVER = "already connected, closing old connection"

both = pytest.mark.parametrize("protocol", ["5", "3.1.1"])


def _daemon(folder: Path, broker: Mosquitto, protocol: str, *, before: Sequence[str] = ()) -> RunningDaemon:
    """A daemon that hears a cry every few seconds, with folders of its own."""
    folder.mkdir()
    sounds = Sounds(folder)
    cries = sounds.write("cries.wav", 4 * [sounds.room(4.0), sounds.crying(3.0)])
    command = [*before, str(AURICLE), "listen", "--speed", str(SPEED), "--loop", "--source", str(cries)]
    return RunningDaemon(folder, {}, config(broker, f'protocol = "{protocol}"', *_QUICK), command=command)


def _on_another_machine(folder: Path) -> list[str]:
    """What in front of a command makes it see another machine's id."""
    machine_id = folder / "machine-id"
    machine_id.write_text(f"{'0123456789abcdef' * 2}\n")
    script = f'mount --bind {machine_id} /etc/machine-id && exec "$@"'
    return [program("unshare"), "--mount", "sh", "-c", script, "sh"]


def _state(daemon: RunningDaemon) -> str | None:
    state = daemon.status()
    return None if state is None else state.broker


def _wait_for_conflict(daemon: RunningDaemon) -> None:
    daemon.wait_until(lambda: _state(daemon) == "refused", "standing back", _CLIENT_TURNS_S)
    daemon.wait_for({"fault": "broker", "begins": True}, within_s=UP_WITHIN_S)
    state = daemon.status()
    assert state is not None
    assert f"another device, {socket.gethostname()!r}, is online under the name 'nursery'" in state.broker_reason
    assert any(fault.kind == "broker" and "another device" in fault.detail for fault in state.faults)
    said = daemon.ask("status").stdout
    assert "needs a name of its own" in said, said


@both
def test_a_second_device_of_one_name_is_told_before_it_disturbs_the_first(
    private_folder: Path, broker: Mosquitto, protocol: str
) -> None:
    before = _on_another_machine(private_folder)
    with Subscriber(broker.port) as people, _daemon(private_folder / "first", broker, protocol) as first:
        first.wait_until(lambda: _state(first) == "connected", "the first's connection", UP_WITHIN_S)
        with _daemon(private_folder / "second", broker, protocol, before=before) as second:
            _wait_for_conflict(second)
            told = len(people.alarms(kind="sound"))
            time.sleep(_WATCHED_S)
            assert _state(first) == "connected"
            assert _state(second) == "refused"
            fresh = people.alarms(kind="sound")[told:]
            assert len(fresh) > 10
            assert not [alarm for alarm in fresh if alarm["late"]]
            assert people.newest("available") == b"online"
            assert first.find({"fault": "broker"}) is None
            assert _TAKEN_OVER not in broker.log
            first.terminate()
            second.wait_until(lambda: _state(second) == "connected", "the second's turn", _CLIENT_TURNS_S)
            second.wait_for({"fault": "broker", "begins": False}, within_s=UP_WITHIN_S)
            second.wait_until(lambda: people.newest("available") == b"online", "being online", UP_WITHIN_S)
    kept = json.loads(people.newest("owner") or b"{}")
    assert kept["host"] == socket.gethostname()
    assert f"{BASE}/owner" in broker.log


@both
def test_of_two_daemons_of_one_id_the_newer_publishes_and_the_older_stands_back(
    private_folder: Path, broker: Mosquitto, protocol: str
) -> None:
    with Subscriber(broker.port) as people, _daemon(private_folder / "first", broker, protocol) as first:
        first.wait_until(lambda: _state(first) == "connected", "the first's connection", UP_WITHIN_S)
        with _daemon(private_folder / "second", broker, protocol) as second:
            _wait_for_conflict(first)
            told = len(people.alarms(kind="sound"))
            time.sleep(_WATCHED_S)
            assert (_state(first), _state(second)) == ("refused", "connected")
            fresh = people.alarms(kind="sound")[told:]
            assert len(fresh) > 10
            assert not [alarm for alarm in fresh if alarm["late"]]
            assert people.newest("available") == b"online"
            assert broker.log.count(_TAKEN_OVER) == 1
            checked = first.ask("check", "--config", str(first.config_path)).stdout
            assert "another device" in checked, checked
            second.terminate()
            first.wait_until(lambda: _state(first) == "connected", "the first's turn", _CLIENT_TURNS_S)


@both
def test_a_daemon_that_was_killed_has_its_name_again_at_once(
    private_folder: Path, broker: Mosquitto, protocol: str
) -> None:
    with _daemon(private_folder / "only", broker, protocol) as daemon:
        daemon.wait_until(lambda: _state(daemon) == "connected", "the connection", UP_WITHIN_S)
        daemon.kill()
        daemon.start()
        daemon.wait_until(lambda: _state(daemon) == "connected", "the connection again", UP_WITHIN_S)
        assert daemon.find({"fault": "broker"}) is None
