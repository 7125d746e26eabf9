"""Backbones: the part of a network that several models may have in common, computed once a window.

A backbone is a function of its features alone. So it remembers the newest ones with the embedding that they gave, and
equal features cost a comparison: whoever asks second about one window is answered from memory, to the bit.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.inference.loaded_graph import LoadedGraph
from device.hearing.network.parts import EMBEDDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from device.hearing.inference.loaded_graph import Shapes

    Float32 = npt.NDArray[np.float32]


class Backbone:
    """One loaded backbone; used by one thread at a time.

    Args:
        graph: that gives the embedding of features.

    Attributes:
        runs: how often the graph was run.
    """

    def __init__(self, graph: LoadedGraph) -> None:
        self._graph = graph
        self._features: tuple[Float32, ...] | None = None
        self._embedding: Float32 | None = None
        self.runs = 0

    def __repr__(self) -> str:
        return f"Backbone({self._graph!r}, {self.runs} runs)"

    def embedding(self, features: Sequence[Float32]) -> Float32:
        """The embedding of one window: features (frame_count, bins) for each spec -> (size,), read-only.

        Raises:
            ValueError: features have another shape, or are not finite.
            RuntimeError: the runtime fails.
        """
        if self._embedding is not None and self._features is not None and _equal(self._features, features):
            return self._embedding
        self._features = self._embedding = None  # a failure must not leave another window's embedding
        embedding = self._graph.run({f"input_{place}": values for place, values in enumerate(features)})[EMBEDDING]
        embedding.flags.writeable = False
        self.runs += 1
        self._features, self._embedding = tuple(values.copy() for values in features), embedding
        return embedding


class Backbones:
    """The backbones of models that are opened together, each loaded once; whoever opens the models owns it."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[object, ...], Backbone] = {}

    def __repr__(self) -> str:
        return f"Backbones({len(self._loaded)} loaded)"

    def backbone(
        self, network: bytes, where: str, inputs: Shapes, size: int, *, threads: int, accelerated: bool
    ) -> Backbone:
        """The backbone with these bytes and threads; arguments as of `LoadedGraph`, and the embedding's size.

        Raises:
            BundleError: it cannot be loaded, or has other inputs or outputs.
        """
        key = hashlib.sha256(network).hexdigest(), tuple(sorted(inputs.items())), size, threads, accelerated
        if key not in self._loaded:
            outputs = {EMBEDDING: (1, size)}
            graph = LoadedGraph(network, where, inputs, outputs, threads=threads, accelerated=accelerated)
            self._loaded[key] = Backbone(graph)
        return self._loaded[key]


def _equal(one: Sequence[Float32], other: Sequence[Float32]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
