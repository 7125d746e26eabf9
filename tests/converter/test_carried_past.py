"""A network that carries its past becomes a bundle of two parts, judged on windows that follow one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter.convert import convert
from converter.training_output import read_training_output
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from device.tools.models.models_command import verify
from tests.converter.carrying_network import SIZE, STEPS, hand_over
from tests.converter.family_output import FEW, replayed

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("carrying")
    hand_over(folder)
    return folder, convert(read_training_output(folder), folder / "made.tflite", bounds=FEW, sounds=("silence", "sine"))


@pytest.fixture(scope="module")
def bundle(made: tuple[Path, dict[str, Any]]) -> Bundle:
    return read_bundle(made[0] / "made.tflite")


def test_it_has_two_parts_and_a_golden_sequence_in_which_the_past_counts(bundle: Bundle) -> None:
    assert bundle.head is not None
    assert (bundle.head.shape.past, bundle.head.shape.embedding, bundle.head.hop_s) == ((STEPS, SIZE), SIZE, 0.5)
    (sequence,) = bundle.sequences
    assert len(sequence.probabilities) == STEPS + 4
    with Classifier.open(bundle) as classifier:
        alone = [
            classifier.classify([case]).probabilities
            for case in _features(bundle, sequence.windows(bundle.window_samples))
        ]
    np.testing.assert_array_equal(alone[0], sequence.probabilities[0])
    assert np.abs(np.stack(alone[1:]) - sequence.probabilities[1:]).max() > 0.05


def test_it_verifies_and_is_replayed(made: tuple[Path, dict[str, Any]], bundle: Bundle) -> None:
    assert "  cry-begins   features within 0.0e+00, scores within 0.0e+00" in list(verify(str(made[0] / "made.tflite")))
    assert len(replayed(made[0], bundle)) > 10


def test_converting_again_gives_the_same_bytes(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    convert(read_training_output(made[0]), tmp_path / "again.tflite", bounds=FEW, sounds=("silence", "sine"))
    assert (tmp_path / "again.tflite").read_bytes() == (made[0] / "made.tflite").read_bytes()


def _features(bundle: Bundle, windows: list[Any]) -> list[Any]:
    from device.hearing.features import window_features

    return [window_features(bundle.specs[0], window) for window in windows]
