"""The leak in one picture: who teaches and who judges, and what macro F1 that gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ARMS = {
    "random": "Augmented, then split at random:\nclips of the same patients judge",
    "random_unseen": "The same networks,\non patients they have not seen",
    "by_patient": "Split by patient first,\nchosen and judged on other patients",
    "by_patient_augmented": "Control: these networks, on balanced\nand augmented clips of unseen patients",
}
"""Arms in the order of the picture."""

PUBLISHED = {"random": 0.82, "random_unseen": 0.49}
"""Macro F1 that was published: on augmented clips, and on original ones."""

_SEEN = ("#0072b2", "#d55e00", "#009e73")
_UNSEEN = ("#cc79a7", "#e69f00", "#56b4e9")
_BAR = {"random": "#b0413e", "random_unseen": "#b0413e", "by_patient": "#2f6f9f", "by_patient_augmented": "#9fb8c8"}


def draw_leak(found: Mapping[str, Any], path: Path) -> None:
    """Draw what `python -m training leak` found as a PNG; equal figures give equal bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 4.9), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("The same network, the same training clips: what judges it makes the figure", fontsize=13)
    who, score = figure.subplots(1, 2, width_ratios=(1.45, 1.0))
    _draw_who(who)
    _draw_scores(score, found["arms"])
    figure.savefig(path, metadata={"Software": None})


def _draw_who(panel: Any) -> None:
    """For each arm the patients of the training clips and of the judging clips, as dots of one colour a patient."""
    panel.set(xlim=(0, 11), ylim=(len(ARMS) - 0.4, -0.75))
    panel.axis("off")
    for x, words in ((6.1, "learns from"), (8.9, "is judged on")):
        panel.text(x + 0.6, -0.58, words, ha="center", va="center", fontsize=10, color="#444444")
    for row, (name, title) in enumerate(ARMS.items()):
        panel.text(0, row, title, ha="left", va="center", fontsize=9.5)
        _dots(panel, 5.9, row, _SEEN, copies=3)
        judging = _SEEN if name == "random" else _UNSEEN
        _dots(panel, 8.7, row, judging, copies=3 if name in {"random", "by_patient_augmented"} else 1)
    panel.text(
        0,
        len(ARMS) - 0.45,
        "One colour is one patient; faint dots are augmented copies of a clip.",
        fontsize=8.5,
        color="#444444",
        va="bottom",
    )


def _dots(panel: Any, x: float, row: float, colours: Sequence[str], *, copies: int) -> None:
    """A box with clips of three patients, each with its augmented copies."""
    from matplotlib.patches import FancyBboxPatch

    box = FancyBboxPatch(
        (x - 0.25, row - 0.27), 2.2, 0.54, boxstyle="round,pad=0.02", fc="#f4f4f4", ec="#bbbbbb", lw=0.8
    )
    panel.add_patch(box)
    for index, colour in enumerate(colours):
        for copy in range(copies):
            place = (x + 0.12 + 0.72 * index + 0.14 * copy, row + 0.1 - 0.1 * copy)
            panel.plot(*place, "o", ms=8, color=colour, alpha=1.0 if copy == 0 else 0.4, mec="white", mew=0.5)


def _draw_scores(panel: Any, arms: Mapping[str, Any]) -> None:
    rows = range(len(ARMS))
    values = [arms[name]["macro_f1"] for name in ARMS]
    panel.barh(rows, values, height=0.5, color=[_BAR[name] for name in ARMS])
    for row, name in enumerate(ARMS):
        one = arms[name]
        panel.plot([one["low"], one["high"]], [row, row], color="black", lw=1.5, solid_capstyle="butt")
        panel.plot([one["always_yes"]] * 2, [row - 0.32, row + 0.32], color="black", lw=1.5, ls=(0, (2, 1.5)))
        panel.text(0.015, row, f"{one['macro_f1']:.2f}", va="center", color="white", fontsize=11, fontweight="bold")
        if name in PUBLISHED:
            panel.plot(PUBLISHED[name], row, "D", ms=8, mfc="white", mec="black")
    _legend(panel)
    panel.set(xlim=(0, 1), ylim=(len(ARMS) - 0.4, -0.75), yticks=[], xlabel="macro F1 of wheeze and crackle")
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.grid(visible=True, axis="x", color="#dddddd", lw=0.6)
    panel.set_axisbelow(True)


def _legend(panel: Any) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], ls="", marker="D", mfc="white", mec="black", label="published"),
        Line2D([], [], color="black", lw=1.5, label="95 % interval, over patients"),
        Line2D([], [], color="black", lw=1.5, ls=(0, (2, 1.5)), label='answering "yes" to everything'),
    ]
    panel.legend(
        handles=marks,
        loc="lower right",
        bbox_to_anchor=(1.0, 0.99),
        ncols=3,
        fontsize=8,
        frameon=False,
        handlelength=1.4,
        columnspacing=1.2,
        borderpad=0.1,
    )
