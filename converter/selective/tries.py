"""Converts to int8, and where that loses too much, with the layers in float that lose most: each try is reported."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from converter.convert import verified
from converter.convert_graphs import converted
from converter.gate import Bounds, check_windows
from converter.selective.kept_layers import holds_int8, ranked_layers, selectively, with_producers
from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.writer import write_bundle
from device.hearing.classifier import Classifier
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from converter.convert_graphs import Converted
    from converter.training_output import TrainingOutput

LAYERS = (1, 2, 4, 8, 16)
"""How many of the layers that lose most stay in float, one try after the other."""


def convert_first_that_holds(
    trained: TrainingOutput, out: Path, *, bounds: Bounds | None = None, sounds: Collection[str] | None = None
) -> dict[str, Any]:
    """Write the bundle of the first try that holds every check; nothing is written if none does.

    Arguments as of `converter.convert.convert`.

    Returns:
        The conversion report; its `tries` say of each `quantization`, layers `kept_in_float`, and why it was `refused`.

    Raises:
        BundleError: no try holds; the sentence says why for each.
        OSError: the file cannot be written.
    """
    bounds = bounds or Bounds()
    check_windows(len(trained.calibration[0]), len(trained.agreement[0]), bounds)
    tries: list[dict[str, Any]] = []
    for kept, networks in _networks(trained):
        tried: dict[str, Any] = {"quantization": networks.quantization, "kept_in_float": kept, "refused": None}
        tries.append(tried)
        try:
            report, bundle = verified(trained, networks, bounds=bounds, sounds=sounds)
        except BundleError as error:
            tried["refused"] = str(error)
            continue
        report |= {"tries": tries}
        write_bundle(out, dataclasses.replace(bundle, card=trained.card | {"conversion": report}))
        Classifier.open(read_bundle(out)).close()
        return report
    raise BundleError(f"no try holds: {'; '.join(map(_line, tries))}")


def _networks(trained: TrainingOutput) -> Iterator[tuple[list[str], Converted]]:
    """The layers in float, and the network with them: none first; a network in two parts has no other try."""
    whole = converted(trained)
    yield [], whole
    if whole.parts is not None:
        return
    ranked, before = ranked_layers(whole, trained), list[str]()
    for count in LAYERS:
        kept = with_producers(whole.quantized.network, ranked[:count])
        if kept != before and holds_int8(whole.quantized.network, kept):
            yield kept, selectively(whole, trained, kept)
        before = kept


def _line(tried: dict[str, Any]) -> str:
    kept = len(tried["kept_in_float"])
    what = f"with {quantity(kept, 'layer')} in float" if kept else "all in int8"
    return f"{what}, {tried['refused']}"
