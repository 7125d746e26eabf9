"""Windows of a folder of recordings, to set ranges and to compare: balanced over classes, and apart by file.

    DIR/cry/*.wav, DIR/other/*.wav, ...   each subfolder is a class or a source; one named as a label holds that label

Every other file of a class sets ranges, the others compare. Each class gives equally many windows, and within it each
file takes its turn. Features come through `device.hearing.features`, as on the device.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from device.errors import BundleError
from device.hearing.features import window_features
from device.hearing.resample import Resampler
from device.sources.recording import Recording
from device.sources.recording_paths import find_recordings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from device.hearing.bundle.contents import Label
    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]
    Windows = tuple[tuple[Float32, ...], Float32]
    """One float32 (n, frames, bins, 1) per spec, and the target (n, labels)."""

CALIBRATION_WINDOWS = 512
AGREEMENT_WINDOWS = 1024


def recorded_windows(folder: Path, labels: Sequence[Label], specs: Sequence[FeatureSpec]) -> tuple[Windows, Windows]:
    """(calibration, agreement) windows of the recordings in a folder.

    Raises:
        BundleError: a class has a single file, so nothing would be apart.
        RecordingError: there is no recording, or one cannot be read.
    """
    classes: dict[str, list[Path]] = {}
    for path in map(Path, find_recordings([str(folder)]).paths):
        classes.setdefault(path.relative_to(folder).parts[0] if path.parent != folder else "", []).append(path)
    for name, files in classes.items():
        if len(files) < 2:
            raise BundleError(
                f"{folder / name} holds one recording; at least two are needed, to calibrate and to compare"
            )
    return (
        _windows({name: files[::2] for name, files in classes.items()}, labels, specs, CALIBRATION_WINDOWS),
        _windows({name: files[1::2] for name, files in classes.items()}, labels, specs, AGREEMENT_WINDOWS),
    )


def _windows(
    classes: dict[str, list[Path]], labels: Sequence[Label], specs: Sequence[FeatureSpec], count: int
) -> Windows:
    each = -(-count // len(classes))
    cut = {name: list(itertools.islice(_in_turn(files, specs[0]), each)) for name, files in classes.items()}
    least = min(map(len, cut.values()))
    chosen = [(name, samples) for name, windows in cut.items() for samples in windows[:least]]
    target = np.array([[name == label.name for label in labels] for name, _ in chosen], np.float32)
    inputs = tuple(np.stack([window_features(spec, samples)[..., None] for _, samples in chosen]) for spec in specs)
    return inputs, target


def _in_turn(files: Sequence[Path], spec: FeatureSpec) -> Iterator[Float32]:
    """Windows of the files: the first of each, the second of each, ..., as far as they go."""
    cut = [_cut(_samples(path, spec.sample_rate_hz), spec.window_samples) for path in files]
    for place in range(max(map(len, cut))):
        yield from (windows[place] for windows in cut if place < len(windows))


def _samples(path: Path, rate_hz: int) -> Float32:
    """The mean of all channels at a rate."""
    with Recording(path) as recording:
        resampler = Resampler(recording.sample_rate_hz, rate_hz)
        parts = [resampler.push(block.samples) for block in recording.blocks()]
    return np.concatenate([*parts, resampler.finish()])


def _cut(samples: Float32, size: int) -> Float32:
    """(n,) -> (windows, size), one behind the other; what is shorter than a window is repeated to fill one."""
    if len(samples) < size:
        return np.resize(samples, (1, size))
    return samples[: len(samples) // size * size].reshape(-1, size)
