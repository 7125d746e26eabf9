"""One stretch of a recording as a window of sound: decoded, cut, cleaned, brought to length, changed.

Everything that depends on the audio itself; which stretches, and how they are changed, is decided before.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from training.preparation.loudness import at_level
from training.preparation.recipes import example_rng
from training.preparation.silence import without_silence
from training.preparation.window_fit import fitted

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.preparation.recipes import Recipe
    from training.preparation.window_fit import Fit

    Float32 = npt.NDArray[np.float32]
    Decode = Callable[[AnnotatedRecording, int], Float32]


@dataclass(frozen=True, slots=True)
class Cleaning:
    """How a stretch is brought to length, and what published chains do to it before; the device does none of the rest.

    Attributes:
        fit: which part of a stretch that is longer than the window is kept.
        shorter: a stretch that is shorter than the window is "repeat"-ed to fill it, or heard with its "surroundings",
            as the device hears it. Repetition shows how long somebody made the annotation; see docs/breath-sounds.md.
        is_without_silence: silence within the stretch is removed.
        level_dbfs: the root mean square that every stretch is scaled to; None leaves its level.
    """

    fit: Fit = "loudest"
    shorter: Literal["repeat", "surroundings"] = "repeat"
    is_without_silence: bool = False
    level_dbfs: float | None = None


PUBLISHED_LUNG_CLEANING = Cleaning(fit="start", is_without_silence=True, level_dbfs=-20.0)
"""As the published chain of breath sounds does it: silence removed, one level, cut at the end."""

CLEANINGS = {
    "repeated": Cleaning(),
    "surroundings": Cleaning(shorter="surroundings"),
    "published": PUBLISHED_LUNG_CLEANING,
}
"""By the name that recipes give: "surroundings" is what the device hears."""


@dataclass(frozen=True, slots=True)
class Alteration:
    """How one training example is changed.

    Attributes:
        recipe: what may be done.
        seed: of the run.
        index: place of the example in its list; with the seed it decides what is drawn.
        partner: recording, start and end in seconds of a second stretch of the same target.
    """

    recipe: Recipe
    seed: int
    index: int
    partner: tuple[AnnotatedRecording, float, float]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where a stretch lies in its recording, and how it is changed; None for not at all."""

    start_s: float
    end_s: float
    alteration: Alteration | None = None


def prepared(
    recording: AnnotatedRecording, stretch: Stretch, cleaning: Cleaning, *, rate_hz: int, length: int, decode: Decode
) -> Float32:
    """The window that a network hears of a stretch: (length,) at `rate_hz`.

    Raises:
        RecordingError: the recording, or its partner's, is missing, no audio, or empty.
    """
    cut = functools.partial(_window, cleaning=cleaning, rate_hz=rate_hz, length=length, decode=decode)
    window = cut(recording, stretch.start_s, stretch.end_s)
    change = stretch.alteration
    if change is None:
        return window
    partner = functools.partial(cut, *change.partner)
    return change.recipe(window, rate_hz, example_rng(change.seed, change.index), partner)


def _window(
    recording: AnnotatedRecording,
    start_s: float,
    end_s: float,
    *,
    cleaning: Cleaning,
    rate_hz: int,
    length: int,
    decode: Decode,
) -> Float32:
    whole = decode(recording, rate_hz)
    start, end = round(start_s * rate_hz), round(end_s * rate_hz)
    if cleaning.shorter == "surroundings":
        start, end = with_surroundings(start, end, length, len(whole))
    samples = whole[start:end]
    if cleaning.is_without_silence:
        samples = without_silence(samples, rate_hz)
    if cleaning.level_dbfs is not None:
        samples = at_level(samples, cleaning.level_dbfs)
    return fitted(samples, length, cleaning.fit)


def with_surroundings(start: int, end: int, length: int, whole: int) -> tuple[int, int]:
    """A stretch of samples widened evenly to `length`, moved to lie within a recording of `whole` samples."""
    missing = max(0, length - (end - start))
    start = max(0, min(start - missing // 2, whole - max(length, end - start)))
    return start, min(whole, max(end, start + length))
