"""What a run says of one part: its predictions, its mistakes as tables, and its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from training.train.judging.label_figures import figures
from training.train.judging.mistakes import write_confusion, write_false_positives
from training.train.judging.prediction_file import save_predictions
from training.train.judging.task_measures import task_measure

if TYPE_CHECKING:
    from pathlib import Path

    from training.train.judging.chosen_thresholds import Choice
    from training.train.judging.prediction_file import Predictions


def judge_part(
    folder: Path, part: str, predictions: Predictions, choice: Choice, labels: tuple[str, ...]
) -> dict[str, Any]:
    """Write predictions, confusion and false positives of a part; its figures, as JSON types.

    Args:
        folder: of the run.
        part: "val" or "test".
        predictions: of its windows.
        choice: what validation chose.
        labels: of the task.
    """
    scores = predictions.probability.astype(np.float64)
    truth, found = predictions.target > 0.5, choice.decided(scores)
    save_predictions(folder / f"predictions-{part}.npz", predictions)
    write_confusion(folder / f"confusion-{part}.csv", truth, found, labels, choice.activation)
    write_false_positives(folder / f"false-positives-{part}.csv", predictions, found, labels)
    judged = figures(truth, found, labels)
    measure = (
        # At the thresholds of validation: the measure alone would look for better ones on this very part.
        judged["averages"]["macro"]["f1"]
        if choice.activation == "sigmoid" and len(labels) > 1
        else task_measure(predictions.target, scores, labels, choice.activation)
    )
    return {"measure": measure, "windows": len(truth), **judged}
