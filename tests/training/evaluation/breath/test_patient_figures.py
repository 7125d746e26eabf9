"""Patients with and without adventitious sounds, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.breath.patient_figures import MEASURE, patient_figures
from training.evaluation.breath.record_scores import RecordScores

LABELS = ("wheeze", "crackle")


def record(subject: str, wheeze: float, *labels: str, name: str = "kauh") -> RecordScores:
    scores = np.array([[wheeze, 0.0], [0.0, 0.0]], np.float32)  # the higher half of the windows is evidence
    starts_s = np.array([0.0, 1.0])
    return RecordScores("a.flac", name, subject, 3.0, labels, (), starts_s, starts_s + 2, scores)


def test_a_patient_is_judged_by_the_mean_of_all_recordings() -> None:
    held = [
        record("ill", 0.9, "Wheeze"),
        record("ill", 0.1, "Normal"),
        record("mild", 0.3, "Crackle"),
        record("well", 0.4, "Normal"),
        record("fit", 0.0, "Normal"),
        record("fit", 1.0, "Poor Quality"),
        record("other", 0.2, "Normal", name="sprsound"),
    ]
    (figure,) = patient_figures(held, LABELS, seed=1)
    assert (figure.measure, figure.of, figure.subjects, figure.items) == (MEASURE, "kauh, 2 abnormal", 4, 5)
    assert figure.value == pytest.approx(3 / 4), "of four pairs the mild and the well one stand the wrong way round"
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < 3 / 4 < figure.high


def test_a_collection_of_one_kind_of_patient_says_nothing() -> None:
    assert not list(patient_figures([record("a", 0.5, "Normal"), record("b", 0.6, "Normal")], LABELS, seed=1))
