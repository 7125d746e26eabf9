"""Figures of decided labels against the truth: for each label, averaged in four ways, and as a confusion matrix.

Pure functions of truth and decision, boolean (n, labels). An undefined share (nothing found, nothing there) is 0, as
the published report has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from training.networks.network_form import Activation

    Bools = npt.NDArray[np.bool_]
    Float64 = npt.NDArray[np.float64]

CRITERIA = {"precision": 0.70, "recall": 0.90, "f1": 0.75}
"""What cnn_bilstm's authors asked of macro averages before they would use it."""


def figures(truth: Bools, found: Bools, labels: tuple[str, ...]) -> dict[str, Any]:
    """Precision, recall, F1 and support of each label and averaged, and which criteria hold: JSON types."""
    hits, claimed, held = (truth & found).sum(axis=0), found.sum(axis=0), truth.sum(axis=0)
    precision, recall, f1 = _shares(hits, claimed, held)
    by_label = {
        label: {"precision": precision[k], "recall": recall[k], "f1": f1[k], "support": int(held[k])}
        for k, label in enumerate(labels)
    }
    averages = {
        "micro": _named(*(one[()] for one in _shares(hits.sum(), claimed.sum(), held.sum()))),
        "macro": _named(precision.mean(), recall.mean(), f1.mean()),
        "weighted": _named(*(_weighted(one, held) for one in (precision, recall, f1))),
        "samples": _named(*(one.mean() for one in _shares((truth & found).sum(1), found.sum(1), truth.sum(1)))),
    }
    met = {name: averages["macro"][name] >= least for name, least in CRITERIA.items()}
    exact = float((truth == found).all(axis=1).mean())
    found_figures: dict[str, Any] = _plain(
        {"labels": by_label, "averages": averages, "criteria_met": met, "exact_match": exact}
    )
    return found_figures


def _shares(hits: Any, claimed: Any, held: Any) -> tuple[Float64, Float64, Float64]:
    """Precision, recall and F1, element by element; 0 where there is nothing to divide by."""
    return (
        np.asarray(hits / np.maximum(claimed, 1), np.float64),
        np.asarray(hits / np.maximum(held, 1), np.float64),
        np.asarray(2 * hits / np.maximum(claimed + held, 1), np.float64),
    )


def _weighted(values: Float64, weights: Any) -> float:
    return float((values * weights).sum() / max(1, weights.sum()))


def _named(precision: Any, recall: Any, f1: Any) -> dict[str, float]:
    return {"precision": float(precision), "recall": float(recall), "f1": float(f1)}


def _plain(value: Any) -> Any:
    """NumPy's numbers as Python's."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def confusion(
    truth: Bools, found: Bools, labels: tuple[str, ...], activation: Activation
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Names of the classes and how often each (row) was taken for each (column).

    Labels that may hold together make a class of each combination that occurs, `none` included.
    """
    rows, columns = _classes(truth, labels, activation), _classes(found, labels, activation)
    known = (
        list(labels) if activation == "softmax" else sorted({*rows, *columns}, key=lambda name: _order(name, labels))
    )
    counts = np.zeros((len(known), len(known)), np.int64)
    for row, column in zip(rows, columns, strict=True):
        counts[known.index(row), known.index(column)] += 1
    return tuple(known), counts


def _classes(held: Bools, labels: tuple[str, ...], activation: Activation) -> list[str]:
    if activation == "softmax":
        return [labels[index] for index in held.argmax(axis=1)]
    return ["+".join(label for label, one in zip(labels, row, strict=True) if one) or "none" for row in held]


def _order(name: str, labels: tuple[str, ...]) -> tuple[int, list[int]]:
    """`none` first, then single labels, then combinations."""
    parts = [] if name == "none" else name.split("+")
    return len(parts), [labels.index(part) for part in parts if part in labels]
