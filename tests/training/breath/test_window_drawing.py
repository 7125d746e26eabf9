"""Windows are drawn where annotations are, of every kind, and equally for equal seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.breath.band_frames import KEPT_BANDS, SPEC, BandFrames, normalize
from training.breath.channel_changes import ChannelChanges, masked, mixed, through_another_channel
from training.breath.window_drawing import WindowDrawing
from training.breath.window_targets import LABELS
from training.data.datasets.annotated_recording import AnnotatedRecording, AnnotatedSpan

CRACKLE, NORMAL, POOR = (LABELS.index(name) for name in ("crackle", "normal", "poor_quality"))
UNCHANGED = ChannelChanges(curve_share=0.0, noise_share=0.0, band_mask_share=0.0, frame_mask_share=0.0)


def held(name: str, labels: tuple[str, ...], *events: tuple[float, float, str], seed: int = 1) -> BandFrames:
    """Ten seconds of random decibels."""
    spans = tuple(AnnotatedSpan(*event) for event in events)
    frames = np.random.default_rng(seed).normal(-20, 10, (1000, KEPT_BANDS)).astype(np.float32)
    return BandFrames(AnnotatedRecording(Path("a.wav"), name, labels, "p", "", "", 4000, 10.0, spans, ""), "p", frames)


def normal_breaths(count: int) -> list[BandFrames]:
    return [held("sprsound", ("Normal",), (4.0, 6.0, "Normal"), seed=seed) for seed in range(count)]


def test_a_rare_kind_is_drawn_more_often_than_it_occurs_and_a_common_one_still_most() -> None:
    drawing = WindowDrawing([*normal_breaths(99), held("sprsound", ("DAS",), (4.0, 6.0, "Fine Crackle"))])
    assert drawing.kinds == {"sprsound Normal": 99, "sprsound Fine Crackle": 1}
    _, targets = drawing.draw(400, np.random.default_rng(2))
    assert 0.02 < targets[:, CRACKLE].mean() < 0.2
    assert targets[:, NORMAL].mean() > 0.4


def test_what_says_nothing_is_never_drawn() -> None:
    drawing = WindowDrawing([held("kauh", ("Wheeze",)), held("kauh", ("Normal",)), held("sprsound", ("Poor Quality",))])
    assert drawing.kinds == {"kauh Normal": 6, "sprsound Poor Quality": 3}
    _, targets = drawing.draw(60, np.random.default_rng(3))
    assert set(np.unique(targets[:, CRACKLE])) == {0.0}
    assert np.isnan(targets[targets[:, POOR] != 1][:, NORMAL]).all()
    with pytest.raises(ValueError, match="no recording holds an annotation"):
        WindowDrawing([held("kauh", ("Wheeze",))])


def test_equal_seeds_draw_equal_windows() -> None:
    drawing = WindowDrawing(normal_breaths(3))
    first, second = (drawing.draw(8, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])
    assert not np.array_equal(first[0], drawing.draw(8, np.random.default_rng(6))[0])
    assert first[0].shape == (8, SPEC.frame_count, KEPT_BANDS)


def test_changes_keep_the_shape_and_do_what_they_say() -> None:
    windows, _ = WindowDrawing(normal_breaths(2)).draw(16, np.random.default_rng(7))
    assert np.array_equal(through_another_channel(windows, UNCHANGED, np.random.default_rng(8)), windows)
    changed = through_another_channel(
        windows, ChannelChanges(curve_share=1.0, noise_share=0.0), np.random.default_rng(8)
    )
    difference = changed - windows
    assert np.abs(difference).max() > 3.0
    assert difference.std(axis=1).max() < 1e-4, "a curve is the same in every frame"
    noisy = through_another_channel(windows, ChannelChanges(curve_share=0.0, noise_share=1.0), np.random.default_rng(8))
    assert (noisy >= windows - 1e-3).all(), "noise is added in power"
    assert noisy.min() > windows.min() + 1.0


def test_masks_silence_bands_and_frames_and_leave_the_windows_that_were_given() -> None:
    windows = normalize(WindowDrawing(normal_breaths(2)).draw(32, np.random.default_rng(9))[0])
    before = windows.copy()
    changed = masked(windows, ChannelChanges(band_mask_share=1.0, frame_mask_share=0.0), np.random.default_rng(1))
    assert np.array_equal(windows, before)
    silenced = (changed == windows.min(axis=(1, 2), keepdims=True)).all(axis=1).sum(axis=1)
    assert 0 < silenced.max() <= KEPT_BANDS // 6
    assert np.array_equal(masked(windows, UNCHANGED, np.random.default_rng(1)), windows)


def test_a_mixed_label_is_open_where_either_is() -> None:
    windows = np.stack([np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)])
    targets = np.array([[1.0, np.nan], [0.0, 0.0]], np.float32)
    for seed in range(100):
        found, shares = mixed(windows, targets, ChannelChanges(), np.random.default_rng(seed))
        if found[0, 0, 0] > 0:
            break
    assert 0 < found[0, 0, 0] <= 0.5 <= found[1, 0, 0] < 1, "the greater share is the window's own"
    assert shares[:, 0] == pytest.approx(1 - found[:, 0, 0])
    assert np.isnan(shares[:, 1]).all()
