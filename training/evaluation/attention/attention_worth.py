"""What attention is worth: does it lie on what people annotated, and is it spread where there is nothing?

A window of a recording is measured if annotated events fill a part of it but not all. Attention that knows nothing
lies within the events for just their share of the time: a ratio of 1. Over normal breathing, attention that finds
nothing is spread: an entropy near 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.measured import Figure
from training.statistics import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from training.data.datasets.annotated_recording import AnnotatedSpan
    from training.evaluation.attention.attention_maps import WindowAttention

    Float64 = npt.NDArray[np.float64]

MOST_FILLED = 0.9
"""Windows that events fill further than this say nothing of where in time attention lies."""


def event_spans(events: Iterable[AnnotatedSpan], normal: str = "Normal") -> list[tuple[float, float]]:
    """Where anything but normal breathing was annotated, in seconds."""
    return [(event.start_s, event.end_s) for event in events if event.label.casefold() != normal.casefold()]


def worth_figures(
    system: str,
    windows: Mapping[str, Sequence[tuple[WindowAttention, Sequence[tuple[float, float]]]]],
    *,
    rng: np.random.Generator,
) -> tuple[Figure, ...]:
    """Figures of attention, with intervals from a bootstrap over subjects.

    Args:
        system: what was measured.
        windows: for each subject its windows, each with where its recording's events are.
        rng: draws.
    """
    within: dict[str, Float64] = {}
    spread: dict[str, Float64] = {}
    for subject, held in windows.items():
        shares = [window.share_within(spans) for window, spans in held]
        within[subject] = np.array([one for one in shares if 0 < one[1] <= MOST_FILLED]).reshape(-1, 2)
        spread[subject] = np.array(
            [window.entropy for (window, _), share in zip(held, shares, strict=True) if not share[1]]
        )

    def figure(measure: str, of: str, held: dict[str, Float64], statistic: Callable[[Float64], float]) -> Figure:
        return _figure(system, measure, of, {name: rows for name, rows in held.items() if len(rows)}, statistic, rng)

    return (
        figure("attention within events", "windows with an event", within, lambda rows: float(rows[:, 0].mean())),
        figure("time within events", "windows with an event", within, lambda rows: float(rows[:, 1].mean())),
        figure("attention / time within events", "windows with an event", within, _ratio),
        figure("entropy of attention", "normal breathing", spread, lambda rows: float(rows.mean())),
    )


def _ratio(rows: Float64) -> float:
    return float(rows[:, 0].mean() / rows[:, 1].mean())


def _figure(
    system: str,
    measure: str,
    of: str,
    held: dict[str, Float64],
    statistic: Callable[[Float64], float],
    rng: np.random.Generator,
) -> Figure:
    """A statistic of all windows; no value where there is none."""
    value = statistic(np.concatenate(list(held.values()))) if held else None
    interval = bootstrap_interval(held, statistic, rng) if held else None
    return Figure(
        system=system,
        measure=measure,
        of=of,
        value=value,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        unit="share",
        interval="bootstrap over subjects" if interval else "none",
        subjects=len(held),
        items=sum(map(len, held.values())),
        hours=0.0,
    )
