"""The signal is the same each time, is the demo's infant, and plays in any player."""

from __future__ import annotations

import io
import wave

import numpy as np
import numpy.typing as npt
import pytest

from device.demo.scene import SEED, bedside
from device.synthesis.infant import cry
from device.synthesis.room_signal import CRY_END_S, CRY_START_S, LEAD_S, demo_cry, room_signal, signal_wav
from device.synthesis.voice import SAMPLE_RATE_HZ


def test_its_cry_is_that_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    cries: list[npt.NDArray[np.float64]] = []

    def crying(duration_s: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        cries.append(cry(duration_s, rng))
        return cries[-1]

    monkeypatch.setattr("device.synthesis.infant.cry", crying)
    monkeypatch.setattr("device.demo.talkers.babble", lambda *_: np.ones(16_000))
    bedside(np.random.default_rng(SEED))
    assert len(cries) == 1
    assert np.array_equal(demo_cry(), cries[0])


def test_the_cry_lies_where_it_is_said_to() -> None:
    signal = room_signal()
    start, end = (round((LEAD_S + at_s) * SAMPLE_RATE_HZ) for at_s in (CRY_START_S, CRY_END_S))
    assert np.abs(signal[start:end]).max() == pytest.approx(0.9)
    assert not signal[end:].any()
    assert np.abs(signal[end - SAMPLE_RATE_HZ // 50 : end]).max() > 0
    assert not signal[start - SAMPLE_RATE_HZ : start].any()
    assert not signal[: round(LEAD_S * SAMPLE_RATE_HZ)].any()


def test_the_file_holds_it_in_16_bits() -> None:
    with wave.open(io.BytesIO(signal_wav())) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, SAMPLE_RATE_HZ)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_767
    assert np.abs(samples - room_signal()).max() < 1e-4
