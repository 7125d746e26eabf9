"""Examples as arrays: what the device would compute, in the order of the examples."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError, RecordingError
from device.hearing.features import window_features
from training.data.datasets.annotated_recording import AnnotatedRecording
from training.data.examples import Example
from training.data.tasks import BREATH_SOUNDS
from training.networks.cnn_bilstm import STREAMING_MFCC
from training.networks.han import STREAMING_LOG_MEL
from training.preparation.class_balance import Drawn
from training.preparation.feature_batch import feature_batch
from training.preparation.prepared_stretch import PUBLISHED_LUNG_CLEANING, Cleaning, with_surroundings
from training.preparation.recipes import four_augmentations, lung_augmentation
from training.scaling.feature_cache import FeatureCache

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 4_000


def recording(folder: Path, name: str, seconds: float) -> AnnotatedRecording:
    seed = sum(map(ord, name))
    noise = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))
    soundfile.write(folder / name, noise, RATE_HZ, subtype="FLOAT")
    return AnnotatedRecording(folder / name, "mine", ("x",), name, "", "", RATE_HZ, seconds, (), "")


def example(held: AnnotatedRecording, start_s: float, end_s: float, *target: float) -> Example:
    return Example(held, start_s, end_s, target, held.subject, "train")


def test_features_are_the_devices_of_the_stretch_in_the_order_of_the_examples(tmp_path: Path) -> None:
    one, two = recording(tmp_path, "one.wav", 6.0), recording(tmp_path, "two.wav", 3.0)
    examples = [example(one, 1.0, 3.0, 1, 0), example(two, 0.0, 2.0, 0, 1), example(one, 4.0, 6.0, 1, 1)]
    specs = (STREAMING_MFCC, STREAMING_LOG_MEL)
    arrays, targets = feature_batch(examples, specs)
    assert targets.tolist() == [[1, 0], [0, 1], [1, 1]]
    for spec, array in zip(specs, arrays, strict=True):
        assert array.shape == (3, *spec.shape, 1)
        assert array.dtype == np.float32
        for row, held in zip(array, examples, strict=True):
            samples = soundfile.read(held.recording.file, dtype="float32")[0]
            stretch = samples[round(held.start_s * RATE_HZ) : round(held.end_s * RATE_HZ)]
            assert np.array_equal(row[..., 0], window_features(spec, stretch))


def test_a_short_cycle_is_repeated_to_the_window(tmp_path: Path) -> None:
    held = recording(tmp_path, "one.wav", 2.0)
    samples = soundfile.read(held.file, dtype="float32")[0]
    (array,), _ = feature_batch([example(held, 0.5, 1.0, 1)], [STREAMING_LOG_MEL])
    repeated = np.resize(samples[2000:4000], 8000)
    assert np.array_equal(array[0, ..., 0], window_features(STREAMING_LOG_MEL, repeated))


@pytest.mark.parametrize(("start_s", "first"), [(1.5, 2800), (0.1, 0), (3.6, 8000)])
def test_a_short_cycle_may_be_heard_with_its_surroundings(tmp_path: Path, start_s: float, first: int) -> None:
    """What the device hears: 2 s around it, moved where the recording begins or ends."""
    held = recording(tmp_path, "one.wav", 4.0)
    samples = soundfile.read(held.file, dtype="float32")[0]
    short = example(held, start_s, start_s + 0.4, 1)
    (array,), _ = feature_batch([short], [STREAMING_LOG_MEL], cleaning=Cleaning(shorter="surroundings"))
    assert np.array_equal(array[0, ..., 0], window_features(STREAMING_LOG_MEL, samples[first : first + 8000]))


@given(st.integers(0, 500), st.integers(1, 300), st.integers(1, 300), st.integers(1, 900))
def test_surroundings_hold_the_stretch_and_fill_the_window_where_the_recording_can(
    start: int, count: int, length: int, whole: int
) -> None:
    start, end = min(start, whole - 1), min(start + count, whole)
    end = max(end, start + 1)
    first, last = with_surroundings(start, end, length, whole)
    assert 0 <= first <= start < end <= last <= whole
    assert last - first == min(whole, max(length, end - start))


def test_no_examples_give_no_rows() -> None:
    arrays, targets = feature_batch([], [STREAMING_LOG_MEL])
    assert arrays[0].shape == (0, *STREAMING_LOG_MEL.shape, 1)
    assert len(targets) == 0


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    held = recording(tmp_path, "gone.wav", 2.0)
    held.file.unlink()
    with pytest.raises(RecordingError, match=r"gone\.wav cannot be read as audio"):
        feature_batch([example(held, 0.0, 1.0, 1)], [STREAMING_LOG_MEL])


# --- augmentation


def _both_kinds(folder: Path) -> list[Example]:
    names = [f"{number}.wav" for number in range(4)]
    return [
        example(recording(folder, name, 4.0), start_s, start_s + 2.0, number % 2, (number + 1) % 2)
        for number, name in enumerate(names)
        for start_s in (0.0, 2.0)
    ]


def test_augmentation_changes_each_example_by_its_place_and_seed_alone(tmp_path: Path) -> None:
    examples = _both_kinds(tmp_path)
    specs = (STREAMING_LOG_MEL, STREAMING_MFCC)
    plain, _ = feature_batch(examples, specs)
    (one, _), targets = feature_batch(examples, specs, augmentation=lung_augmentation(BREATH_SOUNDS), seed=1)
    (again, _), _ = feature_batch(examples, specs, augmentation=lung_augmentation(BREATH_SOUNDS), seed=1)
    (other, _), _ = feature_batch(examples, specs, augmentation=lung_augmentation(BREATH_SOUNDS), seed=2)
    assert targets.tolist() == [list(held.target) for held in examples]
    assert np.isfinite(one).all()
    assert np.array_equal(one, again)
    for row in range(len(examples)):
        assert not np.array_equal(one[row], plain[0][row])
        assert not np.array_equal(one[row], other[row])


def test_both_inputs_of_a_network_hear_the_same_change(tmp_path: Path) -> None:
    examples = _both_kinds(tmp_path)
    first, second = replace(STREAMING_LOG_MEL, deltas=0), replace(STREAMING_LOG_MEL, deltas=0, normalization="none")
    (one, two), _ = feature_batch(examples, (first, second), augmentation=four_augmentations, seed=3)
    flat = two - two.mean(axis=(1, 2, 3), keepdims=True)
    assert np.abs(flat / flat.std(axis=(1, 2, 3), keepdims=True) - one).max() < 1e-3


def test_what_does_not_train_is_never_augmented(tmp_path: Path) -> None:
    held = replace(_both_kinds(tmp_path)[0], part="val")
    with pytest.raises(ConfigError, match="only training examples are augmented"):
        feature_batch([held], [STREAMING_LOG_MEL], augmentation=four_augmentations)


def test_of_balanced_examples_only_repetitions_are_augmented(tmp_path: Path) -> None:
    examples = _both_kinds(tmp_path)[:2]
    drawn = [Drawn(examples[0], 0), Drawn(examples[0], 1), Drawn(examples[1], 0)]
    (array,), _ = feature_batch(drawn, [STREAMING_LOG_MEL], augmentation=four_augmentations, seed=5)
    (plain,), _ = feature_batch(examples, [STREAMING_LOG_MEL])
    assert np.array_equal(array[0], plain[0])
    assert np.array_equal(array[2], plain[1])
    assert not np.array_equal(array[1], plain[0])


@pytest.mark.parametrize(
    ("target", "name"), [((1, 0), "wheeze"), ((0, 1), "crackle"), ((1, 1), "either"), ((0, 0), "either")]
)
def test_each_breath_gets_the_recipe_of_its_labels(tmp_path: Path, target: tuple[float, ...], name: str) -> None:
    held = example(recording(tmp_path, "one.wav", 2.0), 0.0, 2.0, *target)
    assert lung_augmentation(BREATH_SOUNDS)(held).name == name


def test_published_cleaning_removes_silence_and_level(tmp_path: Path) -> None:
    spec = replace(STREAMING_LOG_MEL, deltas=0, normalization="none")
    held = recording(tmp_path, "one.wav", 2.0)
    samples = soundfile.read(held.file, dtype="float32")[0]
    quiet = np.concatenate([0.01 * samples[:4000], np.zeros(4000), 0.01 * samples[4000:]])
    soundfile.write(tmp_path / "quiet.wav", quiet, RATE_HZ, subtype="FLOAT")
    apart = replace(held, file=tmp_path / "quiet.wav", duration_s=3.0)
    (one,), _ = feature_batch([example(held, 0, 2, 1)], [spec], cleaning=PUBLISHED_LUNG_CLEANING)
    (two,), _ = feature_batch([example(apart, 0, 3, 1)], [spec], cleaning=PUBLISHED_LUNG_CLEANING)
    assert np.abs(one - two).max() < 1e-2


# --- workers and cache


def test_two_processes_and_a_cache_give_the_same_bits_as_one(tmp_path: Path) -> None:
    both = [replace(one, target=(1, 1)) for one in _both_kinds(tmp_path)[:4]]  # a recipe that needs no librosa
    drawn = [Drawn(one, copy) for copy in (0, 1) for one in both]
    augmentation, cache = lung_augmentation(BREATH_SOUNDS), FeatureCache(tmp_path / "cache")
    (one,), targets = feature_batch(drawn, [STREAMING_MFCC], augmentation=augmentation, seed=4)
    (two,), again = feature_batch(
        drawn, [STREAMING_MFCC], augmentation=augmentation, seed=4, workers=2, cache=cache, progress="recordings"
    )
    assert np.array_equal(one, two)
    assert np.array_equal(targets, again)


def test_features_are_found_again_unless_the_cut_or_the_cleaning_differs(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "cache")
    held = example(recording(tmp_path, "one.wav", 4.0), 0.0, 3.0, 1)

    def entries(given: Example, cleaning: Cleaning = Cleaning()) -> int:  # noqa: B008 - frozen
        feature_batch([given], [STREAMING_LOG_MEL], cleaning=cleaning, cache=cache)
        return sum(1 for path in (tmp_path / "cache").rglob("*") if path.is_file())

    assert entries(held) == entries(held) == 1
    assert entries(replace(held, end_s=2.9)) == 2
    assert entries(held, Cleaning(fit="start")) == 3


def test_augmented_features_are_not_kept(tmp_path: Path) -> None:
    feature_batch(
        _both_kinds(tmp_path), [STREAMING_MFCC], augmentation=four_augmentations, cache=FeatureCache(tmp_path / "cache")
    )
    assert not (tmp_path / "cache").exists()
