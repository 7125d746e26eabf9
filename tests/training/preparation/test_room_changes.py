"""Changes of alarming sounds: what they keep, and that they happen to sounds with and without a label alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.training.preparation.test_feature_batch import example, recording
from training.mixing.signal import loud_power
from training.preparation import feature_batch as batch_module
from training.preparation.recipes import ALARM, alarm_augmentation
from training.preparation.room_changes import over_background, shifted_into_silence

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 32_000


def _tone(hz: float, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(COUNT) / 16_000)).astype(np.float32)


@pytest.mark.parametrize("change", ALARM.changes, ids=lambda change: change.__name__)
def test_the_length_is_kept_the_seed_decides_and_silence_stays_finite(change: object) -> None:
    assert callable(change)
    for samples in (_tone(700), np.zeros(COUNT, np.float32)):
        before = samples.copy()
        one, again = (change(samples, 16_000, np.random.default_rng(4), lambda: _tone(200)) for _ in range(2))
        assert one.shape == (COUNT,)
        assert np.isfinite(one).all()
        assert np.array_equal(one, again)
        assert np.array_equal(samples, before)


def test_the_background_lies_at_the_levels_of_the_scenes() -> None:
    ratios_db = []
    for seed in range(40):
        mixed = over_background(_tone(3000), 16_000, np.random.default_rng(seed), lambda: _tone(200))
        ratios_db.append(10 * np.log10(loud_power(_tone(3000)) / loud_power(mixed - _tone(3000))))
    assert -2.1 < min(ratios_db) < 5
    assert 18 < max(ratios_db) < 25.1


def test_a_shifted_sound_leaves_digital_silence_at_one_end() -> None:
    moved = shifted_into_silence(np.ones(COUNT, np.float32), 16_000, np.random.default_rng(1), lambda: _tone(200))
    kept = np.flatnonzero(moved)
    assert COUNT // 2 <= len(kept) < COUNT
    assert kept[-1] - kept[0] + 1 == len(kept)


def test_what_lies_under_a_sound_has_no_label(tmp_path: Path) -> None:
    """Two screams and one other sound: under each of them lies the other sound."""
    targets = {"a.wav": 1.0, "b.wav": 1.0, "other.wav": 0.0}
    examples = [example(recording(tmp_path, name, 2.0), 0.0, 2.0, target) for name, target in targets.items()]
    changed = batch_module._alterations(examples, examples, alarm_augmentation, 3)
    assert [one.partner[0].file.name for one in changed if one] == ["other.wav"] * 3
