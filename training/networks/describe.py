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
    """Multiplications of the convolutions and dense layers for one window; the rest is small."""
    return sum(_of_layer(layer) for layer in network.layers if hasattr(layer, "kernel"))


def _of_layer(layer: Any) -> int:
    positions = math.prod(layer.output.shape[1:-1])
    return int(positions * math.prod(layer.kernel.shape))
