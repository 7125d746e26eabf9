"""What is said of a measured room, in sentences, figures and lines of a configuration."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.calibration.room_findings import room_findings
from device.calibration.room_measure import RoomModels, measure_room
from device.calibration.room_report import json_text, room_json, room_text, room_toml
from device.config.loading import load_config
from device.messages import Fault
from device.synthesis.room_signal import LEAD_S
from tests.device.calibration.heard import HOP_S, KEY, POINT, decisions, stretch
from tests.device.calibration.sounds import metered, noise, played, tone

if TYPE_CHECKING:
    from pathlib import Path

    from device.calibration.room_measure import RoomMeasure
    from device.calibration.sound_stretch import HeardStretch
    from device.findings import Finding

MODELS = RoomModels({KEY: POINT}, {}, HOP_S)
AT_S = 3.0
CRY_S = AT_S + LEAD_S + 5.0


@pytest.fixture(scope="module")
def room() -> HeardStretch:
    return stretch([0.01] * 40, noise(30.0, -50.0))


def played_stretch(gain_db: float, score: float, room_dbfs: float = -50.0) -> HeardStretch:
    before = round((CRY_S - 1.0) / HOP_S)
    heard = stretch([], played(noise(28.0, room_dbfs), AT_S, gain_db))
    return replace(heard, steps=decisions([*[0.01] * before, *[score] * 28]), end_s=28.0)


def finding(measure: RoomMeasure, name: str, word: str = "") -> Finding:
    return next(each for each in room_findings(measure) if each.name == name and word in each.summary)


def test_a_cry_well_above_the_room_is_measured_and_found(room: HeardStretch) -> None:
    measure = measure_room(room, played_stretch(-10.0, 0.9), MODELS)
    assert measure.room is not None
    assert measure.signal is not None
    assert measure.room.typical_dbfs == pytest.approx(-50.0, abs=0.2)
    assert measure.signal.pips.start_s == pytest.approx(AT_S + LEAD_S, abs=0.1)
    assert measure.signal.is_whole
    own = 20 * np.log10(np.sqrt(np.mean(played(np.zeros(28 * 16_000), AT_S, -10.0)[9 * 16_000 : 22 * 16_000] ** 2)))
    assert measure.signal.cry_dbfs is not None
    assert measure.signal.cry_dbfs == pytest.approx(own, abs=2.0)  # its loud parts alone, without its pauses
    assert measure.signal.over_room_db == pytest.approx(measure.signal.cry_dbfs + 50.0, abs=0.3)
    assert finding(measure, "distance").outcome == "ok"
    found = finding(measure, "cry", "played")
    assert found.outcome == "ok"
    assert found.summary.endswith("at sensitivity 0, as configured; found from -3 to 5")


def test_a_cry_that_no_sensitivity_finds_is_a_failure_that_says_so(room: HeardStretch) -> None:
    measure = measure_room(room, played_stretch(-42.0, 0.011), MODELS)
    found = finding(measure, "cry", "played")
    assert found.outcome == "failure"
    assert found.summary == "the played cry would be missed at every sensitivity; its highest score is 0.01"
    assert "turn the player up" in found.cure
    assert "put the microphone nearer" in found.cure
    assert finding(measure, "distance").outcome == "warning"
    assert "no sensitivity finds the played cry" in room_toml(measure)
    assert "\nsensitivity" not in room_toml(measure)  # nothing to copy


def test_a_cry_that_another_sensitivity_finds_names_it(room: HeardStretch, tmp_path: Path) -> None:
    measure = measure_room(room, played_stretch(-20.0, 0.4), MODELS)
    found = finding(measure, "cry", "played")
    assert found.outcome == "failure"
    assert found.cure.endswith("or set sensitivity = 1 in [model.cry.label.cry]")
    fragment = room_toml(measure)
    assert "[model.cry.label.cry]\nsensitivity = 1    # now 0\n" in fragment
    file = tmp_path / "a.toml"
    file.write_text(fragment, encoding="utf-8")
    assert load_config(str(file)).models[0].label("cry").sensitivity == 1


def test_a_signal_that_was_not_played_is_one_failure_and_judges_no_cry(room: HeardStretch) -> None:
    measure = measure_room(room, stretch([0.9] * 40, noise(30.0, -50.0, seed=1)), MODELS)
    found = finding(measure, "signal")
    assert found.outcome == "failure"
    assert found.summary == "its pips are not to be found in 0:30 of sound"
    assert [each.name for each in room_findings(measure) if "played cry" in each.summary] == []


def test_a_signal_that_was_broken_off_is_said(room: HeardStretch) -> None:
    whole = played_stretch(-20.0, 0.9)
    samples = played(noise(28.0, -50.0), AT_S, -20.0)[: 15 * 16_000]
    measure = measure_room(room, replace(whole, sound=metered(samples), end_s=15.0), MODELS)
    assert finding(measure, "signal").outcome == "warning"
    assert "the sound ends before the cry does" in finding(measure, "signal").summary


def test_hum_near_the_rooms_level_is_said_and_stands_in_the_fragment_as_a_comment(tmp_path: Path) -> None:
    humming = stretch([0.01] * 40, noise(20.0, -60.0) + tone(20.0, 50.0, -50.0) + tone(20.0, 100.0, -55.0))
    measure = measure_room(humming, None, MODELS)
    found = finding(measure, "hum")
    assert found.outcome == "warning"
    assert found.summary == "the mains hum at 50 Hz (lines at 50 and 100 Hz), -48.8 dBFS"
    fragment = room_toml(measure)
    assert "# hum_hz = 50\n" in fragment
    file = tmp_path / "a.toml"
    file.write_text(fragment, encoding="utf-8")
    assert load_config(str(file)).filters.hum_hz is None


def test_an_alert_of_the_room_alone_is_a_warning(room: HeardStretch) -> None:
    loud = replace(room, steps=decisions([*[0.01] * 20, *[0.7] * 4, *[0.01] * 20]))
    found = finding(measure_room(loud, None, MODELS), "cry", "alone")
    assert found.outcome == "warning"
    assert found.summary.startswith("the room alone raises 1 alert in 0:30 (at most ")


def test_a_microphone_that_was_deaf_meanwhile_is_a_failure(room: HeardStretch) -> None:
    fault = Fault("silence", begins=True, since_s=3.0, at_s=6.0, detail="only zeros for 3 s")
    found = room_findings(measure_room(replace(room, faults=(fault,)), None, MODELS))[0]
    assert (found.name, found.outcome) == ("microphone", "failure")
    assert "only zeros for 3 s" in found.summary


def test_a_short_room_is_a_warning_and_a_silent_one_a_failure(room: HeardStretch) -> None:
    assert "ten minutes" in finding(measure_room(room, None, MODELS), "room").cure
    silent = stretch([0.01] * 4, np.zeros(16_000 * 5))
    assert finding(measure_room(silent, None, MODELS), "room").outcome == "failure"


def test_figures_are_json_and_text_has_a_row_for_each_sensitivity(room: HeardStretch) -> None:
    measure = measure_room(room, played_stretch(-20.0, 0.9), MODELS)
    figures = json.loads(json_text(room_json(measure)))
    assert [row["sensitivity"] for row in figures["labels"][0]["sensitivities"]] == list(range(-5, 6))
    assert figures["labels"][0]["sensitivities"][5]["cry"] == "found"
    assert len(figures["room"]["bands_dbfs"]) == 7
    lines = room_text(measure).splitlines()
    assert len([line for line in lines if line.startswith(("> ", "  ")) and "found after" in line]) == 9
    assert all(ord(letter) < 128 for letter in room_text(measure))


def test_a_capture_at_8_khz_has_no_band_above_it() -> None:
    seconds = np.arange(8000 * 12) / 8000
    sound = metered(0.01 * np.sin(2 * np.pi * 300 * seconds), 8000, 400)
    measure = measure_room(replace(stretch([0.01] * 9), sound=sound), None, MODELS)
    assert measure.room is not None
    assert measure.room.bands_dbfs[-1] is None
    assert measure.room.bands_dbfs[0] is not None
