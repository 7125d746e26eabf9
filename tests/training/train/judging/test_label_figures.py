"""Averages, confusion and the list of false positives, against scikit-learn's."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from training.train.judging.label_figures import confusion, figures
from training.train.judging.mistakes import write_confusion, write_false_positives
from training.train.judging.prediction_file import load_predictions, predictions_of, save_predictions
from training.train.system.prepared_parts import Place

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("wheeze", "crackle")


def truth_and_found() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.random((60, 2)) < 0.4, rng.random((60, 2)) < 0.5


@pytest.mark.parametrize("average", ["micro", "macro", "weighted", "samples"])
def test_averages_are_those_of_scikit_learn(average: str) -> None:
    truth, found = truth_and_found()
    expected = precision_recall_fscore_support(truth, found, average=average, zero_division=0)
    own = figures(truth, found, LABELS)["averages"][average]
    assert [own["precision"], own["recall"], own["f1"]] == pytest.approx(expected[:3])


def test_criteria_are_judged_on_macro_averages() -> None:
    truth = np.array([[True, False], [True, True], [False, True], [False, False]])
    assert figures(truth, truth, LABELS)["criteria_met"] == {"precision": True, "recall": True, "f1": True}
    assert figures(truth, ~truth, LABELS)["criteria_met"] == {"precision": False, "recall": False, "f1": False}


def test_combinations_of_labels_are_classes_of_the_confusion() -> None:
    truth = np.array([[True, True], [False, False], [True, False]])
    found = np.array([[True, False], [False, False], [True, False]])
    names, counts = confusion(truth, found, LABELS, "sigmoid")
    assert names == ("none", "wheeze", "wheeze+crackle")
    assert counts.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]


def test_exclusive_labels_keep_their_order_even_if_none_occurs() -> None:
    truth = np.eye(3, dtype=bool)[[0, 0, 1]]
    names, counts = confusion(truth, truth, ("a", "b", "c"), "softmax")
    assert names == ("a", "b", "c")
    assert counts.tolist() == [[2, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_false_positives_are_listed_surest_first_with_where_to_listen(tmp_path: Path) -> None:
    places = [Place("a.wav", 0.0, 1.5, "ann"), Place("b.wav", 2.0, 3.0, "bob"), Place("b.wav", 3.0, 4.0, "bob")]
    targets = np.array([[0, 0], [0, 1], [1, 0]], np.float32)
    scores = np.array([[0.7, 0.1], [0.9, 0.8], [0.9, 0.2]])
    predictions = predictions_of(places, targets, scores)
    write_false_positives(tmp_path / "false.csv", predictions, scores > 0.5, LABELS)
    rows = list(csv.reader((tmp_path / "false.csv").read_text().splitlines()))
    assert rows[1:] == [
        ["wheeze", "0.9000", "b.wav", "2.000", "3.000", "bob", "crackle"],
        ["wheeze", "0.7000", "a.wav", "0.000", "1.500", "ann", "none"],
    ]
    write_confusion(tmp_path / "confusion.csv", targets > 0.5, scores > 0.5, LABELS, "sigmoid")
    assert (tmp_path / "confusion.csv").read_text().splitlines()[0] == "truth,none,wheeze,crackle,wheeze+crackle"


def test_predictions_survive_their_file(tmp_path: Path) -> None:
    predictions = predictions_of([Place("é.wav", 0.5, 1.5, "ann")], np.ones((1, 2), np.float32), np.full((1, 2), 0.25))
    save_predictions(tmp_path / "p.npz", predictions)
    again = load_predictions(tmp_path / "p.npz")
    assert (again.file.tolist(), again.subject.tolist()) == (["é.wav"], ["ann"])
    assert again.probability.tolist() == [[0.25, 0.25]]
    with np.load(tmp_path / "p.npz", allow_pickle=False) as archive:
        assert sorted(archive.files) == ["end_s", "file", "probability", "start_s", "subject", "target"]
