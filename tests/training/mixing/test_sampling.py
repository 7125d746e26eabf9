"""What windows are made of: by infant, by kind, and never from a held-out recording."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.data.clips import LoadedClip, load_clips
from training.data.split_list import ListedClip, Part, read_list
from training.mixing.sampling import build_palette, is_narrow
from training.mixing.signal import STEP_SAMPLES

if TYPE_CHECKING:
    from training.mixing.augment import Palette

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def _clip(file: str, kind: str, *, cry: bool = False, subject: str = "s", part: Part = "train") -> LoadedClip:
    listed = ListedClip(f"set/{file}", "set", subject, part, "cry" if cry else "other", doubtful=False, reason="")
    samples = np.random.default_rng(len(file)).normal(0, 0.1, 16_000).astype(np.float32)
    return LoadedClip(listed, kind, samples)


def _files(palette: Palette) -> set[str]:
    groups = (*palette.cries, *palette.others, *palette.backgrounds, *palette.speech)
    return {sound.file for group in groups for sound in group.sounds}


def test_each_infant_is_one_group_and_each_kind_another() -> None:
    clips = [
        _clip("a1", "cry", cry=True, subject="anna"),
        _clip("a2", "cry", cry=True, subject="anna"),
        _clip("b1", "cry", cry=True, subject="ben"),
        _clip("c1", "cat"),
        _clip("d1", "dog"),
    ]
    active = {clip.listed.file: np.ones(100, np.bool_) for clip in clips if clip.is_cry}
    palette = build_palette(clips, active, [], {})
    assert [len(group.sounds) for group in palette.cries] == [2, 1]
    assert [len(group.sounds) for group in palette.others] == [1, 1]
    assert all(sound.active is None for group in palette.others for sound in group.sounds)


def test_a_cry_clip_without_an_audible_cry_is_left_out() -> None:
    clips = [_clip("a", "cry", cry=True), _clip("b", "cry", cry=True, subject="t")]
    marks = {"set/a": np.zeros(100, np.bool_), "set/b": np.ones(100, np.bool_)}
    assert _files(build_palette(clips, marks, [], {})) == {"set/b"}


def test_marks_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="99 steps of activity"):
        build_palette([_clip("a", "cry", cry=True)], {"set/a": np.ones(99, np.bool_)}, [], {})


def test_what_was_mistaken_for_a_cry_comes_more_often() -> None:
    clips = [_clip("cat1", "cat"), _clip("cat22", "cat")]
    group = build_palette(clips, {}, [], {"set/cat22": 1.0}).others[0]
    assert sum(group.weights) == pytest.approx(1.0)
    assert group.weights[1] > 10 * group.weights[0]


def test_a_telephones_band_is_recognized() -> None:
    wide = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    spectrum = np.fft.rfft(wide)
    spectrum[4000:] = 0  # a bin is 1 Hz
    assert is_narrow(np.fft.irfft(spectrum, 16_000).astype(np.float32))
    assert not is_narrow(wide)


@pytest.mark.real_audio
def test_no_validation_or_test_recording_reaches_the_training_windows() -> None:
    listed = [clip for clip in read_list() if clip.set in {"babycry", "scream", "esc50"} and "/1-1" in clip.file]
    listed += [clip for clip in read_list() if clip.set == "donateacry"][::8]
    clips = load_clips(DATA, "train", listed=listed)
    marks = {clip.listed.file: np.ones(len(clip.samples) // STEP_SAMPLES, np.bool_) for clip in clips if clip.is_cry}
    reached = _files(build_palette(clips, marks, [], {}))
    by_file = {clip.file: clip for clip in read_list()}
    assert reached
    assert {by_file[file].part for file in reached} == {"train"}
    held_out = {clip.subject for clip in read_list() if clip.part in {"val", "test"}}
    assert not held_out & {by_file[file].subject for file in reached}
