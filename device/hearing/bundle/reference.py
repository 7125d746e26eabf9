"""Reference scores: what the trained network answered to 512 windows, so that a device can repeat the gate alone.

512 windows of features would outweigh the network. So the bundle holds a few real ones in bytes, and each is turned in
time to several: a turned window is as real to a network as the one before it, and copying numbers gives equal bits on
every machine, which synthesizing sound would not. The golden vectors cover the way from sound to features.

    reference/features_0.npy ..   uint8 (kept, frames, bins): steps between the least and the greatest feature
    reference/ranges.npy          float32 (specs, 2): least feature, and the width of a step
    reference/probabilities.npy   float32 (512, labels): by the trained network
    reference/thresholds.npy      float32 (labels,): on which side of them a decision was counted
    reference/labels.txt          names of these columns
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]

WINDOWS = 512
SEQUENCE = 16
"""Of these windows are one sequence each, for a network that carries its past; it begins without one."""

MAX_KEPT = 32
FEATURE_BYTES = 96 * 1024
"""What the kept windows may weigh; two are kept in any case."""

REFERENCE_ENTRY = re.compile(r"reference/(?:features_[0-9]|ranges|probabilities|thresholds)\.npy|reference/labels\.txt")


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Kept windows and the trained network's answers.

    Attributes:
        features: one uint8 (kept, frames, bins) for each spec.
        ranges: float32 (specs, 2): least feature and step.
        probabilities: float32 (512, labels) in [0, 1].
        thresholds: float32 (labels,), those of the conversion: evaluation may choose others for the bundle later.
        labels: names of the columns.
    """

    features: tuple[npt.NDArray[np.uint8], ...]
    ranges: Float32
    probabilities: Float32
    thresholds: Float32
    labels: tuple[str, ...]

    def windows(self) -> tuple[Float32, ...]:
        """The windows that were answered: one float32 (512, frames, bins) for each spec."""
        return tuple(
            _turned(kept.astype(np.float32) * step + least)
            for kept, (least, step) in zip(self.features, self.ranges, strict=True)
        )


def kept_count(specs: Sequence[FeatureSpec]) -> int:
    """How many windows a bundle of these specs keeps."""
    return max(2, min(MAX_KEPT, FEATURE_BYTES // sum(int(np.prod(spec.shape)) for spec in specs)))


def in_bytes(features: Sequence[Float32]) -> tuple[tuple[npt.NDArray[np.uint8], ...], Float32]:
    """Features (kept, frames, bins) in bytes, and their ranges."""
    ranges = np.array([(each.min(), max((each.max() - each.min()) / 255, 1e-6)) for each in features], np.float32)
    steps = [np.rint((each - least) / step) for each, (least, step) in zip(features, ranges, strict=True)]
    return tuple(np.clip(each, 0, 255).astype(np.uint8) for each in steps), ranges


def reference_entries(reference: Reference | None) -> dict[str, bytes]:
    """Archive entries, in their order; none for a bundle without reference scores."""
    if reference is None:
        return {}
    arrays: dict[str, npt.NDArray[Any]] = {
        f"features_{ordinal}": each for ordinal, each in enumerate(reference.features)
    }
    arrays |= {"ranges": reference.ranges, "probabilities": reference.probabilities, "thresholds": reference.thresholds}
    entries = {
        f"reference/{name}.npy": _header(each.dtype, each.shape) + np.ascontiguousarray(each).tobytes()
        for name, each in arrays.items()
    }
    return entries | {"reference/labels.txt": "".join(f"{name}\n" for name in reference.labels).encode()}


def read_reference(
    entries: Mapping[str, bytes], specs: Sequence[FeatureSpec], labels: Sequence[str]
) -> Reference | None:
    """The reference scores among an archive's entries; None if it has none.

    Raises:
        BundleError: an entry is missing, too many, of another type or shape, or out of range; or the labels differ.
    """
    if not entries:
        return None
    wanted = [f"reference/features_{ordinal}.npy" for ordinal in range(len(specs))]
    wanted += [f"reference/{part}" for part in ("ranges.npy", "probabilities.npy", "thresholds.npy", "labels.txt")]
    if list(entries) != wanted:
        raise BundleError(f"the reference scores are {', '.join(entries)}, must be {', '.join(wanted)}")
    listed = entries["reference/labels.txt"]
    if listed != "".join(f"{name}\n" for name in labels).encode():
        raise BundleError(
            f"the reference scores are of the labels {listed.split()!r:.200}, the manifest has {', '.join(labels)}: "
            "count and order must agree"
        )
    kept = max(1, (len(entries[wanted[0]]) - len(_header(np.uint8, (1, *specs[0].shape)))) // _size(specs[0]))
    if kept > WINDOWS:
        raise BundleError(f"there are {kept} kept reference windows, may be {WINDOWS}")
    features = tuple(
        _array(entries, name, np.uint8, (kept, *spec.shape)) for name, spec in zip(wanted, specs, strict=False)
    )
    ranges = _array(entries, "reference/ranges.npy", np.float32, (len(specs), 2))
    probabilities = _array(entries, "reference/probabilities.npy", np.float32, (WINDOWS, len(labels)))
    if not (np.isfinite(ranges).all() and (np.abs(ranges) < 1e9).all()):
        raise BundleError("entry 'reference/ranges.npy' holds a number that is not finite or beyond 1e9")
    thresholds = _array(entries, "reference/thresholds.npy", np.float32, (len(labels),))
    for name, values in (("probabilities", probabilities), ("thresholds", thresholds)):
        if not ((values >= 0) & (values <= 1)).all():
            raise BundleError(f"entry 'reference/{name}.npy' holds a number that is not 0 to 1")
    return Reference(features, ranges, probabilities, thresholds, tuple(labels))


def _turned(kept: Float32) -> Float32:
    """(kept, frames, bins) -> (512, frames, bins): each window turned in time, by even shares of its length."""
    turns = -(-WINDOWS // len(kept))
    frames = kept.shape[1]
    return np.concatenate([np.roll(kept, turn * frames // turns, axis=1) for turn in range(turns)])[:WINDOWS]


def _size(spec: FeatureSpec) -> int:
    return int(np.prod(spec.shape))


def _header(kind: Any, shape: tuple[int, ...]) -> bytes:
    """What numpy writes before an array of this type and shape."""
    file = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(kind).newbyteorder("<"))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue()


def _array(entries: Mapping[str, bytes], name: str, kind: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """An array of exactly this type and shape; its header is compared, never evaluated."""
    data, header = entries[name], _header(kind, shape)
    if data[: len(header)] != header or len(data) != len(header) + int(np.prod(shape)) * np.dtype(kind).itemsize:
        raise BundleError(f"entry {name!r} is no plain .npy array of {np.dtype(kind).name} {shape}")
    return np.frombuffer(data, np.dtype(kind), offset=len(header)).reshape(shape)
