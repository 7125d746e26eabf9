"""Windows of a folder of recordings, to set ranges and to compare: balanced over classes, and apart by file.

    DIR/cry/*.wav, DIR/other/*.wav, ...   each subfolder is a class or a source; one named as a label holds that label

Every other file of a class sets ranges, the others compare. Each class gives equally many windows, and within it each
file takes its turn. For a network that carries its past, windows come in sequences a hop apart, of which each file
gives one in its turn. Features come through `device.hearing.features`, as on the device.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from device.errors import BundleError
from device.hearing.features import window_features
from device.hearing.resample import Resampler
from device.sources.recording import Recording
from device.sources.recording_paths import find_recordings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from converter.window_sequences import Numbers
    from device.hearing.bundle.contents import Label
    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]

CALIBRATION_WINDOWS = 512
AGREEMENT_WINDOWS = 1024


SEQUENCE = 32
"""Windows of a sequence at most: many recordings tell more than one long one."""


class RecordedWindows(NamedTuple):
    """Windows with their target.

    Attributes:
        inputs: one float32 (n, frames, bins, 1) per spec.
        target: (n, labels).
        sequence: which windows follow one another (n,); None where each stands by itself.
    """

    inputs: tuple[Float32, ...]
    target: Float32
    sequence: Numbers | None = None


def recorded_windows(
    folder: Path, labels: Sequence[Label], specs: Sequence[FeatureSpec], *, hop_s: float | None = None
) -> tuple[RecordedWindows, RecordedWindows]:
    """(calibration, agreement) windows of the recordings in a folder.

    Args:
        folder: that holds a folder for each class.
        labels: of the network.
        specs: of its inputs.
        hop_s: from one window to the next of one sequence; None for windows that stand by themselves.

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
    halves = [{name: files[start::2] for name, files in classes.items()} for start in (0, 1)]
    counts = (CALIBRATION_WINDOWS, AGREEMENT_WINDOWS)
    if hop_s is None:
        one, other = (_windows(half, labels, specs, count) for half, count in zip(halves, counts, strict=True))
    else:
        one, other = (_sequences(half, labels, specs, count, hop_s) for half, count in zip(halves, counts, strict=True))
    return one, other


def _windows(
    classes: dict[str, list[Path]], labels: Sequence[Label], specs: Sequence[FeatureSpec], count: int
) -> RecordedWindows:
    each = -(-count // len(classes))
    cut = {name: list(itertools.islice(_in_turn(files, specs[0]), each)) for name, files in classes.items()}
    least = min(map(len, cut.values()))
    chosen = [(name, samples) for name, windows in cut.items() for samples in windows[:least]]
    return _featured(chosen, labels, specs)


def _sequences(
    classes: dict[str, list[Path]], labels: Sequence[Label], specs: Sequence[FeatureSpec], count: int, hop_s: float
) -> RecordedWindows:
    """As `_windows`, in whole sequences: the beginning of each file in its turn, then what follows."""
    rate_hz, size = specs[0].sample_rate_hz, specs[0].window_samples
    each, hop = -(-count // len(classes)), round(hop_s * rate_hz)
    cut = {
        name: list(_until(each, _sequences_in_turn([_samples(path, rate_hz) for path in files], size, hop)))
        for name, files in classes.items()
    }
    least = min(sum(map(len, sequences)) for sequences in cut.values())
    runs = [(name, run) for name, sequences in cut.items() for run in _until(least, sequences)]
    chosen = [(name, samples) for name, run in runs for samples in run]
    numbers = np.repeat(np.arange(len(runs)), [len(run) for _, run in runs])
    return _featured(chosen, labels, specs)._replace(sequence=numbers)


def _sequences_in_turn(recordings: Sequence[Float32], size: int, hop: int) -> Iterator[list[Float32]]:
    """Sequences of at most `SEQUENCE` windows: the first of each recording, the second of each, ..."""
    cut = [list(_consecutive(samples, size, hop)) for samples in recordings]
    runs = [[each[first : first + SEQUENCE] for first in range(0, len(each), SEQUENCE)] for each in cut]
    for place in range(max(map(len, runs))):
        yield from (run[place] for run in runs if place < len(run))


def _consecutive(samples: Float32, size: int, hop: int) -> Iterator[Float32]:
    """Windows a hop apart; what is shorter than a window is repeated to fill one."""
    if len(samples) < size:
        samples = np.resize(samples, size)
    return (samples[first : first + size] for first in range(0, len(samples) - size + 1, hop))


def _until(count: int, sequences: Iterable[list[Float32]]) -> Iterator[list[Float32]]:
    """Sequences of so many windows in all; the last one is cut off."""
    for run in sequences:
        if count <= 0:
            return
        yield run[:count]
        count -= len(run)


def _featured(
    chosen: Sequence[tuple[str, Float32]], labels: Sequence[Label], specs: Sequence[FeatureSpec]
) -> RecordedWindows:
    """Windows of named classes -> their features and target."""
    target = np.array([[name == label.name for label in labels] for name, _ in chosen], np.float32)
    inputs = tuple(np.stack([window_features(spec, samples)[..., None] for _, samples in chosen]) for spec in specs)
    return RecordedWindows(inputs, target)


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
