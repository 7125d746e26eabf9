"""A real daemon with a switch: a cry is only logged, raises its alarm in mid-cry, and is off over a restart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.schemas import check_all
from tests.system.broker.test_state_topics import SOON_S, Everybody
from tests.system.running_daemon import AURICLE, CRY_WITHIN_S, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system


def _config(port: int) -> str:
    return f"""
        [schedule.cry]
        switch = true
        otherwise = "log"
        [mqtt]
        host = "127.0.0.1"
        port = {port}
    """


def _does(state: DaemonState | None, mode: str, cause: str) -> bool:
    return state is not None and any(
        (label.label, label.mode, label.mode_cause) == ("cry", mode, cause) for label in state.labels
    )


def test_a_cry_that_is_only_logged_raises_its_alarm_when_it_is_wanted_and_off_outlives_a_restart(
    private_folder: Path, broker: Mosquitto
) -> None:
    sounds = Sounds(private_folder)
    recording = sounds.endless_cry()
    command = [str(AURICLE), "listen", "--loop", "--source", str(recording)]
    base = "auricle/anna"
    alarm, sound, mode = f"{base}/alarm/sound/cry/cry", f"{base}/sound/cry/cry", f"{base}/mode/cry"
    with (
        Everybody(broker.port) as people,
        RunningDaemon(private_folder, {}, _config(broker.port), name="anna", command=command) as daemon,
    ):
        daemon.wait_until(lambda: people.of(mode), "its mode, published once it takes commands", UP_WITHIN_S)
        people.say(f"{base}/command/mode", '{"label":"cry","mode":"log"}')
        daemon.wait_until(lambda: _does(daemon.status(), "log", "switch"), "the switch", UP_WITHIN_S)
        line = daemon.wait_for({"label": "cry", "phase": "begin"}, within_s=UP_WITHIN_S + CRY_WITHIN_S)
        assert line["priority"] is None
        daemon.wait_until(lambda: people.of(sound)[-1:] == [b"ON"], "ON, though no alarm is raised", SOON_S)
        assert people.of(alarm) == []
        people.say(f"{base}/command/mode", '{"label":"cry","mode":"alarm"}')
        daemon.wait_until(lambda: people.of(alarm), "the alarm of the cry that goes on", SOON_S)
        raised = json.loads(people.of(alarm)[0])
        assert (raised["change"], raised["alarm_id"]) == ("raised", line["event_id"])
        assert raised["captured_to_decided_s"] < 5.0
        done = daemon.ask("mode", "--instance", "anna", "cry", "off")
        assert (done.returncode, "sets cry to off" in done.stdout) == (0, True)
        daemon.wait_until(lambda: json.loads(people.of(mode)[-1])["mode"] == "off", "it published", SOON_S)
        assert daemon.ask("mode", "--instance", "anna", "scream", "off").returncode == 2
        assert json.loads(daemon.ask("status", "--instance", "anna", "--json").stdout)["state"]["alarms"]
        daemon.terminate()
        told = len(people.of(alarm))
        lines = len(daemon.lines())
        daemon.start()
        daemon.wait_until(lambda: _does(daemon.status(), "off", "switch"), "off after a restart", UP_WITHIN_S)
        daemon.wait_until_it_hears()
        daemon.wait_until(lambda: people.of(sound)[-1] == b"OFF", "OFF while it is off", SOON_S)
        state = daemon.wait_until(lambda: _scored(daemon.status()), "twenty windows", CRY_WITHIN_S + SOON_S)
        assert [label.on for label in state.labels if label.label == "cry"] == [False]
        assert not [line for line in daemon.lines()[lines:] if line["kind"] == "event"]
        assert {json.loads(each)["change"] for each in people.of(alarm)[told:]} <= {"reminded"}
    discovery = check_all(list(people.heard), base)
    assert {"mode.cry", "switch.cry"} < discovery["components"].keys()


def _scored(state: DaemonState | None) -> DaemonState | None:
    """Enough windows that a cry would have been an event long ago."""
    return state if state is not None and state.windows_scored >= 20 else None
