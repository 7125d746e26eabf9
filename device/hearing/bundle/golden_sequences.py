"""Golden sequences: windows one after the other, through which a network's past must come to the golden scores.

    golden/<name>/samples.npy         the sound of all windows, each a hop after the one before
    golden/<name>/probabilities.npy   float32 (windows, labels), the past having begun at zeros

Their features are not kept: those of the golden cases show already that features are the same on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import BundleError
from device.hearing.bundle.golden_vectors import compact, npy_array, npy_bytes
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

MAX_SEQUENCES = 4
MAX_WINDOWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class GoldenSequence:
    """Consecutive windows and the model's scores for them when it was converted.

    Attributes:
        name: the sound in it.
        samples: float32 (window_samples + (windows - 1) * hop,) in [-1, 1].
        probabilities: float32 (windows, labels) in [0, 1].
    """

    name: str
    samples: Float32
    probabilities: Float32

    def windows(self, window_samples: int) -> list[Float32]:
        """The windows, at a hop that follows from their number: float32 (window_samples,) each."""
        count = len(self.probabilities)
        hop = (len(self.samples) - window_samples) // max(1, count - 1)
        return [self.samples[place * hop : place * hop + window_samples] for place in range(count)]


def sequence_samples(window_samples: int, hop_samples: int, windows: int) -> int:
    """Samples of so many windows."""
    return window_samples + (windows - 1) * hop_samples


def sequence_entries(sequences: Iterable[GoldenSequence]) -> dict[str, bytes]:
    """Archive entries of the sequences, in their order.

    Raises:
        BundleError: an array of another type than float32.
    """
    entries: dict[str, bytes] = {}
    for each in sequences:
        entries[f"golden/{each.name}/samples.npy"] = npy_bytes(compact(each.samples))
        entries[f"golden/{each.name}/probabilities.npy"] = npy_bytes(each.probabilities)
    return entries


def golden_sequences(
    listed: Sequence[tuple[str, int]],
    entries: Mapping[str, bytes],
    *,
    window_samples: int,
    hop_samples: int,
    label_count: int,
) -> tuple[GoldenSequence, ...]:
    """Parse the sequences of a network with a past from an archive's golden entries.

    Args:
        listed: name and number of windows, in their order.
        entries: name -> bytes of a `.npy` file.
        window_samples: of one window.
        hop_samples: from one window to the next.
        label_count: scores of one window.

    Raises:
        BundleError: there are too few or too many, or an entry is missing, of another type or shape, or out of range.
    """
    if not 0 < len(listed) <= MAX_SEQUENCES:
        raise BundleError(f"there are {len(listed)} golden sequences, a network with a past has 1 to {MAX_SEQUENCES}")
    found = []
    for name, windows in listed:
        if not 1 < windows <= MAX_WINDOWS:
            held = quantity(windows, "window")
            raise BundleError(f"golden sequence {name!r} has {held}, must have 2 to {MAX_WINDOWS}")
        samples = sequence_samples(window_samples, hop_samples, windows)
        found.append(
            GoldenSequence(
                name,
                npy_array(f"golden/{name}/samples.npy", entries, (samples,)),
                npy_array(f"golden/{name}/probabilities.npy", entries, (windows, label_count)),
            )
        )
    return tuple(found)
