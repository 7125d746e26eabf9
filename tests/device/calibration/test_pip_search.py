"""The pips are found in noise far louder than they are and in echoes, at their time; and nowhere without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr

from device.calibration.pip_search import find_pips
from device.demo.room import reverberated
from device.synthesis.room_signal import CRY_START_S, LEAD_S, PIP_HZ, room_signal
from tests.device.calibration.sounds import RATE_HZ, metered, noise, played

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

AT_S = 7.0
_PIPS = slice(round(LEAD_S * RATE_HZ), round((LEAD_S + CRY_START_S - 1.7) * RATE_HZ))


def pips_dbfs() -> float:
    return 10 * float(np.log10(np.mean(room_signal()[_PIPS] ** 2)))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("snr_db", [20, 0, -15])
def test_they_are_found_in_noise_louder_than_they_are(snr_db: float, seed: int) -> None:
    room = noise(30.0, -25.0, seed)
    found = find_pips(metered(played(room, AT_S, -25.0 + snr_db - pips_dbfs())))
    assert found is not None
    assert found.counted >= 5
    assert found.start_s == pytest.approx(AT_S + LEAD_S, abs=0.1)


def test_they_are_not_found_far_below_what_can_be_heard() -> None:
    assert find_pips(metered(played(noise(30.0, -25.0), AT_S, -60.0 - pips_dbfs()))) is None


@pytest.mark.parametrize("name", ["omni-35-10", "audiomentations_rir48000", "audiomentations_impulse_response_0"])
def test_they_are_found_in_a_rooms_echo(data_dir: Path, name: str) -> None:
    response, rate_hz = soundfile.read(data_dir / "rir" / f"{name}.flac", always_2d=True)
    wet = reverberated(played(noise(30.0, -200.0), AT_S, 0.0), soxr.resample(response[:, 0], rate_hz, RATE_HZ))
    wet *= 10 ** (-30 / 20) / np.sqrt(np.mean(wet[round(8 * RATE_HZ) : round(11 * RATE_HZ)] ** 2))
    found = find_pips(metered(wet + noise(30.0, -30.0)))
    assert found is not None
    assert found.start_s == pytest.approx(AT_S + LEAD_S, abs=0.3)


@pytest.mark.parametrize("lost", [(0, 1), (0, 5), (2, 3)])
def test_a_small_speaker_may_swallow_two_of_them(lost: tuple[int, int]) -> None:
    signal = played(noise(30.0, -200.0), AT_S, -20.0)
    spectrum, hz = np.fft.rfft(signal), np.fft.rfftfreq(len(signal), 1 / RATE_HZ)
    for pip in lost:
        spectrum[np.abs(hz / PIP_HZ[pip] - 1) < 0.05] *= 0.001
    found = find_pips(metered(np.fft.irfft(spectrum) + noise(30.0, -50.0)))
    assert found is not None
    assert found.counted == 4


def test_a_cry_without_pips_is_none_nor_is_the_room_alone() -> None:
    cry = room_signal()[round((LEAD_S + CRY_START_S - 0.5) * RATE_HZ) :]
    room = noise(30.0, -50.0)
    assert find_pips(metered(room)) is None
    room[: len(cry)] += cry
    assert find_pips(metered(room)) is None
    assert find_pips(metered(room[:RATE_HZ])) is None


def test_recorded_cries_speech_and_animals_hold_none(data_dir: Path) -> None:
    files: list[Path] = []
    for folder in ("donateacry", "babycry", "speech", "animals"):
        files += sorted((data_dir / folder).rglob("*.ogg"))[:80:20]
    assert len(files) == 16
    parts: list[npt.NDArray[np.float64]] = []
    for file in files:
        samples, rate_hz = soundfile.read(file, always_2d=True)
        parts.append(soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ))
    assert find_pips(metered(np.concatenate(parts), size=16_000)) is None
