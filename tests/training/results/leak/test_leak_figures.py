"""Macro F1 over seeds, with an interval that knows that clips of one patient are alike."""

from __future__ import annotations

import numpy as np
import pytest

from training.results.leak.leak_figures import Judged, arm_figures

LABELS = ("wheeze", "crackle")


def judged(seed: int, found: list[list[int]]) -> Judged:
    """Four clips of two patients; wheeze in the first two, crackle in the first and third."""
    truth = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], bool)
    return Judged(seed, np.array(["a", "a", "b", "b"]), truth, np.array(found, bool))


def test_figures_are_macro_f1_averaged_over_seeds() -> None:
    perfect = judged(1, [[1, 1], [1, 0], [0, 1], [0, 0]])
    half = judged(2, [[1, 0], [0, 0], [0, 0], [0, 0]])  # F1 of wheeze 2/3, of crackle 0
    found = arm_figures([perfect, half], LABELS)
    assert found["by_seed"] == {"1": 1.0, "2": pytest.approx(1 / 3, abs=1e-4)}
    assert found["macro_f1"] == pytest.approx(2 / 3, abs=1e-4)
    assert found["by_label"] == {"wheeze": pytest.approx(5 / 6, abs=1e-4), "crackle": 0.5}
    assert (found["clips"], found["subjects"]) == (4, 2)
    assert found["low"] <= found["macro_f1"] <= found["high"]


def test_answering_yes_to_everything_stands_beside_each_figure() -> None:
    found = arm_figures([judged(1, [[0, 0]] * 4)], LABELS)
    assert found["always_yes"] == pytest.approx(2 / 3, abs=1e-4)  # half of the clips hold each label
    assert found["macro_f1"] == 0.0


def test_the_interval_is_wider_where_clips_come_from_fewer_patients() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random((400, 2)) < 0.5
    right = np.repeat(rng.random(10) < 0.5, 40)[:, None]  # of a patient all clips are right, or none is
    found = np.where(right, truth, ~truth)

    def width(subjects: np.ndarray[tuple[int], np.dtype[np.str_]]) -> float:
        figures = arm_figures([Judged(1, subjects, truth, found)], LABELS)
        return float(figures["high"] - figures["low"])

    few, many = np.repeat(np.arange(10), 40).astype(np.str_), np.arange(400).astype(np.str_)
    assert width(few) > 2 * width(many)
