"""From a collection to arrays: only the training part is balanced, changed and learned from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.errors import ConfigError, RecordingError
from device.hearing.features import window_features
from tests.training.train.system.small_collection import write_collection
from training.data.datasets.annotated_recording import load_audio
from training.data.split_list import ListedClip, write_list
from training.data.tasks import find_task, own_task
from training.networks.catalog import find_form
from training.preparation.feature_batch import feature_batch
from training.preparation.window_fit import fitted
from training.train.system import prepared_data
from training.train.system.collection_source import read_source
from training.train.system.prepared_data import prepare
from training.train.system.system_recipes import recipe_of

if TYPE_CHECKING:
    from pathlib import Path

    from training.data.split_list import Part

PLAIN = recipe_of("baseline/lung")
LUNG = find_task("breath_sounds")
SPECS = find_form("cnn_bilstm/streaming").specs


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_collection(tmp_path_factory.mktemp("small"))


def test_each_window_is_what_the_device_hears_of_its_place(collection: tuple[Path, Path]) -> None:
    sounds, split = collection
    source = read_source([sounds], [split], "breath_sounds", official=False)
    data = prepare(source, LUNG, SPECS, PLAIN, seed=1)
    assert (len(data.train), len(data.val), len(data.test())) == (12, 8, 8)
    assert data.val.targets[:4].tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    place = data.val.places[2]
    assert (place.file, place.subject) == ("val2.wav", "val-0")
    assert place.end_s == pytest.approx(2.1)
    recording = next(one for one in source.collections[0][0].recordings if one.file.name == "val2.wav")
    samples = load_audio(recording, SPECS[0].sample_rate_hz)
    heard = window_features(SPECS[0], fitted(samples, SPECS[0].window_samples, "loudest"))
    assert np.array_equal(heard, data.val.inputs[0][2, :, :, 0])


def test_the_test_part_is_not_opened_before_it_is_asked_for(
    collection: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def noted(examples: list[Any], *given: Any, **named: Any) -> Any:
        opened.extend(getattr(one, "example", one).part for one in examples)
        return feature_batch(examples, *given, **named)

    monkeypatch.setattr(prepared_data, "feature_batch", noted)
    source = read_source([collection[0]], [collection[1]], "breath_sounds", official=False)
    data = prepare(source, LUNG, SPECS, PLAIN, seed=1)
    assert set(opened) == {"train", "val"}
    data.test()
    assert "test" in opened


def test_only_training_copies_are_changed_and_the_seed_repeats_them(collection: tuple[Path, Path]) -> None:
    source = read_source([collection[0]], [collection[1]], "breath_sounds", official=False)
    recipe = replace(PLAIN, augmentation="four", copies=1)
    plain = prepare(source, LUNG, SPECS, PLAIN, seed=1)
    changed, again, other = (prepare(source, LUNG, SPECS, recipe, seed=seed) for seed in (1, 1, 2))
    assert len(changed.train) == 24
    assert np.array_equal(changed.train.inputs[0][:12], plain.train.inputs[0])
    assert not np.array_equal(changed.train.inputs[0][12:], plain.train.inputs[0])
    assert np.array_equal(changed.train.inputs[0], again.train.inputs[0])
    assert not np.array_equal(changed.train.inputs[0], other.train.inputs[0])
    assert np.array_equal(changed.val.inputs[0], plain.val.inputs[0])


def test_examples_with_a_label_may_have_more_copies_and_none_of_them_as_recorded(
    collection: tuple[Path, Path],
) -> None:
    source = read_source([collection[0]], [collection[1]], "breath_sounds", official=False)
    plain = prepare(source, LUNG, SPECS, PLAIN, seed=1).train
    recipe = replace(PLAIN, augmentation="four", copies=1, copies_of_labelled=3, only_copies=True)
    train = prepare(source, LUNG, SPECS, recipe, seed=1).train
    labelled = int(plain.targets.any(axis=1).sum())
    assert 0 < labelled < len(plain)
    assert int(train.targets.any(axis=1).sum()) == 3 * labelled
    assert len(train) == 3 * labelled + len(plain) - labelled
    assert not any(np.array_equal(one, two) for one in train.inputs[0] for two in plain.inputs[0])


def test_an_open_standardization_is_learned_on_the_training_part_alone(collection: tuple[Path, Path]) -> None:
    source = read_source([collection[0]], [collection[1]], "cry_reason", official=False)
    form = find_form("residual_dual/streaming")
    data = prepare(source, find_task("cry_reason"), form.specs, recipe_of(form.name), seed=1)
    for spec, array in zip(data.specs, data.train.inputs, strict=True):
        assert len(spec.mean) == spec.bins
        assert np.abs(array.mean(axis=(0, 1))).max() < 1e-3
        assert array.std(axis=(0, 1)) == pytest.approx(np.ones((spec.bins, 1)), abs=1e-2)
    recording = next(one for one in source.collections[0][0].recordings if one.file.name == "val0.wav")
    spec = data.specs[1]
    heard = window_features(spec, load_audio(recording, spec.sample_rate_hz)[: spec.window_samples])
    assert np.abs(heard.mean() - data.val.inputs[1][0].mean()) < 0.3
    assert np.abs(data.val.inputs[1].mean(axis=(0, 1))).max() > 1e-3


def test_hashes_follow_the_sounds_and_the_split(tmp_path: Path) -> None:
    sounds, split = write_collection(tmp_path)

    def hashes() -> dict[str, str]:
        source = read_source([sounds], [split], "breath_sounds", official=False)
        return prepare(source, LUNG, SPECS, PLAIN, seed=1).hashes

    before = hashes()
    assert hashes() == before
    (sounds / "val0.wav").write_bytes((sounds / "val1.wav").read_bytes())
    assert hashes()["audio"] != before["audio"]
    assert hashes()["split"] == before["split"]


def test_a_divided_subject_ends_the_run(tmp_path: Path) -> None:
    sounds, split = write_collection(tmp_path)
    split.write_text(split.read_text().replace("val-0", "train-0"))
    with pytest.raises(RecordingError, match=r"1 subject\(s\) are in two parts: train-0 \(train and val\)"):
        read_source([sounds], [split], "breath_sounds", official=False)


def test_a_label_or_a_part_without_examples_is_one_sentence(collection: tuple[Path, Path]) -> None:
    source = read_source([collection[0]], [collection[1]], "own", official=False)
    with pytest.raises(ConfigError, match="the training part has no example of sneeze: split it otherwise"):
        prepare(source, own_task(["wheeze", "sneeze"]), SPECS, replace(PLAIN, task="own"), seed=1)
    with pytest.raises(ConfigError, match='no recording of the part "train" has a label that breath_records knows'):
        prepare(source, find_task("breath_records"), SPECS, PLAIN, seed=1)


def test_a_folder_of_collections_takes_a_list_like_the_committed_ones(tmp_path: Path) -> None:
    sounds, _ = write_collection(tmp_path / "shelf")
    parts: dict[str, Part] = {"train0": "train", "val0": "val", "test0": "test", "train1": "exclude"}
    clips = [
        ListedClip(f"sounds/{name}.wav", "sounds", name, part, "cry", doubtful=False, reason="")
        for name, part in parts.items()
    ]
    write_list(tmp_path / "list.csv", clips)
    source = read_source([sounds.parent], [tmp_path / "list.csv"], "cry", official=False)
    data = prepare(source, find_task("cry"), SPECS, PLAIN, seed=1)
    assert [place.file for place in (*data.train.places, *data.val.places)] == ["sounds/train0.wav", "sounds/val0.wav"]


def test_without_a_split_the_sentence_says_how_to_make_one(collection: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match=r"name the split with --split: `python -m training split DIR"):
        read_source([collection[0]], None, "cry", official=False)
