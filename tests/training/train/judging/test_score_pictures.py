"""The pictures: what they plot is right, they are 700 pixels wide, and every kind of task has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import precision_recall_curve, roc_curve

from training.train.judging.chosen_thresholds import choose
from training.train.judging.learning_pictures import draw_learning_curves
from training.train.judging.prediction_file import predictions_of
from training.train.judging.score_pictures import Judged, abstention, calibration_error, draw_scores, rates
from training.train.system.prepared_parts import Place
from training.train.system.training_state import EpochLine

if TYPE_CHECKING:
    from pathlib import Path

    from training.networks.network_form import Activation


def judged(labels: tuple[str, ...], activation: Activation) -> Judged:
    rng = np.random.default_rng(2)
    targets = np.eye(max(2, len(labels)), dtype=np.float32)[rng.integers(0, max(2, len(labels)), 80)][:, : len(labels)]
    logits = (2 * targets - 1 + rng.normal(0, 1, targets.shape)).astype(np.float32)
    choice = choose(targets, logits, activation)
    places = [Place("a.wav", 0.0, 1.0, "ann")] * len(targets)
    predictions = predictions_of(places, targets, choice.scores(logits))
    return Judged("a title", labels, choice, {"val": predictions, "test": predictions})


@pytest.mark.parametrize(
    ("labels", "activation"),
    [
        (("cry",), "sigmoid"),
        (("wheeze", "crackle"), "sigmoid"),
        (("a", "b", "c"), "sigmoid"),
        (("normal", "wheeze", "crackle", "both"), "softmax"),
    ],
)
def test_every_kind_of_task_has_its_pictures(labels: tuple[str, ...], activation: Activation, tmp_path: Path) -> None:
    draw_scores(tmp_path, judged(labels, activation))
    pictures = sorted(tmp_path.iterdir())
    assert [path.name for path in pictures] == ["calibration.png", "confusion.png", "roc_pr.png", "thresholds.png"]
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.width == 700
            assert len(picture.convert("RGB").getcolors(2**20) or ()) > 20


def test_learning_curves_are_drawn_even_of_one_epoch(tmp_path: Path) -> None:
    draw_learning_curves(tmp_path / "l.png", [EpochLine(1, 1e-3, 0.7, 0.6, 0.5, 3, 1.0)], 1, "macro F1", "a title")
    with Image.open(tmp_path / "l.png") as picture:
        assert picture.width == 700


def test_curves_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(4)
    truth, scores = rng.random(50) < 0.4, np.round(rng.random(50), 1)
    false_rate, sensitivity, precision = rates(truth, scores)
    expected = roc_curve(truth, scores, drop_intermediate=False)
    assert false_rate == pytest.approx(expected[0])
    assert sensitivity == pytest.approx(expected[1])
    expected_precision, expected_recall, _ = precision_recall_curve(truth, scores)
    assert precision[1:] == pytest.approx(expected_precision[:-1][::-1])
    assert sensitivity[1:] == pytest.approx(expected_recall[:-1][::-1])


def test_a_calibrated_network_is_off_by_little_and_a_sure_wrong_one_by_all() -> None:
    rng = np.random.default_rng(6)
    scores = rng.random(20_000)
    assert calibration_error(rng.random(20_000) < scores, scores) < 0.02
    assert calibration_error(np.zeros(100, bool), np.ones(100)) == 1.0


def test_the_less_is_answered_the_surer_the_rest() -> None:
    one = judged(("hungry", "other"), "softmax")
    _, answered, accuracy = abstention(one.parts["val"])
    assert answered[0] == 1.0
    assert (np.diff(answered) <= 0).all()
    assert np.nanmax(accuracy) > accuracy[0]
