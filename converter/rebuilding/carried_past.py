"""What passes between the parts of a network that carries its past, window by window, as Keras computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from converter import toolchain
from converter.window_sequences import spans, steps
from device.errors import BundleError
from device.hearing.network.parts import EMBEDDING, NEXT_PAST, PAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from converter.rebuilding.cut_network import CutNetwork
    from converter.window_sequences import Numbers

    Float32 = npt.NDArray[np.float32]

_BATCH = 64


class Carried(NamedTuple):
    """What the head is given.

    Attributes:
        embedding: of each window (n, size).
        past: of each window (n, steps, size).
        last: what the last window of each sequence hands on (sequences, steps, size).
    """

    embedding: Float32
    past: Float32
    last: Float32


def carried(parts: CutNetwork, inputs: Sequence[Float32], numbers: Numbers | None) -> Carried:
    """What the head is given on windows (n, frames, bins, 1) of sequences.

    Raises:
        BundleError: a number is not finite.
    """
    count = len(inputs[0])
    sequences = spans(numbers, count)
    batches = [[array[first : first + _BATCH] for array in inputs] for first in range(0, count, _BATCH)]
    embedding = np.concatenate([_run(parts.backbone, batch)[0] for batch in batches])
    past = np.zeros((count, *parts.shape.past), np.float32)
    last = np.zeros((len(sequences), *parts.shape.past), np.float32)
    place = parts.head_outputs.index(NEXT_PAST)
    for chosen, windows in steps(sequences, _BATCH):
        past[windows] = last[chosen]
        last[chosen] = _run(parts.head, [embedding[windows], last[chosen]])[place]
    for name, values in ((EMBEDDING, embedding), (PAST, past), (NEXT_PAST, last)):
        if not np.isfinite(values).all():
            raise BundleError(f"the Keras network gives a number of its {name} that is not finite")
    return Carried(embedding, past, last)


def head_calibration(given: Carried, numbers: Numbers | None) -> dict[str, Float32]:
    """What sets the ranges of the head, by input.

    One window more for each sequence: so every row of a past that is handed on is taken in too, and both get the same
    int8 steps.
    """
    ends = [span[-1] for span in spans(numbers, len(given.embedding))]
    return {
        EMBEDDING: np.concatenate([given.embedding, given.embedding[ends]]),
        PAST: np.concatenate([given.past, given.last]),
    }


def _run(model: Any, inputs: list[Float32]) -> list[Float32]:
    tree = toolchain.keras().tree
    results = model(tree.pack_sequence_as(model.input, inputs), training=False)
    return [np.asarray(each, np.float32) for each in tree.flatten(results)]
