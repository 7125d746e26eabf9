"""What `auricle devices` prints: a table to copy from, and a level that never takes silence for full scale."""

from __future__ import annotations

import io
import itertools
import math
from typing import TYPE_CHECKING, Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config.microphone.microphone_settings import MicrophoneSettings
from device.errors import MicrophoneError
from device.hearing.level import Level
from device.messages import AudioBlock, NoAudio
from device.sources.device_match import ListedDevice, UsbIdentity
from device.tools import devices
from device.tools.devices import line, list_devices, meter, readings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

RATE_HZ = 8000
BLOCK = 400

LEFT = ListedDevice(
    0,
    "USB PnP: Audio (hw:1,0)",
    "ALSA",
    1,
    44100,
    (44100, 48000),
    UsbIdentity("0d8c", "0014"),
    "1-1.2",
    is_default=True,
)
RIGHT = LEFT._replace(number=1, name="USB PnP: Audio (hw:2,0)", rates_hz=(), port="1-1.3", is_default=False)


def _sound(amplitudes: list[float]) -> Iterator[AudioBlock]:
    for number, amplitude in enumerate(amplitudes):
        yield AudioBlock(np.full(BLOCK, amplitude, np.float32), RATE_HZ, number * BLOCK)


def test_each_microphone_stands_with_what_to_write_for_it() -> None:
    assert list(list_devices([LEFT, RIGHT])) == [
        "   microphone      device =      channels  rates in Hz",
        '*  USB PnP: Audio  "port:1-1.2"  1         44100, 48000',
        '   USB PnP: Audio  "port:1-1.3"  1         44100 (in use?)',
        '* is what device = "default" hears at present',
    ]


def test_no_microphone_at_all_is_a_sentence_that_says_what_to_do() -> None:
    with pytest.raises(MicrophoneError, match="plug one in"):
        list(list_devices([]))


def _level(samples: npt.NDArray[np.float32]) -> Level:
    level = Level()
    level.push(samples, RATE_HZ)
    return level


def test_levels_are_those_of_known_signals() -> None:
    sine = np.sin(2 * np.pi * 100 * np.arange(RATE_HZ) / RATE_HZ).astype(np.float32)
    assert "  -3.0 dBFS RMS" in line(_level(sine))
    assert "   0.0 dBFS peak" in line(_level(sine))
    assert "   0.0 dBFS RMS" in line(_level(np.ones(100, np.float32)))
    assert " -20.0 dBFS RMS" in line(_level(np.full(100, 0.1, np.float32)))


def test_digital_silence_is_no_signal_and_never_full_scale() -> None:
    assert line(_level(np.zeros(100, np.float32))) == "no signal (digital silence): muted, or a dead microphone"


@given(st.floats(1e-7, 1.0), st.floats(1e-7, 1.0))
def test_a_bar_is_as_wide_as_any_other_and_grows_with_the_level(one: float, other: float) -> None:
    quiet, loud = (line(_level(np.full(100, amplitude, np.float32))) for amplitude in sorted((one, other)))
    assert len(quiet) == len(loud)
    assert quiet.count("=") <= loud.count("=")


def test_a_reading_covers_all_sound_since_the_last() -> None:
    read = list(readings(_sound([0.1, 0.3, 0.0, 0.0, 0.5, 0.5]), every_s=0.1))
    levels = [reading for reading in read if isinstance(reading, Level)]
    assert [level.peak_dbfs for level in levels] == pytest.approx([20 * math.log10(0.3), None, 20 * math.log10(0.5)])
    assert levels[0].rms_dbfs == pytest.approx(10 * math.log10(0.05))


def test_where_nothing_is_heard_the_reading_is_its_reason() -> None:
    silence = NoAudio("it is unplugged", 0.1, 0.35)
    read = list(readings([*_sound([0.1, 0.1]), silence], every_s=0.1))
    assert read[-1] == silence
    assert line(silence) == "no audio: it is unplugged"


def test_a_meter_that_is_given_seconds_ends_by_itself() -> None:
    endless = _sound([0.1] * 10**6)
    assert len(list(readings(endless, every_s=0.1, seconds=1.0))) == 10
    nothing = (NoAudio("gone", 0.0, 0.25 * n) for n in itertools.count())
    assert len(list(readings(nothing, every_s=1.0, seconds=3.0))) == 3


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class FakeMicrophone:
    """A microphone of given messages."""

    messages: tuple[AudioBlock | NoAudio, ...] = ()

    def __init__(self, _settings: MicrophoneSettings) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        yield from self.messages


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeMicrophone]:
    monkeypatch.setattr(FakeMicrophone, "messages", tuple(_sound([0.1] * 40)))
    monkeypatch.setattr(devices, "open_microphone", FakeMicrophone)
    return FakeMicrophone


@pytest.mark.usefixtures("fake")
def test_on_a_terminal_the_meter_is_redrawn_in_place_and_elsewhere_a_line_comes_each_second() -> None:
    terminal, file = Terminal(), io.StringIO()
    meter(MicrophoneSettings(), terminal, seconds=2.0)
    meter(MicrophoneSettings(), file, seconds=2.0)
    assert terminal.getvalue().count("\r") == 20
    assert terminal.getvalue().count("\n") == 1
    assert "\r" not in file.getvalue()
    assert file.getvalue().count("\n") == 2


def test_a_meter_that_heard_nothing_says_why(fake: type[FakeMicrophone], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "messages", (NoAudio("it is unplugged", 0.0, 1.0), NoAudio("it is unplugged", 0.0, 2.0)))
    with pytest.raises(MicrophoneError, match="nothing was heard: it is unplugged"):
        meter(MicrophoneSettings(), io.StringIO(), seconds=2.0)
