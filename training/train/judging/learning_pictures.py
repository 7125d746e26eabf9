"""The learning curves of a run as a picture, and the style that all pictures of a run share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.train.system.durable_files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from training.train.system.training_state import EpochLine

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Okabe and Ito's, told apart by people with any colour vision."""

WIDTH_INCHES = 7.0
DOTS_PER_INCH = 100


def drawn_panels(count: int, height_inches: float) -> tuple[Any, list[Any]]:
    """A figure 700 pixels wide with panels side by side, drawn without any display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    panels = list(figure.subplots(1, count, squeeze=False)[0])
    for panel in panels:
        panel.grid(visible=True, color="#dddddd", linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=9)
    return figure, panels


def save_picture(figure: Any, path: Path, title: str) -> None:
    """Give a figure its title and write it as PNG, replacing what is there."""
    figure.suptitle(title, fontsize=11, fontweight="bold")
    with replacing(path) as partial:
        figure.savefig(partial, format="png")


def draw_learning_curves(path: Path, lines: Sequence[EpochLine], best: int, measure: str, title: str) -> None:
    """Loss of training and validation, and the validation measure, by epoch; the kept epoch is marked.

    Args:
        path: of the PNG.
        lines: one for each epoch.
        best: number of the epoch whose weights were kept.
        measure: name of the validation measure.
        title: of the picture.
    """
    from matplotlib.ticker import MaxNLocator

    figure, (left, right) = drawn_panels(2, 3.1)
    epochs = [line.epoch for line in lines]
    marker = "o" if len(lines) < 3 else None
    left.plot(epochs, [line.loss for line in lines], color=COLOURS[0], marker=marker, label="training, as weighted")
    left.plot(epochs, [line.val_loss for line in lines], color=COLOURS[1], marker=marker, label="validation, plain")
    left.set_ylabel("cross entropy (nats)")
    right.plot(epochs, [line.val_measure for line in lines], color=COLOURS[1], marker=marker)
    kept = lines[best - 1]
    right.plot([best], [kept.val_measure], "o", color="black", label=f"kept: epoch {best}, {kept.val_measure:.3f}")
    right.set_ylabel(f"{measure}\non validation" if len(measure) > 20 else f"{measure} on validation")
    for panel in (left, right):
        panel.set_xlabel("epoch")
        panel.axvline(best, color="black", linewidth=0.8, linestyle=":")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.legend(fontsize=8, frameon=False)
    save_picture(figure, path, title)
