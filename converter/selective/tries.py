"""Converts to int8, and where that loses too much, in forms that lose less: each try is reported."""

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
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from converter.convert_graphs import Converted
    from converter.quantize import Quantization
    from converter.training_output import TrainingOutput
    from device.hearing.bundle.contents import Bundle

LAYERS = (1, 2, 4, 8, 16)
"""How many of the layers that lose most stay in float, one try after the other."""

WEIGHTS_ALONE: tuple[Quantization, ...] = ("dynamic", "float16")
"""The last tries: activations stay in float."""


def convert_first_that_holds(
    trained: TrainingOutput,
    out: Path,
    *,
    bounds: Bounds | None = None,
    sounds: Collection[str] | None = None,
    backbone: Bundle | None = None,
) -> dict[str, Any]:
    """Write the bundle of the first try that holds every check; nothing is written if none does.

    Arguments as of `converter.convert.convert`.

    Returns:
        The conversion report, as of `first_that_holds`.

    Raises:
        BundleError: no try holds; the sentence says why for each.
        OSError: the file cannot be written.
    """
    bounds = bounds or Bounds()
    check_windows(len(trained.calibration[0]), len(trained.agreement[0]), bounds)
    whole = converted(trained, backbone=backbone)
    report, bundle = first_that_holds(trained, whole, bounds=bounds, sounds=sounds, backbone=backbone)
    write_bundle(out, bundle)
    Classifier.open(read_bundle(out)).close()
    return report


def first_that_holds(
    trained: TrainingOutput,
    whole: Converted,
    *,
    bounds: Bounds,
    sounds: Collection[str] | None = None,
    backbone: Bundle | None = None,
) -> tuple[dict[str, Any], Bundle]:
    """The conversion report and the bundle of the first try that holds every check.

    Args:
        trained: what training wrote.
        whole: its networks in int8, which is the first try.
        bounds: of the gate.
        sounds: names of the golden sounds to carry; all of them if None.
        backbone: see `converted`.

    Returns:
        The report's `tries` say of each `quantization`, layers `kept_in_float`, and why it was `refused`.

    Raises:
        BundleError: no try holds; the sentence says why for each.
    """
    tries: list[dict[str, Any]] = []
    for kept, networks in _networks(trained, whole, backbone):
        tried: dict[str, Any] = {"quantization": networks.quantization, "kept_in_float": kept, "refused": None}
        tries.append(tried)
        try:
            report, bundle = verified(trained, networks, bounds=bounds, sounds=sounds)
        except BundleError as error:
            tried["refused"] = str(error)
            continue
        report |= {"tries": tries}
        return report, dataclasses.replace(bundle, card=trained.card | {"conversion": report})
    raise BundleError("no try holds: " + "; ".join(f"{form_of(tried)}, {tried['refused']}" for tried in tries))


def _networks(
    trained: TrainingOutput, whole: Converted, backbone: Bundle | None
) -> Iterator[tuple[list[str], Converted]]:
    """The layers in float, and the network with them: none first, at last all with weights alone in fewer bits.

    Single layers are not kept in float in a network in two parts.
    """
    yield [], whole
    if whole.parts is None:
        yield from _selective(trained, whole)
    for quantization in WEIGHTS_ALONE:
        yield [], converted(trained, quantization, backbone=backbone)


def _selective(trained: TrainingOutput, whole: Converted) -> Iterator[tuple[list[str], Converted]]:
    ranked, before = ranked_layers(whole, trained), list[str]()
    for count in LAYERS:
        kept = with_producers(whole.quantized.network, ranked[:count])
        if kept != before and holds_int8(whole.quantized.network, kept):
            yield kept, selectively(whole, trained, kept)
        before = kept


def form_of(tried: Mapping[str, Any]) -> str:
    """In words, what a try of a conversion report keeps in which type."""
    kept = len(tried["kept_in_float"])
    if kept:
        return f"with {quantity(kept, 'layer')} in float"
    return {"int8": "all in int8", "dynamic": "weights alone in int8", "float16": "weights alone in float16"}[
        tried["quantization"]
    ]
