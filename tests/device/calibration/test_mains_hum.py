"""Hum is found at 50 and at 60 Hz, apart from each other, and not where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.calibration.mains_hum import LEAST_SPECTRA, find_hum
from device.calibration.room_measure import dbfs
from tests.device.calibration.sounds import metered, noise, tone

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


def hum(mains_hz: float, dbfs_of_first: float, harmonics: tuple[int, ...] = (1, 2, 3)) -> npt.NDArray[np.float64]:
    parts = [tone(20.0, mains_hz * n, dbfs_of_first - 4 * (n - 1)) for n in harmonics]
    return np.asarray(np.sum(parts, axis=0))


@pytest.mark.parametrize("mains_hz", [50.0, 60.0, 49.9, 60.1])
def test_hum_is_found_at_its_mains_and_has_its_level(mains_hz: float) -> None:
    found = find_hum(metered(noise(20.0, -40.0) + hum(mains_hz, -50.0)))
    assert found is not None
    assert found.mains_hz == round(mains_hz, -1)
    assert dbfs(found.power) == pytest.approx(-48.2, abs=1.0)  # -50, -54 and -58 together
    assert found.lines_hz == tuple(found.mains_hz * n for n in (1, 2, 3))


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_a_rectifiers_second_multiple_alone_is_hum(mains_hz: float) -> None:
    found = find_hum(metered(noise(20.0, -40.0) + tone(20.0, 2 * mains_hz, -55.0)))
    assert found is not None
    assert found.mains_hz == mains_hz


@pytest.mark.parametrize("seed", range(3))
def test_steady_noise_has_none(seed: int) -> None:
    assert find_hum(metered(noise(LEAST_SPECTRA + 2.0, -40.0, seed))) is None


def test_300_hz_which_both_mains_have_and_other_tones_are_none() -> None:
    for hz in (300.0, 77.0):
        assert find_hum(metered(noise(20.0, -40.0) + tone(20.0, hz, -45.0))) is None, hz


def test_a_tone_that_comes_and_goes_is_none() -> None:
    sound = noise(30.0, -40.0)
    sound[: 3 * 16_000] += tone(3.0, 100.0, -45.0)
    assert find_hum(metered(sound)) is None


def test_a_stretch_too_short_to_tell_has_none() -> None:
    assert find_hum(metered(noise(20.0, -40.0)[: 8 * 16_000] + hum(50.0, -30.0)[: 8 * 16_000])) is None


def test_a_recorded_office_hums_at_50_hz_and_rain_does_not(data_dir: Path) -> None:
    found = {}
    for name in ("noice__office_1", "moodist__heavy-rain"):
        samples, rate_hz = soundfile.read(data_dir / "ambient" / "loops" / f"{name}.ogg", frames=48_000 * 15)
        mono = samples if samples.ndim == 1 else samples.mean(axis=1)
        found[name] = find_hum(metered(mono, rate_hz, 4000))
    office = found["noice__office_1"]
    assert office is not None
    assert office.mains_hz == 50.0
    assert found["moodist__heavy-rain"] is None
