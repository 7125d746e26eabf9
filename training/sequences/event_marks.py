"""Marks where in a recording its event sounds: by its collection's annotation, or else by the teacher's own score.

A clip that is labelled a scream is speech and silence for half of its length. Where nobody annotated it, a step counts
as the event if it is loud and the teacher's probability of the event around it is near the highest of that clip; the
clip's own label is believed, the teacher only says where. Knows no mixture.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from device.errors import RecordingError
from training.data.clips import SAMPLE_RATE_HZ
from training.mixing.signal import STEP_SAMPLES, loud_steps
from training.networks.audioset_teacher import BABY_CRY, CRYING_SOBBING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    from training.data.clips import LoadedClip
    from training.networks.audioset_teacher import LiteTeacher

    Float32 = npt.NDArray[np.float32]
    Mask = npt.NDArray[np.bool_]

SHOUT, YELL, SCREAMING = 8, 11, 14

TEACHER_CLASSES = {"cry": (BABY_CRY, CRYING_SOBBING), "scream": (SCREAMING, YELL, SHOUT)}
"""Event -> classes of AudioSet, of which the most probable counts."""

INTERVALS = "donateacry/cry_intervals.csv"
JOINED_S = 0.35
"""A shorter pause between two annotated cries is a breath, and part of the crying."""

_HOP = SAMPLE_RATE_HZ // 5
_SECOND = SAMPLE_RATE_HZ
_SHARE_OF_HIGHEST = 0.3
_BELOW_LOUDEST_DB = 25.0
_SYLLABLE_GAP_STEPS = 25


def read_intervals(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Annotated intervals in seconds, by file as listed.

    Raises:
        RecordingError: the table is missing, or has other columns.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                spans = found.setdefault(f"{path.parent.name}/{row['file']}", [])
                spans.append((float(row["start_s"]), float(row["end_s"])))
    except (OSError, KeyError, ValueError) as error:
        raise RecordingError(f"{path} is no table of file, start_s and end_s ({error}): restore it.") from error
    return found


def mark_event(
    clip: LoadedClip, event: str, intervals: Mapping[str, list[tuple[float, float]]], teacher: LiteTeacher
) -> Mask:
    """Where the event sounds in a clip: bool (samples // STEP_SAMPLES,)."""
    spans = intervals.get(clip.listed.file) if event == "cry" else None
    if spans:
        return _annotated(spans, len(clip.samples) // STEP_SAMPLES)
    return _by_teacher(clip.samples, TEACHER_CLASSES[event], teacher)


def _annotated(spans: list[tuple[float, float]], steps: int) -> Mask:
    marked = np.zeros(steps, np.bool_)
    last_s = -1.0
    for start_s, end_s in sorted(spans):
        first_s = last_s if 0 <= start_s - last_s <= JOINED_S else start_s
        marked[round(first_s * 100) : round(end_s * 100)] = True
        last_s = max(last_s, end_s)
    return marked


def _by_teacher(samples: Float32, classes: tuple[int, ...], teacher: LiteTeacher) -> Mask:
    centres = np.arange(0, len(samples) + 1, _HOP)
    padded = np.pad(samples, _SECOND // 2)
    windows = [padded[start : start + _SECOND] for start in centres]
    windows = [np.pad(window, (0, _SECOND - len(window))) for window in windows]
    logits = teacher.infer(np.stack(windows))[1][:, list(classes)].max(axis=1)
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    loud = loud_steps(samples, _BELOW_LOUDEST_DB)
    at = (np.arange(len(loud)) + 0.5) * STEP_SAMPLES
    heard = np.interp(at, centres, probability) >= _SHARE_OF_HIGHEST * probability.max()
    spread = (
        np.convolve(loud, np.ones(_SYLLABLE_GAP_STEPS), mode="same") > 0 if len(loud) > _SYLLABLE_GAP_STEPS else loud
    )
    marked: Mask = heard & spread
    return marked
