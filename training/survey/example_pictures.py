"""Draws examples of each label: their log-mel spectrogram and MFCC, as a network hears them, by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import MissingExtraError
from device.hearing.features import band_edges_hz
from training.data.datasets.annotated_recording import load_audio
from training.survey.recording_facts import LOG_MEL, RATE_HZ, labelled, log_mel, mfcc

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.dataset import Dataset

    Float32 = npt.NDArray[np.float32]

MOST_LABELS = 8
_SHOWN_S = 4.0
_RANGE_DB = 70.0
_HOP_S = LOG_MEL.hop / LOG_MEL.sample_rate_hz


def draw_examples(path: Path, dataset: Dataset, labels: list[str], rng: np.random.Generator) -> None:
    """Write one picture: a row for each label, the log-mel spectrogram left, the MFCC right.

    Args:
        path: of the PNG.
        dataset: the collection.
        labels: at most `MOST_LABELS` of them are drawn, in their order.
        rng: draws one stretch of each label.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("Drawing needs matplotlib: install auricle[training].") from error

    chosen = {label: one for label in labels if (one := _choose(dataset, label, rng))}
    rows = list(chosen.items())[:MOST_LABELS]
    if not rows:
        return
    figure = Figure(figsize=(11, 0.6 + 1.9 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(rows), 2, squeeze=False)
    for (left, right), (label, (recording, start_s, end_s)) in zip(axes, rows, strict=True):
        samples = _cut(recording, start_s, end_s)
        title = f"{label}: {dataset.file_name(recording)}, {start_s:.2f} s"
        _draw_mel(figure, left, log_mel(samples), title)
        _draw_mfcc(figure, right, mfcc(samples))
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    figure.savefig(path, dpi=100)


def _choose(dataset: Dataset, label: str, rng: np.random.Generator) -> tuple[AnnotatedRecording, float, float] | None:
    """One stretch of the label, of those that last 0.1 s or more."""
    found = [
        (one, start_s, end_s)
        for one in dataset.recordings
        for start_s, end_s, name in labelled(one)
        if name == label and end_s - start_s >= 0.1
    ]
    return found[int(rng.integers(len(found)))] if found else None


def _cut(recording: AnnotatedRecording, start_s: float, end_s: float) -> Float32:
    heard = load_audio(recording, RATE_HZ)
    cut = heard[int(start_s * RATE_HZ) : int(min(end_s, start_s + _SHOWN_S) * RATE_HZ)]
    return np.pad(cut, (0, max(0, LOG_MEL.frame_length - len(cut))))


def _draw_mel(figure: Any, axis: Any, mel: Float32, title: str) -> None:
    top = float(mel.max())
    length_s = len(mel) * _HOP_S
    picture = axis.imshow(
        mel.T, origin="lower", aspect="auto", extent=(0, length_s, 0, LOG_MEL.n_mels), vmin=top - _RANGE_DB, vmax=top
    )
    centres_hz = band_edges_hz(LOG_MEL)[1:-1]
    ticks = np.linspace(0, LOG_MEL.n_mels - 1, 4).astype(int)
    axis.set_yticks(ticks + 0.5, [f"{centres_hz[tick]:.0f}" for tick in ticks])
    axis.set_ylabel("Hz")
    axis.set_title(title if len(title) < 62 else f"{title[:59]}...", fontsize=8, loc="left")
    figure.colorbar(picture, ax=axis, label="dB")


def _draw_mfcc(figure: Any, axis: Any, cepstra: Float32) -> None:
    shown = cepstra[:, 1:].T  # the first coefficient is the level, and would hide the others
    reach = float(np.percentile(np.abs(shown[1:]), 99)) or 1.0  # the tilt, the first one left, is let to saturate
    length_s = len(cepstra) * _HOP_S
    picture = axis.imshow(
        shown, origin="lower", aspect="auto", extent=(0, length_s, 0.5, 12.5), cmap="RdBu_r", vmin=-reach, vmax=reach
    )
    axis.set_ylabel("coefficient")
    axis.set_yticks([1, 4, 8, 12])
    axis.set_title("MFCC 1 to 12", fontsize=8, loc="left")
    figure.colorbar(picture, ax=axis)
