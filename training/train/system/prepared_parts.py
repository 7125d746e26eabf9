"""What the loop trains on and judges by: arrays of features and targets, and where each window came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a window was cut: a file of the collection, seconds in it, and whom it belongs to."""

    file: str
    start_s: float
    end_s: float
    subject: str


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPart:
    """One part of a split.

    Attributes:
        inputs: for each feature spec float32 (n, frames, bins, 1).
        targets: float32 (n, labels) in 0..1.
        places: n of them.
    """

    inputs: tuple[Float32, ...]
    targets: Float32
    places: tuple[Place, ...]

    def __len__(self) -> int:
        return len(self.targets)

    def taken(self, indices: Sequence[int] | npt.NDArray[np.intp]) -> PreparedPart:
        """Some of its windows, in the order of `indices`."""
        chosen = np.asarray(indices, np.intp)
        return PreparedPart(
            tuple(array[chosen] for array in self.inputs),
            self.targets[chosen],
            tuple(self.places[index] for index in chosen),
        )


@dataclass(frozen=True, slots=True, eq=False)
class PreparedData:
    """All parts of one run.

    Attributes:
        specs: of the inputs, as the network gets them.
        train: what the weights are fitted to.
        val: what chooses the checkpoint, the temperature and the thresholds.
        test: reads the test part; called once, when nothing is to be chosen any more.
        hashes: SHA-256 of what was read, by name.
        excluded: how many examples were left out, by reason.
        official_split: the split is the publishers', whose parts may share subjects.
        dense: the training or validation part again, as at least so many windows that overlap; None if it is at hand
            no more.
    """

    specs: tuple[FeatureSpec, ...]
    train: PreparedPart
    val: PreparedPart
    test: Callable[[], PreparedPart]
    hashes: dict[str, str]
    excluded: dict[str, int]
    official_split: bool = False
    dense: Callable[[str, int], PreparedPart] | None = None
