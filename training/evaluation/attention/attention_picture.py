"""Draws a recording's spectrogram, over it what a network attends to, and the seconds and the band it points to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from training.data.datasets.annotated_recording import AnnotatedSpan
    from training.evaluation.attention.attention_maps import WindowAttention

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]

_INCH_PER_S, _LEAST_INCHES, _MOST_INCHES = 1.2, 7.0, 24.0
_ATTENTION = "#e8590c"
_EVENT = "#1c7ed6"


def draw_attention(
    path: Path,
    levels_db: Float32,
    windows: Sequence[WindowAttention],
    *,
    labels: Sequence[str],
    events: Sequence[AnnotatedSpan],
    title: str,
) -> None:
    """Write the picture.

    Args:
        path: of the PNG.
        levels_db: the recording's log-mel frames (frames, bands), on the hop of the windows' frames, the first one
            centred where the first window's first frame is.
        windows: in their order; they follow each other without gaps.
        labels: of the network.
        events: annotated spans, drawn below; may be empty.
        title: above the picture.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, (top, middle, bottom) = _axes(levels_db, windows)
    _draw_spectrogram(middle, levels_db, windows)
    for window in windows:
        _draw_window(middle, window)
    _draw_time(top, windows, labels)
    _draw_events(bottom, events)
    top.set_title(title, fontsize=10, loc="left")
    bottom.set_xlabel("seconds")
    figure.savefig(path, dpi=110)
    _pyplot().close(figure)


def _pyplot() -> Any:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise MissingExtraError("Drawing needs matplotlib: install auricle[training].") from error
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    return plt


def _axes(levels_db: Float32, windows: Sequence[WindowAttention]) -> tuple[Any, Any]:
    hop_s = windows[0].frame_s[1] - windows[0].frame_s[0]
    width = float(np.clip(_INCH_PER_S * len(levels_db) * hop_s, _LEAST_INCHES, _MOST_INCHES))
    figure, axes = _pyplot().subplots(
        3, 1, figsize=(width, 5.4), sharex=True, height_ratios=(1.2, 3.2, 0.4), layout="constrained"
    )
    return figure, axes


def _draw_spectrogram(axes: Any, levels_db: Float32, windows: Sequence[WindowAttention]) -> None:
    """Bands at equal heights, labelled by their frequency: mel, as the network hears."""
    hop_s, first_s = windows[0].frame_s[1] - windows[0].frame_s[0], windows[0].frame_s[0]
    edges_s = first_s + (np.arange(len(levels_db) + 1) - 0.5) * hop_s
    low, high = np.percentile(levels_db, (5, 99.5))
    bands = np.arange(levels_db.shape[1] + 1) - 0.5
    axes.pcolormesh(edges_s, bands, levels_db.T, cmap="gray_r", vmin=low, vmax=high, rasterized=True)
    centres_hz = windows[0].edges_hz[1:-1]
    ticks = np.unique(np.linspace(0, len(centres_hz) - 1, 6).round().astype(int))
    axes.set_yticks(ticks, [f"{centres_hz[tick]:.0f}" for tick in ticks])
    axes.set_ylabel("band, Hz")
    axes.set_xlim(edges_s[0], edges_s[-1])


def _draw_window(axes: Any, window: WindowAttention) -> None:
    """Attention as an orange veil, and a frame around the stretch and the bands that hold half of it."""
    hop_s = window.frame_s[1] - window.frame_s[0]
    edges_s = np.append(window.frame_s - hop_s / 2, window.frame_s[-1] + hop_s / 2)
    bands = np.arange(window.shares.shape[1] + 1) - 0.5
    veil = np.zeros((*window.shares.T.shape, 4))
    veil[..., :3] = _rgb(_ATTENTION)
    veil[..., 3] = 0.75 * np.sqrt(window.shares.T / window.shares.max())
    axes.pcolormesh(edges_s, bands, veil, rasterized=True)
    (start_s, end_s), (first, last) = window.points_to_s(), _bands_pointed_to(window)
    axes.plot(
        [start_s, end_s, end_s, start_s, start_s], [first, first, last, last, first], color=_ATTENTION, linewidth=1.2
    )


def _bands_pointed_to(window: WindowAttention) -> tuple[float, float]:
    """Lower and upper edge in bands."""
    low_hz, high_hz = window.points_to_hz()
    first = int(np.argmin(np.abs(window.edges_hz - low_hz)))
    last = int(np.argmin(np.abs(window.edges_hz - high_hz))) - 2
    return first - 0.5, last + 0.5


def _draw_time(axes: Any, windows: Sequence[WindowAttention], labels: Sequence[str]) -> None:
    """Attention over time as a multiple of even attention, and what was found in each window."""
    for window in windows:
        hop_s = window.frame_s[1] - window.frame_s[0]
        axes.plot(window.frame_s, window.over_time * len(window.over_time), color=_ATTENTION, linewidth=1.0)
        axes.axvline(window.frame_s[0] - hop_s / 2, color="0.8", linewidth=0.6)
        best = int(window.probability.argmax())
        axes.text(
            window.frame_s[0],
            0.97,
            f"{labels[best]} {window.probability[best]:.2f}",
            transform=axes.get_xaxis_transform(),
            fontsize=8,
            va="top",
        )
    axes.axhline(1.0, color="0.6", linewidth=0.6, linestyle=":")
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel("attention,\ntimes even")


def _draw_events(axes: Any, events: Sequence[AnnotatedSpan]) -> None:
    axes.set_yticks([])
    axes.set_ylim(0, 1)
    axes.set_ylabel("labels", rotation=0, ha="right", va="center")
    for event in events:
        is_normal = event.label.casefold() == "normal"
        axes.axvspan(
            event.start_s, event.end_s, color="0.85" if is_normal else _EVENT, alpha=1.0 if is_normal else 0.45
        )
        axes.text(event.start_s, 0.5, f" {event.label}", fontsize=7, va="center", clip_on=True)


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[first : first + 2], 16) / 255 for first in (1, 3, 5))
    return red, green, blue
