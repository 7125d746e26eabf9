"""A real daemon plays a recording whose loud part no model knows; broker, pins, journal and status tell of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.schemas import check_all
from tests.system.broker.test_state_topics import SOON_S, Everybody
from tests.system.running_daemon import AURICLE, RATE_HZ, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system


def _config(port: int) -> str:
    return f"""
        [loudness]
        level_dbfs = -30
        hold_s = 2
        priority = "low"
        [mqtt]
        host = "127.0.0.1"
        port = {port}
        [gpio]
        led = 17
    """


def _is_off(state: DaemonState | None) -> bool:
    return state is not None and state.hears and [each.on for each in state.labels if each.label == "loud"] == [False]


def _machine_noise(seconds: float) -> Any:
    """A hum with noise on it: loud, steady, and neither a cry nor a scream."""
    at_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = 0.03 * np.random.default_rng(3).standard_normal(len(at_s))
    return (0.1 * np.sin(2 * np.pi * 90.3 * at_s) + noise).astype(np.float32)


def test_a_loud_noise_is_an_alarm_like_any_other_and_a_replay_says_the_same(
    private_folder: Path, broker: Mosquitto
) -> None:
    sounds = Sounds(private_folder)
    recording = sounds.write("noise.wav", [sounds.room(6.0), _machine_noise(5.0), sounds.room(120.0)])
    command = [str(AURICLE), "listen", "--source", str(recording)]
    base = "auricle/anna"
    sound, alarm = f"{base}/sound/loudness/loud", f"{base}/alarm/sound/loudness/loud"
    with (
        Everybody(broker.port) as people,
        RunningDaemon(private_folder, {}, _config(broker.port), name="anna", command=command) as daemon,
    ):
        daemon.wait_until(lambda: people.of(sound)[-1:] == [b"ON"], "ON", UP_WITHIN_S)
        daemon.wait_until(lambda: people.of(alarm), "the alarm", SOON_S)
        daemon.wait_until(lambda: people.of(sound)[-1] == b"OFF", "OFF", SOON_S)
        daemon.wait_until(lambda: len(people.of(alarm)) == 2, "both changes", SOON_S)
        raised, ended = (json.loads(each) for each in people.of(alarm))
        assert (raised["change"], raised["priority"], raised["state"]) == ("raised", "low", "active")
        assert raised["detail"] == "4 of 8 windows at or above -30.0 dBFS"
        assert (ended["change"], ended["cause"], ended["alarm_id"]) == ("ended", "quiet", raised["alarm_id"])
        daemon.wait_until(lambda: people.of(f"{base}/score/loudness/loud"), "its scores", SOON_S)
        daemon.wait_until(lambda: _is_off(daemon.status()), "the same in the status", SOON_S)
        history = daemon.ask("history", "--instance", "anna").stdout
        assert "loud" in history
        live = [line for line in daemon.events() if line["label"] == "loud"]
        assert "GPIO 17 (led) on" in daemon.printed()
        replayed = daemon.ask("classify", "--config", str(daemon.config_path), "--json", str(recording))
    discovery = check_all(list(people.heard), base)
    assert {"sound.loudness.loud", "alarm.loudness.loud"} < discovery["components"].keys()
    assert "sensitivity.loudness.loud" not in discovery["components"]
    again = [event for event in json.loads(replayed.stdout)["events"] if event["label"] == "loud"]
    same = ("phase", "start_s", "end_s", "decided_s", "score", "reason")
    assert [{name: line[name] for name in same} for line in live] == [{n: e[n] for n in same} for e in again]
