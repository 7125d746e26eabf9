"""Listening gives what recordings of the same sound give, keeps what Ctrl-C leaves, and waits for no dead one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import soundfile

from device.calibration.opened_models import room_models
from device.calibration.room_measure import measure_room
from device.calibration.room_report import room_json
from device.config.loading import profile
from device.errors import MicrophoneError
from device.messages import AudioBlock, NoAudio
from device.runtime.model_loader import open_models
from device.tools.calibrate.live_room import LiveRoom
from device.tools.calibrate.progress_line import ProgressLine
from device.tools.calibrate.recorded_room import heard_recording
from tests.device.calibration.sounds import RATE_HZ, blocks, noise, played

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.config.settings import Settings
    from device.runtime.model_loader import OpenModels


class ScriptedMicrophone:
    """A microphone that gives these items; an exception among them is raised."""

    def __init__(self, items: Iterator[AudioBlock | NoAudio | BaseException]) -> None:
        self._items = items

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        while (item := next(self._items, None)) is not None:  # not a for loop: it goes on after an exception
            if isinstance(item, BaseException):
                raise item
            yield item


@pytest.fixture(scope="module")
def settings() -> Settings:
    return profile("nursery")


@pytest.fixture(scope="module")
def models(settings: Settings) -> Iterator[OpenModels]:
    with open_models(settings) as opened:
        yield opened


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_recordings_in_give_what_listening_gives(settings: Settings, models: OpenModels, tmp_path: Path) -> None:
    room, signal = noise(11.0, -55.0), played(noise(30.0, -55.0, seed=1), 1.0, -15.0)
    # The signal is over 3 s after its cry; the recording ends there.
    stop = round((1.0 + 1.0 + 18.945 + 3.5) * RATE_HZ)
    for name, samples in (("room", room), ("played", signal[:stop])):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE_HZ, subtype="FLOAT")
    shown = Terminal()
    whole = [
        *blocks(room),
        *(AudioBlock(each.samples, RATE_HZ, len(room) + each.start_sample) for each in blocks(signal)),
    ]
    live = LiveRoom(settings, models, ScriptedMicrophone(iter(whole)), ProgressLine(shown))
    stretches = live.room(11.0), live.played()
    known = room_models(settings, models)
    by_listening = room_json(measure_room(*stretches, known))
    recorded_room = heard_recording(settings, models, str(tmp_path / "room.wav"), hears_pips=False)
    recorded_signal = heard_recording(settings, models, str(tmp_path / "played.wav"), hears_pips=True)
    by_recordings = room_json(measure_room(recorded_room, recorded_signal, known))
    by_listening["signal"].pop("peak_dbfs"), by_recordings["signal"].pop("peak_dbfs")
    assert by_listening == by_recordings
    assert by_listening["labels"][0]["sensitivities"][5]["cry"] == "found"
    assert "0:11 of 0:11  -5" in shown.getvalue()


def test_ctrl_c_ends_a_part_and_keeps_it(settings: Settings, models: OpenModels) -> None:
    items: list[AudioBlock | NoAudio | BaseException] = [*blocks(noise(6.0, -50.0)), KeyboardInterrupt()]
    shown = io.StringIO()
    live = LiveRoom(settings, models, ScriptedMicrophone(iter(items)), ProgressLine(shown))
    room = live.room(600.0)
    assert room is not None
    assert room.sound.heard_s == pytest.approx(6.0, abs=0.3)
    assert len(room.steps) > 10
    assert shown.getvalue() == "Interrupted: what was measured is kept.\n"


def test_a_microphone_without_sound_is_not_waited_for(settings: Settings, models: OpenModels) -> None:
    silent = (NoAudio("it is unplugged", 0.0, 0.25 * n) for n in range(1000))
    live = LiveRoom(settings, models, ScriptedMicrophone(silent), ProgressLine(io.StringIO()))
    with pytest.raises(MicrophoneError, match="nothing was heard for 15 s: it is unplugged"):
        live.room(600.0)


def test_a_signal_that_never_comes_is_not_waited_for_longer_than_three_minutes(
    settings: Settings, models: OpenModels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.tools.calibrate.live_room.PLAYED_S", 4.0)
    live = LiveRoom(settings, models, ScriptedMicrophone(iter(blocks(noise(9.0, -50.0)))), ProgressLine(io.StringIO()))
    heard = live.played()
    assert heard is not None
    assert heard.end_s == pytest.approx(4.0)
