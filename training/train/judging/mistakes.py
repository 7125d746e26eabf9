"""Tables of what a run got wrong: the confusion matrix, and every false positive with where it was heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.train.judging.label_figures import confusion
from training.train.system.durable_files import write_table

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from training.networks.network_form import Activation
    from training.train.judging.prediction_file import Predictions

    Bools = npt.NDArray[np.bool_]

FALSE_POSITIVE_COLUMNS = ("label", "probability", "file", "start_s", "end_s", "subject", "truth")


def write_confusion(path: Path, truth: Bools, found: Bools, labels: tuple[str, ...], activation: Activation) -> None:
    """A line for each true class, a column for each decided one."""
    names, counts = confusion(truth, found, labels, activation)
    write_table(path, ("truth", *names), [(name, *row.tolist()) for name, row in zip(names, counts, strict=True)])


def write_false_positives(path: Path, predictions: Predictions, found: Bools, labels: tuple[str, ...]) -> None:
    """A line for each label that was decided and does not hold, the surest first: what to listen to."""
    truth = predictions.target > 0.5
    rows = []
    for window, label in np.argwhere(found & ~truth):
        held = "+".join(name for name, one in zip(labels, truth[window], strict=True) if one) or "none"
        where = (predictions.file[window], f"{predictions.start_s[window]:.3f}", f"{predictions.end_s[window]:.3f}")
        score = f"{predictions.probability[window, label]:.4f}"
        rows.append((labels[label], score, *where, predictions.subject[window], held))
    rows.sort(key=lambda row: (-float(row[1]), row[2:]))
    write_table(path, FALSE_POSITIVE_COLUMNS, rows)
