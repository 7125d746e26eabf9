"""A bundle's network from features to numbers, in one part or in two: its outputs by name, and the next past."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from device.hearing.inference.loaded_graph import LoadedGraph
from device.hearing.network.check import SCORES
from device.hearing.network.parts import EMBEDDING, NEXT_PAST, PAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle
    from device.hearing.inference.backbone import Backbone, Backbones
    from device.hearing.inference.loaded_graph import Shapes

    Float32 = npt.NDArray[np.float32]


class Passed(NamedTuple):
    """What one window gave: outputs by name, and the past of the window after it; None for a network without one."""

    outputs: dict[str, Float32]
    next_past: Float32 | None


class Forward(Protocol):
    """One window through a network."""

    def run(self, features: Sequence[Float32], past: Float32 | None) -> Passed:
        """Features (frame_count, bins) for each spec, and the past; None for none before -> what they give.

        Raises:
            ValueError: features or past have another shape, or are not finite.
            RuntimeError: the runtime fails.
        """


class WholeNetwork:
    """A network in one part, which knows no past."""

    def __init__(self, graph: LoadedGraph) -> None:
        self._graph = graph

    def __repr__(self) -> str:
        return f"WholeNetwork({self._graph!r})"

    def run(self, features: Sequence[Float32], past: Float32 | None) -> Passed:
        """See `Forward.run`; a past is refused."""
        if past is not None:
            raise ValueError("a past is given, and the network carries none")
        return Passed(self._graph.run(named_inputs(features)), None)


class SplitNetwork:
    """A backbone, which others may share, and a head that carries a past of so many (steps, size)."""

    def __init__(self, backbone: Backbone, head: LoadedGraph, past: tuple[int, int]) -> None:
        self._backbone, self._head = backbone, head
        self._none_before = np.zeros(past, np.float32)

    def __repr__(self) -> str:
        return f"SplitNetwork({self._backbone!r}, {self._head!r})"

    def run(self, features: Sequence[Float32], past: Float32 | None) -> Passed:
        """See `Forward.run`."""
        embedding = self._backbone.embedding(features)
        outputs = self._head.run({EMBEDDING: embedding, PAST: self._none_before if past is None else past})
        return Passed(outputs, outputs.pop(NEXT_PAST))


def named_inputs(features: Sequence[Float32]) -> dict[str, Float32]:
    """Features under the names of a network's inputs."""
    return {f"input_{ordinal}": values for ordinal, values in enumerate(features)}


def load_forward(bundle: Bundle, backbones: Backbones, *, threads: int, accelerated: bool, further: bool) -> Forward:
    """A bundle's network, loaded.

    Args:
        bundle: its golden cases may be missing.
        backbones: that are shared.
        threads: that the runtime may use, at least 1.
        accelerated: see `interpreter_of`.
        further: whether outputs beside the scores are read.

    Raises:
        BundleError: a part cannot be loaded, or its tensors do not fit labels and specs.
        MissingExtraError: no runtime is installed.
    """
    inputs: Shapes = {f"input_{ordinal}": (1, *spec.shape, 1) for ordinal, spec in enumerate(bundle.specs)}
    scores = {SCORES: (1, len(bundle.labels))}
    where = f"model {bundle.name}: the"
    if bundle.head is None:
        graph = LoadedGraph(
            bundle.network,
            f"{where} network",
            inputs,
            scores,
            threads=threads,
            accelerated=accelerated,
            further=further,
        )
        return WholeNetwork(graph)
    head, shape = bundle.head, bundle.head.shape
    backbone = backbones.backbone(
        bundle.network, f"{where} backbone", inputs, shape.embedding, threads=threads, accelerated=accelerated
    )
    past = (1, *shape.past)
    graph = LoadedGraph(
        head.network,
        f"{where} head",
        {EMBEDDING: (1, shape.embedding), PAST: past},
        {**scores, NEXT_PAST: past},
        threads=threads,
        accelerated=accelerated,
        further=further,
    )
    return SplitNetwork(backbone, graph, shape.past)
