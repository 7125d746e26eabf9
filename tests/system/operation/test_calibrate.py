"""A room measured beside a daemon that holds the sound, by `auricle calibrate` and by the page; it hears on."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.device.calibration.sounds import RATE_HZ, noise, played
from tests.programs import program
from tests.system.conftest import wait_until
from tests.system.operation.devtools import opened_tab
from tests.system.operation.running_page import RunningPage
from tests.system.running_daemon import AURICLE, RunningDaemon, private

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.conftest import PulseCard
    from tests.system.operation.devtools import Tab

pytestmark = pytest.mark.system

SAID = "document.getElementById('room-said').textContent"
OUTSIDE = """[...document.querySelectorAll("body, body *")]
  .filter((e) => !e.closest("pre, .skip") && e.getBoundingClientRect().width)
  .filter((e) => { const box = e.getBoundingClientRect(); return box.right > innerWidth + 0.5 || box.left < -0.5; })
  .map((e) => `${e.tagName} ${e.textContent.slice(0, 40)}`)"""


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


def test_without_a_daemon_it_opens_the_microphone_itself(tmp_path: Path, pulse: PulseCard) -> None:
    sound = tmp_path / "night.wav"
    parts = [noise(20.0, -55.0), *[played(noise(24.0, -55.0, seed), 1.0, -12.0) for seed in range(3)]]
    soundfile.write(sound, np.concatenate(parts), RATE_HZ)
    pulse.play(sound)
    command = [str(AURICLE), "calibrate", "--minutes", "0.1", "--out", str(tmp_path)]
    asked = subprocess.run(
        command, env=private(tmp_path, pulse.environment), capture_output=True, text=True, check=False, timeout=120
    )
    assert "the room as it is" in asked.stderr
    figures = json.loads((tmp_path / "room.json").read_text())
    assert figures["room"]["heard_s"] == pytest.approx(6.0, abs=0.5)
    assert figures["signal"]["pips"] >= 5
    assert figures["labels"][0]["sensitivities"][5]["cry"] == "found"


def test_the_page_plays_the_signal_and_shows_what_the_daemon_measured(tmp_path: Path) -> None:
    sound = tmp_path / "night.wav"
    soundfile.write(sound, np.concatenate([noise(8.0, -55.0), played(noise(24.0, -55.0), 1.0, -12.0)]), RATE_HZ)
    command = [str(AURICLE), "listen", "--source", str(sound), "--loop", "--speed", "3"]
    (tmp_path / "browser").mkdir()
    with (
        RunningDaemon(tmp_path, {}, "", command=command) as daemon,
        RunningPage(daemon) as page,
        opened_tab(program("chromium"), tmp_path / "browser") as tab,
    ):
        daemon.wait_until_it_hears()
        tab.look_as(width=390, height=844, is_phone=True)
        tab.go_to(f"{page.address}room")
        assert tab.evaluate(OUTSIDE) == []
        _click(tab, '[data-room-seconds="120"]')
        _until(tab, SAID, "of 2:00", 15.0)
        _click(tab, "#room-play")
        _until(tab, SAID, "The signal plays", 15.0)
        _until(tab, SAID, "The measurement is over", 90.0)
        findings = tab.evaluate("document.getElementById('room-findings').textContent")
        assert "signal: 6 of 6 pips stand out" in findings
        assert "the played cry is found" in findings
        assert "[model.cry.label.cry]" in tab.evaluate("document.getElementById('room-fragment').textContent")
        assert tab.evaluate(OUTSIDE) == []


def _click(tab: Tab, selector: str) -> None:
    """As a person does: a browser plays nothing that nobody asked for."""
    tab.call("Runtime.evaluate", expression=f"document.querySelector('{selector}').click()", userGesture=True)


def _until(tab: Tab, script: str, words: str, within_s: float) -> None:
    def holds() -> bool:
        said = tab.evaluate(script)
        assert "No answer" not in said, said
        return words in said

    wait_until(holds, words, within_s)
