"""The picture of a recording: what is in it, where, and in how much memory."""

from __future__ import annotations

import io

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from PIL import Image

from device.messages import AudioBlock
from device.report.spectrogram import Spectrogram, SpectrogramCollector, colour_map

RATE_HZ = 8000
Float32 = npt.NDArray[np.float32]


def _noise(seconds: float, rate_hz: int = RATE_HZ, level: float = 0.01) -> Float32:
    return np.random.default_rng(1).normal(0.0, level, round(seconds * rate_hz)).astype(np.float32)


def _sine(frequency_hz: float, seconds: float, rate_hz: int = RATE_HZ) -> Float32:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.sin(2 * np.pi * frequency_hz * time_s).astype(np.float32)


def _drawn(
    samples: Float32, rate_hz: int = RATE_HZ, sizes: tuple[int, ...] = (4000,), columns: int = 64
) -> Spectrogram:
    collector = SpectrogramCollector(rate_hz, most_columns=columns)
    start, turn = 0, 0
    while start < len(samples):
        block = samples[start : start + sizes[turn % len(sizes)]]
        collector.push(AudioBlock(block, rate_hz, start))
        start, turn = start + len(block), turn + 1
    picture = collector.finish()
    assert picture is not None
    return picture


def _indices(picture: Spectrogram) -> npt.NDArray[np.uint8]:
    """Palette indices, (bands, columns), low frequencies first."""
    with Image.open(io.BytesIO(picture.png)) as image:
        assert image.format == "PNG"
        assert image.mode == "P"
        return np.asarray(image)[::-1]


@settings(max_examples=20)
@given(st.lists(st.integers(1, 9000), min_size=1, max_size=6))
def test_block_size_never_changes_the_picture(sizes: list[int]) -> None:
    samples = _noise(2.5)
    assert _drawn(samples, sizes=tuple(sizes)).png == _drawn(samples, sizes=(len(samples),)).png


def test_block_size_never_changes_the_picture_of_several_batches() -> None:
    samples = _noise(35.0)
    pictures = {_drawn(samples, sizes=sizes).png for sizes in ((len(samples),), (997, 40_000), (81_920,))}
    assert len(pictures) == 1


def test_block_size_never_changes_the_picture_of_a_resampled_recording() -> None:
    samples = _noise(3.0, 44_100)
    pictures = {_drawn(samples, 44_100, sizes).png for sizes in ((44_100,), (1, 997), (132_300,))}
    assert len(pictures) == 1


def test_a_sine_lies_at_its_height() -> None:
    for frequency_hz in (300.0, 1000.0, 3000.0):
        picture = _drawn(_sine(frequency_hz, 4.0))
        loudest = _indices(picture).mean(axis=1).argmax()
        assert loudest / 128 == pytest.approx(picture.height_of(frequency_hz), abs=0.02)


def test_a_full_scale_sine_reads_zero_decibels() -> None:
    assert _drawn(_sine(1000.0, 4.0)).high_db == pytest.approx(0.0, abs=1.0)


@pytest.mark.parametrize("seconds", [1.0, 7.3, 61.0])
def test_a_burst_lies_at_its_time_however_many_frames_share_a_column(seconds: float) -> None:
    samples = np.zeros(round(seconds * RATE_HZ), np.float32)
    at = round(0.7 * len(samples))
    samples[at : at + 80] = 0.9
    picture = _drawn(samples)
    loud = _indices(picture).max(axis=0)
    width_s = (picture.end_s - picture.start_s) / len(loud)
    found_s = picture.start_s + (loud.argmax() + 0.5) * width_s
    assert found_s == pytest.approx(at / RATE_HZ, abs=width_s + 0.03)


def test_a_click_stays_visible_in_a_long_recording() -> None:
    samples = _noise(120.0)
    samples[600_000:600_080] = 0.9
    bright = _indices(_drawn(samples)).max(axis=0).astype(int)
    assert bright.max() - np.median(bright) > 40


def test_the_picture_is_never_wider_than_allowed_and_covers_the_recording() -> None:
    for seconds in (0.1, 1.0, 10.0, 100.0):
        picture = _drawn(_noise(seconds))
        assert _indices(picture).shape[0] == 128
        assert _indices(picture).shape[1] <= 64
        width_s = (picture.end_s - picture.start_s) / _indices(picture).shape[1]
        assert picture.end_s == pytest.approx(seconds, abs=width_s + 0.04)


def test_what_a_gap_swallowed_is_transparent() -> None:
    collector = SpectrogramCollector(RATE_HZ, most_columns=640)
    collector.push(AudioBlock(_noise(2.0), RATE_HZ, 0))
    collector.push(AudioBlock(_noise(2.0), RATE_HZ, 4 * RATE_HZ, after_gap=True))
    picture = collector.finish()
    assert picture is not None
    with Image.open(io.BytesIO(picture.png)) as image:
        opaque = np.asarray(image.convert("RGBA"))[:, :, 3].max(axis=0) > 0
    assert picture.end_s == pytest.approx(6.0, abs=0.05)
    centre_s = picture.start_s + (np.arange(len(opaque)) + 0.5) * (picture.end_s - picture.start_s) / len(opaque)
    assert opaque[centre_s < 1.9].all()
    assert not opaque[(centre_s > 2.1) & (centre_s < 3.9)].any()
    assert opaque[(centre_s > 4.1) & (centre_s < 5.9)].all()


def test_silence_and_a_constant_make_a_picture_too() -> None:
    for samples in (np.zeros(RATE_HZ, np.float32), np.ones(RATE_HZ, np.float32)):
        picture = _drawn(samples)
        assert picture.high_db - picture.low_db >= 50
        assert _indices(picture).max() < 255


def test_digital_silence_does_not_darken_the_rest() -> None:
    quiet_room = _noise(4.0, level=1e-3)
    padded = np.concatenate([quiet_room, np.zeros(40 * RATE_HZ, np.float32)])
    assert _drawn(padded).high_db == pytest.approx(_drawn(quiet_room).high_db, abs=3.0)
    assert _drawn(padded).low_db > -119


def test_less_than_a_frame_makes_no_picture() -> None:
    collector = SpectrogramCollector(RATE_HZ)
    collector.push(AudioBlock(np.zeros(10, np.float32), RATE_HZ, 0))
    assert collector.finish() is None


@pytest.mark.parametrize("rate_hz", [500, 1000, 4000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_makes_a_picture_that_ends_at_half_of_it_or_8_khz(rate_hz: int) -> None:
    picture = _drawn(_noise(1.0, rate_hz), rate_hz)
    assert picture.f_max_hz == pytest.approx(min(max(rate_hz, 1000), 16_000) / 2)


def test_the_colour_map_grows_evenly_lighter() -> None:
    luminance = colour_map()[:255].astype(float) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) >= -0.3).all()
    assert luminance[0] < 10
    assert luminance[-1] > 230
