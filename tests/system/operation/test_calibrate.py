"""`auricle calibrate` beside a daemon that holds the sound: it measures through the daemon, which hears on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.device.calibration.sounds import RATE_HZ, noise, played
from tests.system.running_daemon import AURICLE, RunningDaemon

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


def test_a_room_is_measured_through_the_daemon_that_hears_it(tmp_path: Path) -> None:
    sound = tmp_path / "night.wav"
    soundfile.write(sound, np.concatenate([noise(15.0, -55.0), played(noise(30.0, -55.0), 1.0, -12.0)]), RATE_HZ)
    command = [str(AURICLE), "listen", "--source", str(sound), "--loop", "--speed", "3"]
    with RunningDaemon(tmp_path, {}, "", command=command) as daemon:
        daemon.wait_until_it_hears()
        asked = daemon.ask("calibrate", "--config", str(daemon.config_path), "--minutes", "0.1", "--out", str(tmp_path))
        assert asked.returncode in {0, 1}, asked.stderr
        assert "the daemon nursery holds the microphone and measures: an alarm may ring" in asked.stderr
        assert "2 of 2: play the signal" in asked.stderr
        figures = json.loads((tmp_path / "room.json").read_text())
        assert figures["signal"]["pips"] >= 5
        assert figures["labels"][0]["sensitivities"][5]["cry"] == "found"
        assert figures["room"]["heard_s"] >= 5.0
        state = daemon.status()
        assert state is not None
        assert state.hears
        assert state.dropped_s == 0.0
