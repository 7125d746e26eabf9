"""The tap holds sound only while somebody listens, and hands over the samples of the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.daemon.audio.sound_tap import MOST_BLOCKS, SoundTap
from device.hearing.resample import Resampler
from device.messages import AudioBlock, NoAudio
from device.runtime.sockets.sound_socket import SECOND_BYTES, SOUND_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

NOISE: npt.NDArray[np.int16] = np.random.default_rng(3).integers(-32768, 32768, 4 * SOUND_RATE_HZ).astype(np.int16)


def _blocks(samples: Float32, rate_hz: int, *, start: int = 0, size: int = 800) -> list[AudioBlock]:
    return [
        AudioBlock(samples[at : at + size], rate_hz, start + at, after_gap=False) for at in range(0, len(samples), size)
    ]


def _floats(samples: npt.NDArray[np.int16]) -> Float32:
    return samples.astype(np.float32) / np.float32(32768)


class _Listed:
    """A source of these items."""

    def __init__(self, items: list[AudioBlock | NoAudio]) -> None:
        self.items = items
        self.is_closed = False

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        yield from self.items

    def close(self) -> None:
        self.is_closed = True


def test_what_had_16_bits_is_as_it_was() -> None:
    tap = SoundTap()
    tap.open()
    for block in _blocks(_floats(NOISE[:SOUND_RATE_HZ]), SOUND_RATE_HZ):
        tap.add(block)
    assert tap.take() == NOISE[:SOUND_RATE_HZ].tobytes()
    assert tap.take() == b""


def test_a_source_gives_its_items_on_and_the_tap_holds_none_unless_it_is_open() -> None:
    tap, source = SoundTap(), _Listed([*_blocks(np.zeros(4000, np.float32), 16000), NoAudio("unplugged", 0.0, 1.0)])
    wrapped = tap.wrap(source)
    assert list(wrapped.blocks()) == source.items
    assert tap.take() == b""
    tap.open()
    assert list(wrapped.blocks()) == source.items
    assert len(tap.take()) == 8000
    wrapped.close()
    assert source.is_closed


def test_sound_that_nobody_takes_is_dropped_oldest_first() -> None:
    tap = SoundTap()
    tap.open()
    for block in _blocks(_floats(NOISE), SOUND_RATE_HZ):
        tap.add(block)
    assert tap.take() == NOISE[-MOST_BLOCKS * 800 :].tobytes()
    assert MOST_BLOCKS * 800 * 2 == SECOND_BYTES


def test_a_shut_tap_forgets_what_it_held() -> None:
    tap = SoundTap()
    tap.open()
    tap.add(_blocks(np.ones(800, np.float32), 16000)[0])
    tap.shut()
    tap.open()
    assert tap.take() == b""


@pytest.mark.parametrize("rate_hz", [8000, 44100, 48000])
def test_other_rates_are_resampled_as_for_a_model_and_anew_after_a_gap(rate_hz: int) -> None:
    size = rate_hz // 20
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, 2 * rate_hz).astype(np.float32)
    tap, got = SoundTap(), bytearray()
    tap.open()
    first, second = samples[:rate_hz], samples[rate_hz:]
    for block in [*_blocks(first, rate_hz, size=size), *_blocks(second, rate_hz, start=3 * rate_hz, size=size)]:
        tap.add(block)
        got += tap.take()
    expected = [_resampled(first, rate_hz, last=True), _resampled(second, rate_hz, last=False)]
    assert bytes(got) == b"".join(expected)


def _resampled(samples: Float32, rate_hz: int, *, last: bool) -> bytes:
    resampler = Resampler(rate_hz, SOUND_RATE_HZ)
    parts = [resampler.push(samples), *([resampler.finish()] if last else [])]
    return b"".join(np.rint(part * 32768).astype("<i2").tobytes() for part in parts)


def test_what_is_louder_than_full_scale_is_clipped() -> None:
    tap = SoundTap()
    tap.open()
    tap.add(AudioBlock(np.array([2.0, 1.0, -1.0, -2.0], np.float32), SOUND_RATE_HZ, 0, after_gap=False))
    assert np.frombuffer(tap.take(), "<i2").tolist() == [32767, 32767, -32768, -32768]
