"""`auricle calibrate` on recordings: through the models and the listener that the daemon has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile

from device.__main__ import main
from device.config.loading import load_config
from device.synthesis.room_signal import signal_wav
from tests.device.calibration.sounds import RATE_HZ, noise, played

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


def write(name: str, samples: npt.NDArray[np.floating]) -> str:
    soundfile.write(name, samples, RATE_HZ)
    return name


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_room_and_a_played_signal_become_a_report_figures_and_a_fragment(capfd: pytest.CaptureFixture[str]) -> None:
    room, signal = write("room.wav", noise(12.0, -55.0)), write("played.wav", played(noise(26.0, -55.0), 2.0, -15.0))
    before = sorted(path.name for path in Path().iterdir())
    assert main(["calibrate", "--room", room, "--played", signal, "--out", "out"]) == 0
    out = capfd.readouterr().out
    assert "the played cry is found" in out
    assert "no hum of the mains stands out" in out
    assert "expect, by the card of cry, at sensitivity 0: 6 of 139 cries missed at 20 dB" in out
    assert Path("out/room.txt").read_text() in out
    figures = json.loads(Path("out/room.json").read_text())
    assert figures["signal"]["pips"] == 6
    assert figures["signal"]["pips_start_s"] == pytest.approx(3.0, abs=0.1)
    (cry, scream) = figures["labels"]
    assert cry["sensitivities"][5]["cry"] == "found"
    assert 0 <= cry["sensitivities"][5]["delay_s"] < 4
    assert {row["cry"] for row in scream["sensitivities"]} == {None}
    assert {row["alerts"] for row in cry["sensitivities"][:8]} == {0}
    load_config("out/room.toml")
    assert sorted(path.name for path in Path().iterdir()) == sorted([*before, "out"])
    assert sorted(path.name for path in Path("out").iterdir()) == ["room.json", "room.toml", "room.txt"]


def test_a_cry_lost_in_the_room_would_be_missed_at_every_sensitivity(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--played", write("played.wav", played(noise(26.0, -20.0), 2.0, -16.0))]) == 1
    out = capfd.readouterr().out
    assert "FAILURE  cry          the played cry would be missed at every sensitivity" in out
    assert "WARNING  distance" in out


def test_the_signal_is_written_for_any_player(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--signal", "signal.wav"]) == 0
    assert Path("signal.wav").read_bytes() == signal_wav()
    assert capfd.readouterr().out == "signal.wav: 21 s, six pips and a cry; play it at the cot\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--room", "gone.wav"], "gone.wav"),
        (["--room", "room.txt", "--out", "."], "--out room.txt is the input room.txt; name another file"),
        (["--signal", "no/such/folder.wav"], "--signal no/such/folder.wav cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    write("room.wav", noise(1.0, -50.0))
    Path("room.wav").rename("room.txt")
    assert main(["calibrate", *words]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert said in line
