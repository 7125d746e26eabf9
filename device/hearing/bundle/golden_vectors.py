"""Golden vectors: windows of sound with the features and scores that a model must reproduce on every machine.

Features are most of a case's bytes. A bundle may keep them of some cases only; of the others the machine's own
features must lead to the golden scores.

The bundle contains them as `.npy` arrays. Their headers are compared with the exact form that numpy writes for the
expected type and shape before numpy reads the array: no unknown header is evaluated, and no object array is ever
loaded.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import BundleError
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]

MAX_CASES = 20
GOLDEN_ENTRY = re.compile(r"golden/[a-z0-9][a-z0-9_-]{0,63}/(?:samples|features_[0-9]|probabilities)\.npy")

_NPY_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(<f4|<i2)', 'fortran_order': False, "
    rb"'shape': \((\d{1,9}(?:, \d{1,9})*),?\), \} *\n",
    re.DOTALL,
)
_INT16_SCALE = 32768


@dataclass(frozen=True, slots=True, eq=False)
class GoldenCase:
    """One window, and the model's features and scores for it when it was converted.

    Attributes:
        name: the sound in it (`silence`, `sine`, ...).
        samples: float32 (window_samples,) in [-1, 1].
        features: one float32 (frame_count, bins) for each spec; empty for a case whose features are not kept.
        probabilities: float32 (labels,) in [0, 1].
    """

    name: str
    samples: Float32
    features: tuple[Float32, ...]
    probabilities: Float32


def golden_entries(cases: Iterable[GoldenCase]) -> dict[str, bytes]:
    """Archive entries of the cases, in their order.

    Raises:
        BundleError: an array of another type than float32.
    """
    return {f"golden/{case.name}/{part}.npy": npy_bytes(array) for case in cases for part, array in _parts(case)}


def golden_cases(
    names: Sequence[str],
    entries: Mapping[str, bytes],
    specs: Sequence[FeatureSpec],
    label_count: int,
    *,
    with_features: Collection[str] | None = None,
) -> tuple[GoldenCase, ...]:
    """Parse the cases from an archive's golden entries.

    Args:
        names: of the cases, in their order.
        entries: name -> bytes of a `.npy` file.
        specs: give the shapes of samples and features.
        label_count: gives the shape of the probabilities.
        with_features: the cases whose features are kept, at least one; all of them if None.

    Raises:
        BundleError: an entry is missing, or too many, or of another type or shape, or out of range.
    """
    if not 0 < len(names) <= MAX_CASES:
        raise BundleError(f"there are {len(names)} golden cases, must be 1 to {MAX_CASES}")
    kept = names if with_features is None else _kept(names, with_features)
    wanted: dict[str, tuple[int, ...]] = {}
    for name in names:
        wanted[f"golden/{name}/samples.npy"] = (specs[0].window_samples,)
        if name in kept:
            wanted |= {f"golden/{name}/features_{ordinal}.npy": spec.shape for ordinal, spec in enumerate(specs)}
        wanted[f"golden/{name}/probabilities.npy"] = (label_count,)
    for entry in entries:
        if entry not in wanted:
            raise BundleError(f"entry {entry!r} belongs to no golden case or spec of the manifest")
    arrays = iter([npy_array(entry, entries, shape) for entry, shape in wanted.items()])
    return tuple(
        GoldenCase(name, next(arrays), tuple(next(arrays) for _ in specs if name in kept), next(arrays))
        for name in names  # in the order of `wanted`
    )


def _kept(names: Sequence[str], with_features: Collection[str]) -> Collection[str]:
    """The cases whose features are kept, if they are cases at all and one at least."""
    for name in with_features:
        if name not in names:
            raise BundleError(f"the manifest lists features of {name!r:.60}, which is no golden case")
    if not with_features:
        raise BundleError("no golden case keeps its features, one at least must")
    return with_features


def _parts(case: GoldenCase) -> list[tuple[str, npt.NDArray[Any]]]:
    features = [(f"features_{ordinal}", array) for ordinal, array in enumerate(case.features)]
    return [("samples", compact(case.samples)), *features, ("probabilities", case.probabilities)]


def compact(samples: Float32) -> npt.NDArray[Any]:
    """Samples as int16 if that is lossless, which halves their size."""
    scaled = np.nan_to_num(samples * np.float32(_INT16_SCALE))
    whole = np.clip(scaled, -_INT16_SCALE, _INT16_SCALE - 1).astype(np.int16)
    return whole if np.array_equal(whole, samples * np.float32(_INT16_SCALE)) else samples


def npy_bytes(array: npt.NDArray[Any]) -> bytes:
    """A `.npy` file of an array of float32 or int16.

    Raises:
        BundleError: an array of another type.
    """
    if array.dtype not in (np.float32, np.int16):
        raise BundleError(f"golden arrays must be float32, one is {array.dtype}")
    kind = "<f4" if array.dtype == np.float32 else "<i2"
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array, kind), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def npy_array(entry: str, entries: Mapping[str, bytes], shape: tuple[int, ...]) -> Float32:
    """One entry of the expected shape, as float32, finite and in its range.

    Raises:
        BundleError: it is missing, or anything else.
    """
    data = entries.get(entry)
    if data is None:
        raise BundleError(f"entry {entry!r} is missing")
    header = _NPY_HEADER.match(data)
    if header is None or int.from_bytes(data[8:10], "little") != header.end() - 10:
        raise BundleError(f"entry {entry!r} is no plain .npy array of float32 or int16")
    found = tuple(int(size) for size in header[2].split(b", "))
    is_samples = entry.endswith("/samples.npy")
    if found != shape or (header[1] == b"<i2" and not is_samples):
        kind = "float32 or int16" if is_samples else "float32"
        raise BundleError(f"entry {entry!r} is {header[1].decode()} {found}, must be {kind} {shape}")
    size = int(np.prod(shape)) * np.dtype(header[1].decode()).itemsize
    if len(data) - header.end() != size:
        raise BundleError(
            f"entry {entry!r} holds {quantity(len(data) - header.end(), 'byte')} of numbers, must hold {size}"
        )
    array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    if array.dtype == np.int16:
        array = array.astype(np.float32) / np.float32(_INT16_SCALE)
    return _in_range(entry, array)  # arithmetic on a damaged float32 could meet a signalling NaN, which warns


def _in_range(entry: str, values: Float32) -> Float32:
    if not np.isfinite(values).all():
        raise BundleError(f"entry {entry!r} holds a number that is not finite")
    limits = {"samples.npy": (-1.0, 1.0), "probabilities.npy": (0.0, 1.0)}
    least, most = limits.get(entry.rsplit("/", 1)[-1], (-np.inf, np.inf))
    if values.min() < least or values.max() > most:
        raise BundleError(f"entry {entry!r} holds {values.min():g} to {values.max():g}, must be {least:g} to {most:g}")
    return values
