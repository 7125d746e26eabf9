"""Prints a network as its builder made it: layers, parameters, multiplications, and its inputs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from training.networks import residual

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--layers", action="store_true", help="print each layer too")


def run(args: argparse.Namespace) -> int:
    """Print the network."""
    network = residual.build(embedding_size=1, dropout=0.0, seed=0).network
    for spec in residual.SPECS:
        frames, bins = spec.shape
        print(f"input {frames} x {bins} at {spec.sample_rate_hz} Hz, spec {spec.spec_hash}, frames {spec.frame_hash}")
    print(
        f"{network.count_params():,} parameters, {multiplications(network) / 1e6:.1f} million multiplications a window"
    )
    if args.layers:
        network.summary()
    return 0


def multiplications(network: Any) -> int:
    """Multiplications of convolutions, dense and recurrent layers for one window; the rest is small.

    The network is laid out again for a batch of one: where windows are folded into the batch and out of it, as where
    each frame is a sequence of its own, only then a layer's shape tells how often it runs.
    """
    import keras

    inputs = [keras.Input(batch_shape=(1, *tensor.shape[1:])) for tensor in network.inputs]
    laid_out = keras.models.clone_model(network, input_tensors=inputs if len(inputs) > 1 else inputs[0])
    return sum(_of_layer(layer) for layer in laid_out.layers)


def _of_layer(layer: Any) -> int:
    if hasattr(layer, "layers"):  # a network within the network
        return sum(map(_of_layer, layer.layers))
    if hasattr(layer, "forward_layer"):  # both directions of a recurrence
        return sum(_of_cell(one.cell, layer.input.shape) for one in (layer.forward_layer, layer.backward_layer))
    if hasattr(layer, "cell"):
        return _of_cell(layer.cell, layer.input.shape)
    if not hasattr(layer, "kernel"):
        return 0
    positions = math.prod(size or 1 for size in layer.output.shape[:-1])
    return int(positions * math.prod(layer.kernel.shape))


def _of_cell(cell: Any, shape: tuple[int | None, ...]) -> int:
    """A cell multiplies its input and its state by a matrix each in every step of every sequence."""
    steps = (shape[0] or 1) * (shape[1] or 1)
    return int(steps * (math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape)))
