"""Pictures of what a trained network decides: confusion, ROC and precision-recall, calibration, thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from training.train.judging.label_figures import confusion
from training.train.judging.learning_pictures import COLOURS, drawn_panels, save_picture
from training.train.judging.task_measures import balanced_accuracy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from training.train.judging.chosen_thresholds import Choice
    from training.train.judging.prediction_file import Predictions
    from training.train.judging.task_measures import ThresholdSurface

    Float64 = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

_BINS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What all pictures are drawn from.

    Attributes:
        title: system, form, task and seed.
        labels: of the task.
        choice: what validation chose.
        parts: predictions by the part's name.
    """

    title: str
    labels: tuple[str, ...]
    choice: Choice
    parts: Mapping[str, Predictions]


def draw_scores(folder: Path, judged: Judged) -> None:
    """Draw all of them into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_confusion(folder / "confusion.png", judged)
    draw_curves(folder / "roc_pr.png", judged)
    draw_calibration(folder / "calibration.png", judged)
    draw_thresholds(folder / "thresholds.png", judged)


# --- confusion


def draw_confusion(path: Path, judged: Judged) -> None:
    """A matrix for each part: the share of each true class that was taken for each class, and the counts."""
    classes = {name: _confusion(judged, part) for name, part in judged.parts.items()}
    most = max(len(names) for names, _ in classes.values())
    figure, panels = drawn_panels(len(classes), 2.2 + 0.33 * most)
    for panel, (part, (names, counts)) in zip(panels, classes.items(), strict=True):
        _matrix(panel, names, counts)
        panel.set_title(f"{_named(part)}, {counts.sum()} windows", fontsize=9)
    panels[0].set_ylabel("true")
    save_picture(figure, path, f"{judged.title}: share of each true class, and counts")


def _confusion(judged: Judged, part: Predictions) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    found = judged.choice.decided(part.probability.astype(np.float64))
    return confusion(part.target > 0.5, found, judged.labels, judged.choice.activation)


def _matrix(panel: Any, names: tuple[str, ...], counts: npt.NDArray[np.int64]) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    panel.grid(visible=False)
    size = 9 if len(names) <= 4 else 7
    for (row, column), share in np.ndenumerate(shares):
        text = f"{share:.0%}\n{counts[row, column]}"
        panel.text(
            column, row, text, ha="center", va="center", fontsize=size, color="white" if share > 0.5 else "black"
        )
    wrapped = [name.replace("+", "+\n") for name in names]
    panel.set_xticks(range(len(names)), wrapped, rotation=0 if len(names) <= 4 else 60, fontsize=size)
    panel.set_yticks(range(len(names)), wrapped, fontsize=size)
    panel.set_xlabel("decided")


# --- curves


def draw_curves(path: Path, judged: Judged) -> None:
    """ROC and precision-recall of each label: the test part solid; validation dashed, where that stays readable."""
    parts = judged.parts if len(judged.labels) <= 2 else {name: judged.parts[name] for name in list(judged.parts)[-1:]}
    lines = len(parts) * len(judged.labels)
    figure, (roc, pr) = drawn_panels(2, 3.8 + 0.17 * lines)
    for index, label in enumerate(judged.labels):
        for name, part in parts.items():
            truth, scores = part.target[:, index] > 0.5, part.probability[:, index].astype(np.float64)
            if 0 < truth.sum() < len(truth):
                dashes = "--" if name == "val" and len(parts) > 1 else "-"
                style = {"color": COLOURS[index % len(COLOURS)], "linestyle": dashes, "linewidth": 1.4}
                _curves(roc, pr, truth, scores, style, f"{label}, {_named(name)}")
    roc.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle=":")
    roc.set(xlabel="false positive rate (1 - specificity)", ylabel="true positive rate (sensitivity)")
    pr.set(xlabel="recall (sensitivity)", ylabel="precision")
    for panel in (roc, pr):
        panel.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    if lines:
        figure.legend(*roc.get_legend_handles_labels(), loc="outside lower center", fontsize=8, frameon=False)
    save_picture(figure, path, f"{judged.title}: ROC, and precision against recall")


def _curves(roc: Any, pr: Any, truth: Bools, scores: Float64, style: dict[str, Any], name: str) -> None:
    false_rate, sensitivity, precision = rates(truth, scores)
    area = float(np.trapezoid(sensitivity, false_rate))
    average = float(np.sum(np.diff(sensitivity) * precision[1:]))
    roc.plot(false_rate, sensitivity, label=f"{name}: area {area:.3f}, average precision {average:.3f}", **style)
    pr.plot(sensitivity[1:], precision[1:], **style)


def rates(truth: Bools, scores: Float64) -> tuple[Float64, Float64, Float64]:
    """False positive rate, sensitivity and precision as the threshold falls: (distinct scores + 1,) each."""
    order = np.argsort(-scores, kind="stable")
    last_of_equals = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(truth[order])[last_of_equals]
    taken = np.flatnonzero(last_of_equals) + 1
    false_rate = np.append(0.0, (taken - hits) / max(1, (~truth).sum()))
    return false_rate, np.append(0.0, hits / max(1, truth.sum())), np.append(1.0, hits / taken)


# --- calibration


def draw_calibration(path: Path, judged: Judged) -> None:
    """How often a label holds that was given a probability, in bins of equal count; and how many were given which."""
    figure, (left, right) = drawn_panels(2, 3.6)
    left.plot([0, 1], [0, 1], color="#888888", linewidth=0.8, linestyle=":")
    for (name, part), colour in zip(judged.parts.items(), COLOURS, strict=False):
        scores, truth = part.probability.ravel().astype(np.float64), part.target.ravel() > 0.5
        said, held, _ = reliability(truth, scores)
        error = calibration_error(truth, scores)
        left.plot(said, held, "o-", markersize=4, color=colour, label=f"{_named(name)}: off by {error:.3f} on average")
        right.hist(scores, bins=np.linspace(0, 1, 21), histtype="step", color=colour, label=_named(name), density=True)
    left.set(xlabel="probability given", ylabel="share that holds", xlim=(0, 1), ylim=(0, 1))
    right.set(xlabel="probability given", ylabel="density of windows x labels", xlim=(0, 1))
    for panel in (left, right):
        panel.legend(fontsize=8, frameon=False)
    save_picture(figure, path, f"{judged.title}: calibration at temperature {judged.choice.temperature:.2f}")


def reliability(truth: Bools, scores: Float64) -> tuple[Float64, Float64, npt.NDArray[np.int64]]:
    """Mean probability, share that holds, and count, in at most ten bins of equally many scores."""
    groups = [one for one in np.array_split(np.argsort(scores, kind="stable"), _BINS) if len(one)]
    said = np.array([scores[one].mean() for one in groups])
    held = np.array([truth[one].mean() for one in groups])
    return said, held, np.array([len(one) for one in groups])


def calibration_error(truth: Bools, scores: Float64) -> float:
    """Expected calibration error: the mean distance of probability and share over those bins."""
    said, held, counts = reliability(truth, scores)
    return float(np.average(np.abs(said - held), weights=counts))


# --- thresholds


def draw_thresholds(path: Path, judged: Judged) -> None:
    """What each threshold would have given on validation, with the chosen one marked.

    One label: sensitivity, specificity and Youden's J. Two: macro F1 over both thresholds. More: each label's F1.
    Exclusive labels: balanced accuracy and share of the windows that are answered, if the less sure ones are not.
    """
    surface, title = judged.choice.surface, f"{judged.title}: thresholds on validation"
    if surface is not None and len(judged.labels) == 2:
        figure, panels = drawn_panels(1, 4.6)
        _macro_surface(figure, panels[0], surface, judged.labels)
        return save_picture(figure, path, title)
    figure, panels = drawn_panels(1, 3.6)
    if surface is None:
        title = f"{judged.title}: if the less sure windows are not answered"
        _abstaining(panels[0], judged)
    elif len(judged.labels) == 1:
        _one_label(panels[0], judged, surface)
    else:
        _each_label(panels[0], surface, judged.labels)
    panels[0].set(ylim=(-0.01, 1.01))
    panels[0].legend(fontsize=8, frameon=False)
    return save_picture(figure, path, title)


def _macro_surface(figure: Any, panel: Any, surface: ThresholdSurface, labels: tuple[str, ...]) -> None:
    macro = (surface.merits[0][:, None] + surface.merits[1][None, :]) / 2  # (first label's, second label's)
    grid = np.array(surface.grid)
    half = (grid[1] - grid[0]) / 2
    extent = (grid[0] - half, grid[-1] + half, grid[0] - half, grid[-1] + half)
    image = panel.imshow(macro, origin="lower", extent=extent, cmap="viridis", aspect="equal")
    panel.grid(visible=False)
    first, second = surface.thresholds
    label = f"chosen: {labels[0]} {first:.2f}, {labels[1]} {second:.2f}: macro F1 {surface.merit:.3f}"
    panel.plot([second], [first], "o", color="white", markeredgecolor="black", markersize=9, label=label)
    panel.set(xlabel=f"threshold of {labels[1]} (probability)", ylabel=f"threshold of {labels[0]} (probability)")
    figure.colorbar(image, ax=panel, label="macro F1")
    panel.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)


def _one_label(panel: Any, judged: Judged, surface: ThresholdSurface) -> None:
    part, grid = judged.parts["val"], np.array(surface.grid)
    truth, scores = part.target[:, 0] > 0.5, part.probability[:, 0]
    sensitivity = [(scores[truth] >= at).mean() if truth.any() else 0.0 for at in grid]
    specificity = [(scores[~truth] < at).mean() if (~truth).any() else 0.0 for at in grid]
    for values, name, colour in zip(
        (sensitivity, specificity, surface.merits[0]),
        ("sensitivity", "specificity", "Youden's J"),
        COLOURS,
        strict=False,
    ):
        panel.plot(grid, values, color=colour, label=name)
    at = surface.thresholds[0]
    panel.axvline(at, color="black", linewidth=0.8, linestyle=":", label=f"chosen: {at:.2f}, J {surface.merit:.3f}")
    panel.set(xlabel=f"threshold of {judged.labels[0]} (probability)", ylabel="share", xlim=(0, 1))


def _each_label(panel: Any, surface: ThresholdSurface, labels: tuple[str, ...]) -> None:
    for index, (label, at) in enumerate(zip(labels, surface.thresholds, strict=True)):
        colour = COLOURS[index % len(COLOURS)]
        panel.plot(surface.grid, surface.merits[index], color=colour, label=f"{label}, chosen: {at:.2f}")
        panel.axvline(at, color=colour, linewidth=0.8, linestyle=":")
    panel.set(xlabel="threshold (probability)", ylabel="F1")


def _abstaining(panel: Any, judged: Judged) -> None:
    for (name, part), colour in zip(judged.parts.items(), COLOURS, strict=False):
        least, answered, accuracy = abstention(part)
        panel.plot(least, accuracy, color=colour, label=f"balanced accuracy of the answered, {_named(name)}")
        panel.plot(least, answered, color=colour, linestyle="--", label=f"share answered, {_named(name)}")
    panel.set(xlabel="least probability of the first label at which it is given", ylabel="share", xlim=(0, 1))


def abstention(part: Predictions) -> tuple[Float64, Float64, Float64]:
    """For each least probability: the share of windows that are answered, and their balanced accuracy (nan without)."""
    truth, found, sure = part.target.argmax(axis=1), part.probability.argmax(axis=1), part.probability.max(axis=1)
    least = np.linspace(1 / part.target.shape[1], 1.0, 41)
    kept = [sure >= at for at in least]
    accuracy = [balanced_accuracy(truth[one], found[one]) if one.sum() >= 5 else np.nan for one in kept]
    return least, np.array([one.mean() for one in kept]), np.array(accuracy)


def _named(part: str) -> str:
    return {"val": "validation"}.get(part, part)
