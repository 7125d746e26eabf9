"""How much of a network's attention lies elsewhere after its conversion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from converter import toolchain
from converter.predictions import network_bundle, sampled_windows
from converter.rebuilding.rebuild import output_names
from device.errors import BundleError
from device.hearing.classifier import Classifier

if TYPE_CHECKING:
    import numpy.typing as npt

    from converter.convert_graphs import Converted
    from converter.training_output import TrainingOutput
    from device.hearing.network.attention import AttentionOutputs

    Float32 = npt.NDArray[np.float32]


def moved_attention(trained: TrainingOutput, networks: Converted) -> dict[str, float] | None:
    """The share of the attention that lies elsewhere than by Keras, of sampled agreement windows.

    That share is half of the sum of the differences on all frames and bands: 0 for the same map, 1 for maps apart.

    Returns:
        Its mean over windows and its largest, and for comparison the mean of a map that knows nothing and is even
        (`even`); None for a network that does not say what it attends to.

    Raises:
        BundleError: Keras's outputs are not those that the description names.
    """
    if trained.attention is None:
        return None
    windows, bands = sampled_windows(trained), trained.specs[0].static_bins
    exact = _by_keras(trained, trained.attention, networks, windows)
    with Classifier(network_bundle(trained, networks.quantized, {})) as classifier:
        outputs = [classifier.classify([array[window, ..., 0] for array in trained.agreement]) for window in windows]
    found = np.stack([trained.attention.shares(output.extras, bands) for output in outputs])
    apart = _elsewhere(found, exact)
    return {
        "mean": round(float(apart.mean()), 6),
        "largest": round(float(apart.max()), 6),
        "even": round(float(_elsewhere(np.full_like(exact, 1 / exact[0].size), exact).mean()), 6),
    }


def _by_keras(trained: TrainingOutput, attention: AttentionOutputs, networks: Converted, windows: list[int]) -> Float32:
    model, tree = networks.model, toolchain.keras().tree
    inputs = [array[windows] for array in trained.agreement]
    results = tree.flatten(model(tree.pack_sequence_as(model.input, inputs), training=False))
    named = {name: np.asarray(one, np.float32) for name, one in zip(output_names(model), results, strict=True)}
    spec = trained.specs[0]
    for name, shape in attention.shapes(spec).items():
        found = named[name].shape[1:] if name in named else None
        if found != shape[1:]:
            held = "no such output" if found is None else f"one of shape {found}"
            raise BundleError(f"{name!r} is said to be attention of shape {shape[1:]}, the network has {held}")
    return attention.shares(named, spec.static_bins)


def _elsewhere(one: Float32, other: Float32) -> npt.NDArray[np.float64]:
    """(n, frames, bands) of both -> (n,)."""
    return np.asarray(np.abs(one.astype(np.float64) - other).sum(axis=(1, 2)) / 2)
