"""Converts the folder that training wrote into a verified bundle, or refuses with the reason."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converter import toolchain
from converter.gate import (
    Bounds,
    check_agreement,
    check_finite,
    check_graph,
    check_plain_kernels,
    check_saturation,
    check_translation,
    check_windows,
)
from converter.golden_windows import golden_sounds
from converter.layer_errors import blamed
from converter.predictions import (
    converted_probabilities,
    golden_keras_probabilities,
    keras_probabilities,
    network_bundle,
    plain_kernel_figures,
    saturated_shares,
    translation_error,
)
from converter.quantize import to_float, to_graph
from converter.rebuilding.rebuild import load_network, rebuild
from converter.reference_scores import stored_reference
from converter.score_agreement import label_figures
from device.errors import BundleError
from device.hearing.bundle.golden_vectors import GoldenCase
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.writer import write_bundle
from device.hearing.classifier import Classifier
from device.hearing.features import window_features
from device.hearing.network.graph import read_graph
from device.hearing.network.operators import OPERATORS_RUN

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from converter.quantize import InputType, Quantization
    from converter.training_output import TrainingOutput
    from device.hearing.bundle.contents import Bundle
    from device.hearing.network.graph import Graph

    Float32 = npt.NDArray[np.float32]

_ATTEMPTS = 16


def convert(
    trained: TrainingOutput,
    out: Path,
    *,
    quantization: Quantization = "int8",
    input_type: InputType = "int8",
    bounds: Bounds | None = None,
    sounds: Collection[str] | None = None,
) -> dict[str, Any]:
    """Write the bundle of a trained network; nothing is written unless every check holds.

    Args:
        trained: what training wrote, from `read_training_output`.
        out: the `.tflite` file to write.
        quantization: of the weights, and of all else if it is int8.
        input_type: of inputs and outputs of an int8 network.
        bounds: of the gate.
        sounds: names of the golden sounds to carry; all of them if None.

    Returns:
        The conversion report, JSON types; the bundle's card holds it as `conversion`.

    Raises:
        BundleError: a check does not hold.
        OSError: the file cannot be written.
    """
    bounds = bounds or Bounds()
    check_windows(len(trained.calibration[0]), len(trained.agreement[0]), bounds)
    report, bundle = verified(trained, converted(trained, quantization, input_type), bounds=bounds, sounds=sounds)
    write_bundle(out, bundle)
    Classifier.open(read_bundle(out)).close()
    return report


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """A network before and after conversion; nothing but its graph has been checked.

    Attributes:
        model: by Keras.
        as_float: its probabilities on the agreement windows, all finite.
        float_network: the graph in float.
        network: the quantized one.
        graph: of the latter.
        quantization: of it.
    """

    model: Any
    as_float: Float32
    float_network: bytes
    network: bytes
    graph: Graph
    quantization: Quantization


def converted(
    trained: TrainingOutput, quantization: Quantization = "int8", input_type: InputType = "int8"
) -> Converted:
    """The networks of what training wrote.

    Numbers that are not finite are refused before anything is converted: they end TensorFlow's process.

    Raises:
        BundleError: it answers no finite number, cannot be converted, or its graph is not what the device runs.
    """
    model = load_network(trained.network)
    rebuilt = rebuild(model, trained.specs, len(trained.labels))
    as_float = keras_probabilities(model, trained)
    check_finite(as_float, "Keras")
    check_finite(golden_keras_probabilities(model, trained), "Keras", "golden sounds")
    float_network = to_float(rebuilt)
    network, graph = quantized(rebuilt, trained.calibration, quantization, input_type)
    return Converted(model, as_float, float_network, network, graph, quantization)


def verified(
    trained: TrainingOutput, networks: Converted, *, bounds: Bounds, sounds: Collection[str] | None = None
) -> tuple[dict[str, Any], Bundle]:
    """The conversion report and the bundle of networks that hold every check.

    Raises:
        BundleError: a check does not hold.
    """
    as_float = networks.as_float
    check_translation(translation_error(trained, networks.float_network, as_float), bounds)
    found = _compared(trained, as_float, networks.float_network, networks.network, bounds)
    sizes = {
        "quantization": networks.quantization,
        "float_bytes": len(networks.float_network),
        "network_bytes": len(networks.network),
    }
    report = _report(trained, bounds, networks.graph) | found | sizes
    report["weights_sha256"] = _weights_sha256(networks.model)
    bundle = network_bundle(trained, networks.network, {})
    reference, report["reference"] = stored_reference(bundle, networks.model, trained, as_float)
    bundle = dataclasses.replace(bundle, card=trained.card | {"conversion": report}, reference=reference)
    bundle = _with_golden(bundle, sounds)
    _check_golden(bundle, bounds)
    return report, bundle


def _compared(
    trained: TrainingOutput, as_float: Float32, float_network: bytes, network: bytes, bounds: Bounds
) -> dict[str, Any]:
    """What the report says of the agreement of a converted network with Keras.

    Raises:
        BundleError: they do not agree; the sentence names the worst window and layer.
    """
    as_converted = converted_probabilities(trained, network)
    figures = label_figures(trained.labels, as_float, as_converted, trained.target)
    try:
        check_agreement(figures, bounds)
    except BundleError as error:
        apart = np.abs(as_converted - as_float)
        raise BundleError(f"{error}; {blamed(float_network, network, trained.agreement, apart)}") from None
    shares = saturated_shares(trained, read_graph(network))
    check_saturation(shares, bounds)
    return {
        "agreement": [figure.to_dict() for figure in figures],
        "plain_kernels": plain_kernel_figures(trained, network, as_converted),
        "saturated": [round(share, 6) for share in shares],
    }


def quantized(
    rebuilt: Any, calibration: Sequence[Float32], quantization: Quantization = "int8", input_type: InputType = "int8"
) -> tuple[bytes, Graph]:
    """A network whose graph passed the gate, and that graph.

    TensorFlow 2.21 leaves a split of all zeros (the initial state of an unrolled GRU or LSTM) in float
    in about every second conversion of the same network; so the conversion is repeated before it is refused.

    Raises:
        BundleError: it cannot be converted, or its graph is not wholly int8 in any attempt.
    """
    for attempt in range(_ATTEMPTS):
        network = to_graph(rebuilt, calibration, quantization, input_type)
        graph = read_graph(network)
        try:
            check_graph(graph, is_int8=quantization == "int8")
        except BundleError:
            if attempt + 1 == _ATTEMPTS or not all(one.name in OPERATORS_RUN for one in graph.operations):
                raise
        else:
            break
    return network, graph


def _with_golden(bundle: Bundle, sounds: Collection[str] | None) -> Bundle:
    sounds_by_name = golden_sounds(bundle.sample_rate_hz, bundle.window_samples)
    with Classifier(bundle) as classifier:
        cases = tuple(
            _golden_case(name, samples, bundle, classifier)
            for name, samples in sounds_by_name.items()
            if sounds is None or name in sounds
        )
    return dataclasses.replace(bundle, golden=cases)


def _check_golden(bundle: Bundle, bounds: Bounds) -> None:
    """Check that the golden numbers are reproduced, and nearly so by the plain kernels."""
    Classifier.open(bundle).close()
    with Classifier(bundle, accelerated=False) as plain:
        for case in bundle.golden:
            found = plain.classify(case.features).probabilities
            check_plain_kernels(case.name, float(np.abs(found - case.probabilities).max()), bounds)


def _golden_case(name: str, samples: Float32, bundle: Bundle, classifier: Classifier) -> GoldenCase:
    features = tuple(window_features(spec, samples) for spec in bundle.specs)
    return GoldenCase(name, samples, features, classifier.classify(features).probabilities)


def _weights_sha256(model: Any) -> str:
    """Hash of the trained weights; the `.keras` file's own hash would change with its date."""
    digest = hashlib.sha256()
    for weight in model.weights:
        values = np.ascontiguousarray(np.asarray(weight))
        digest.update(f"{weight.path} {values.dtype.str} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _report(trained: TrainingOutput, bounds: Bounds, graph: Graph) -> dict[str, Any]:
    return {
        "tools": toolchain.versions(),
        "calibration_windows": len(trained.calibration[0]),
        "agreement_windows": len(trained.agreement[0]),
        "operations": graph.counts,
        "bounds": dataclasses.asdict(bounds),
    }
