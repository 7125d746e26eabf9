"""Converts the folder that training wrote into a verified bundle, or refuses with the reason."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from converter import toolchain
from converter.attention_agreement import moved_attention
from converter.convert_graphs import converted, graph_inputs, weights_sha256
from converter.gate import (
    Bounds,
    check_agreement,
    check_attention,
    check_plain_kernels,
    check_saturation,
    check_translation,
    check_windows,
)
from converter.golden.golden_windows import cases_with_features, golden_sequence, golden_sounds
from converter.layer_errors import GraphPair, blamed
from converter.predictions import (
    converted_probabilities,
    network_bundle,
    plain_kernel_figures,
    saturated_shares,
    translation_error,
)
from converter.reference_scores import stored_reference
from converter.score_agreement import label_figures
from device.errors import BundleError
from device.hearing.bundle.golden_vectors import GoldenCase
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.writer import write_bundle
from device.hearing.classifier import Classifier, sequence_features
from device.hearing.features import window_features
from device.hearing.network.graph import read_graph
from device.runtime.model_library import golden_deviations

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy.typing as npt

    from converter.convert_graphs import Converted
    from converter.quantize import InputType, Quantization
    from converter.training_output import TrainingOutput
    from device.hearing.bundle.contents import Bundle, Head
    from device.hearing.bundle.golden_sequences import GoldenSequence

    Float32 = npt.NDArray[np.float32]


def convert(
    trained: TrainingOutput,
    out: Path,
    *,
    quantization: Quantization = "int8",
    input_type: InputType = "int8",
    bounds: Bounds | None = None,
    sounds: Collection[str] | None = None,
    backbone: Bundle | None = None,
) -> dict[str, Any]:
    """Write the bundle of a trained network; nothing is written unless every check holds.

    Args:
        trained: what training wrote, from `read_training_output`.
        out: the `.tflite` file to write.
        quantization: of the weights, and of all else if it is int8.
        input_type: of inputs and outputs of an int8 network.
        bounds: of the gate.
        sounds: names of the golden sounds to carry; all of them if None.
        backbone: see `converted`.

    Returns:
        The conversion report, JSON types; the bundle's card holds it as `conversion`.

    Raises:
        BundleError: a check does not hold.
        OSError: the file cannot be written.
    """
    bounds = bounds or Bounds()
    check_windows(len(trained.calibration[0]), len(trained.agreement[0]), bounds)
    networks = converted(trained, quantization, input_type, backbone)
    report, bundle = verified(trained, networks, bounds=bounds, sounds=sounds)
    write_bundle(out, bundle)
    Classifier.open(read_bundle(out)).close()
    return report


def verified(
    trained: TrainingOutput, networks: Converted, *, bounds: Bounds, sounds: Collection[str] | None = None
) -> tuple[dict[str, Any], Bundle]:
    """The conversion report and the bundle of networks that hold every check.

    Raises:
        BundleError: a check does not hold.
    """
    check_translation(translation_error(trained, networks.in_float, networks.as_float), bounds)
    compared = _compared(trained, networks, bounds)
    report = _report(trained, bounds, networks) | compared | _sizes(networks)
    bundle = network_bundle(trained, networks.quantized, {})
    reference, report["reference"] = stored_reference(bundle, networks.model, trained, networks.as_float)
    bundle = dataclasses.replace(bundle, card=trained.card | {"conversion": report}, reference=reference)
    bundle = _with_golden(bundle, sounds)
    _check_golden(bundle, bounds)
    return report, bundle


def _compared(trained: TrainingOutput, networks: Converted, bounds: Bounds) -> dict[str, Any]:
    """What the report says of the agreement of a converted network with Keras.

    Raises:
        BundleError: they do not agree; the sentence names the worst window and layer.
    """
    as_float, as_converted = networks.as_float, converted_probabilities(trained, networks.quantized)
    figures = label_figures(trained.labels, as_float, as_converted, trained.target)
    try:
        check_agreement(figures, bounds)
    except BundleError as error:
        raise BundleError(f"{error}; {_blamed(trained, networks, np.abs(as_converted - as_float))}") from None
    shares = saturated_shares(trained, read_graph(networks.quantized.network))
    check_saturation(shares, bounds)
    moved = moved_attention(trained, networks)
    if moved is not None:
        check_attention(moved["mean"], bounds)
    return {
        "agreement": [figure.to_dict() for figure in figures],
        **({} if moved is None else {"attention_moved": moved}),
        "plain_kernels": plain_kernel_figures(trained, networks.quantized, as_converted),
        "saturated": [round(share, 6) for share in shares],
    }


def _blamed(trained: TrainingOutput, networks: Converted, apart: Float32) -> str:
    """Which window is farthest off, and which layer loses most on it; apart (windows, labels)."""
    worst = int(apart.max(axis=1).argmax())
    one, other = networks.in_float, networks.quantized
    pairs = [GraphPair(one.network, other.network)]
    if one.head is not None and other.head is not None:
        pairs.append(GraphPair(one.head.network, other.head.network))
    inputs = graph_inputs(networks, trained, worst)
    return blamed(list(zip(pairs, inputs, strict=True)), worst, float(apart[worst].max()))


def _with_golden(bundle: Bundle, sounds: Collection[str] | None) -> Bundle:
    sounds_by_name = golden_sounds(bundle.sample_rate_hz, bundle.window_samples)
    names = [name for name in sounds_by_name if sounds is None or name in sounds]
    kept = cases_with_features(names)
    with Classifier(bundle) as classifier:
        cases = tuple(
            _golden_case(name, sounds_by_name[name], bundle, classifier, keeps_features=name in kept) for name in names
        )
        sequences = () if bundle.head is None else (_golden_sequence(bundle, bundle.head, classifier),)
    return dataclasses.replace(bundle, golden=cases, sequences=sequences)


def _check_golden(bundle: Bundle, bounds: Bounds) -> None:
    """Check that the golden numbers are reproduced, and nearly so by the plain kernels."""
    Classifier.open(bundle).close()
    with Classifier(bundle, accelerated=False) as plain:
        for off in golden_deviations(bundle, plain):
            check_plain_kernels(off.case, off.scores, bounds)


def _golden_sequence(bundle: Bundle, head: Head, classifier: Classifier) -> GoldenSequence:
    hop = round(head.hop_s * bundle.sample_rate_hz)
    sequence = golden_sequence(bundle.sample_rate_hz, bundle.window_samples, hop, head.shape.steps)
    outputs = classifier.classify_sequence(sequence_features(bundle, sequence))
    return dataclasses.replace(sequence, probabilities=np.stack([output.probabilities for output in outputs]))


def _golden_case(
    name: str, samples: Float32, bundle: Bundle, classifier: Classifier, *, keeps_features: bool
) -> GoldenCase:
    features = tuple(window_features(spec, samples) for spec in bundle.specs)
    return GoldenCase(name, samples, features if keeps_features else (), classifier.classify(features).probabilities)


def _report(trained: TrainingOutput, bounds: Bounds, networks: Converted) -> dict[str, Any]:
    operations = Counter[str]()
    for graph in networks.read_graphs():
        operations.update(graph.counts)
    return {
        "tools": toolchain.versions(),
        "calibration_windows": len(trained.calibration[0]),
        "agreement_windows": len(trained.agreement[0]),
        "operations": dict(sorted(operations.items())),
        "bounds": dataclasses.asdict(bounds),
    }


def _sizes(networks: Converted) -> dict[str, Any]:
    return {
        "quantization": networks.quantization,
        "float_bytes": networks.in_float.size,
        "network_bytes": networks.quantized.size,
        "weights_sha256": weights_sha256(networks.model),
        **_parts_report(networks),
    }


def _parts_report(networks: Converted) -> dict[str, Any]:
    """Of a network in two parts: what each is; nothing for another."""
    head, parts = networks.quantized.head, networks.parts
    if head is None or parts is None:
        return {}
    backbone = networks.quantized.network
    return {
        "backbone": {
            "bytes": len(backbone),
            "sha256": hashlib.sha256(backbone).hexdigest(),
            "weights_sha256": weights_sha256(parts.backbone, named=False),
        },
        "head": {"bytes": len(head.network), "past": list(head.shape.past), "hop_s": head.hop_s},
    }
