"""The recordings of one part, and nothing of another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.data.clips import direct, load_clips, load_impulse_responses
from training.data.split_list import read_list

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.mark.real_audio
def test_validation_clips_are_decoded_at_16_khz_and_ignored_ones_never() -> None:
    listed = [clip for clip in read_list() if clip.set in {"babycry", "scream"}]
    clips = load_clips(DATA, "val", listed=listed)
    wanted = [clip for clip in listed if clip.part == "val" and clip.label != "ignore"]
    assert [clip.listed for clip in clips] == wanted
    assert all(clip.samples.dtype == np.float32 and np.isfinite(clip.samples).all() for clip in clips)
    assert all(len(clip.samples) > 1000 for clip in clips)


@pytest.mark.real_audio
def test_rooms_begin_with_the_direct_sound_and_have_unit_energy() -> None:
    rooms = load_impulse_responses(DATA, "train")
    assert rooms
    for room in rooms:
        assert np.sum(room**2) == pytest.approx(1.0, rel=1e-3)
        assert np.argmax(np.abs(room)) == 0


def test_an_impulse_response_is_cut_at_its_peak() -> None:
    response = np.r_[np.zeros(50), 0.5, 0.25, np.zeros(40_000)].astype(np.float32)
    cut = direct(response)
    assert len(cut) == int(0.9 * 16_000)
    assert cut[:2] == pytest.approx([0.8944, 0.4472], abs=1e-3)
