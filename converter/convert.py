"""From the folder that training wrote to a bundle that was verified, or to the sentence why not."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from converter import toolchain
from converter.figures import LabelFigures, label_figures
from converter.gate import Bounds, check_agreement, check_calibration, check_finite, check_graph, check_translation
from converter.golden import golden_sounds
from converter.graph import read_graph
from converter.quantize import to_float, to_int8
from converter.rebuild import load_network, rebuild
from converter.trained import Trained, read_trained
from device.errors import BundleError, ClassifierError
from device.hearing.bundle import Bundle, read_bundle, write_bundle
from device.hearing.classifier import Classifier, sigmoid
from device.hearing.features import window_features
from device.hearing.golden import GoldenCase

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from converter.graph import Graph

    Float32 = npt.NDArray[np.float32]

_BATCH = 64
_ATTEMPTS = 6
_TRANSLATED_WINDOWS = 64
"""Windows on which the float graph is compared with Keras: a wrong translation is wrong on any."""


def convert(
    folder: Path, out: Path, *, bounds: Bounds | None = None, sounds: Collection[str] | None = None
) -> dict[str, Any]:
    """Write the bundle of a trained network; nothing is written unless every check holds.

    Args:
        folder: what training wrote, see `trained`.
        out: the `.tflite` file to write.
        bounds: of the gate.
        sounds: names of the golden sounds to carry; all of them if None.

    Returns:
        The conversion report, JSON types; it stands in the bundle's card as `conversion`.

    Raises:
        BundleError: a check does not hold.
        OSError: the file cannot be written.
    """
    bounds = bounds or Bounds()
    trained = read_trained(folder)
    check_calibration(len(trained.calibration[0]), bounds)
    model = load_network(trained.network)
    rebuilt = rebuild(model, trained.specs, len(trained.labels))
    as_float = _keras_probabilities(model, trained)
    check_finite(as_float, "Keras")
    float_network = to_float(rebuilt)
    network, graph = quantized(rebuilt, trained.calibration)
    check_translation(_translation(trained, float_network, as_float), bounds)
    figures = label_figures(trained.labels, as_float, _probabilities(trained, network), trained.target)
    check_agreement(figures, bounds)
    sizes = {"float_bytes": len(float_network), "int8_bytes": len(network)}
    report = _report(trained, figures, bounds, graph=graph, sizes=sizes, weights_sha256=_weights_sha256(model))
    bundle = _with_golden(_bundle(trained, network, trained.card | {"conversion": report}), sounds)
    Classifier.open(bundle).close()
    write_bundle(out, bundle)
    Classifier.open(read_bundle(out)).close()
    return report


def quantized(rebuilt: Any, calibration: Sequence[Float32]) -> tuple[bytes, Graph]:
    """An int8 network that passed the gate's look at its graph, and that graph.

    TensorFlow 2.21 leaves a split of all zeros (the initial state of an unrolled GRU or LSTM) in float
    in about every second conversion of one and the same network; it is asked again before it is refused.

    Raises:
        BundleError: it cannot be converted, or its graph is not wholly int8 in any attempt.
    """
    for attempt in range(_ATTEMPTS):
        network = to_int8(rebuilt, calibration)
        graph = read_graph(network)
        try:
            check_graph(graph)
        except BundleError:
            if attempt + 1 == _ATTEMPTS:
                raise
        else:
            break
    return network, graph


def _bundle(trained: Trained, network: bytes, card: dict[str, Any]) -> Bundle:
    """A bundle that has no golden cases yet."""
    return Bundle(
        name=trained.name,
        version=trained.version,
        labels=trained.labels,
        specs=trained.specs,
        output=trained.output,
        network=network,
        golden=(),
        card=card,
    )


def _with_golden(bundle: Bundle, sounds: Collection[str] | None) -> Bundle:
    made = golden_sounds(bundle.sample_rate_hz, bundle.window_samples)
    with Classifier(bundle) as classifier:
        cases = tuple(
            _golden_case(name, samples, bundle, classifier)
            for name, samples in made.items()
            if sounds is None or name in sounds
        )
    return dataclasses.replace(bundle, golden=cases)


def _golden_case(name: str, samples: Float32, bundle: Bundle, classifier: Classifier) -> GoldenCase:
    features = tuple(window_features(spec, samples) for spec in bundle.specs)
    return GoldenCase(name, samples, features, classifier.classify(features).probabilities)


def _keras_probabilities(model: Any, trained: Trained) -> Float32:
    """Of the agreement windows by Keras, before anything was converted: (windows, labels)."""
    pack = toolchain.keras().tree.pack_sequence_as
    parts = []
    for first in range(0, len(trained.agreement[0]), _BATCH):
        inputs = [array[first : first + _BATCH] for array in trained.agreement]
        results = model(pack(model.input, inputs), training=False)
        parts.append(np.asarray(_scores(model, results), np.float32))
    scores = np.concatenate(parts)
    return sigmoid(scores) if trained.output == "logits" else scores


def _scores(model: Any, results: Any) -> Any:
    """The scores among what a Keras model returned."""
    if isinstance(results, dict):
        return results["scores"] if len(results) > 1 else next(iter(results.values()))
    if not isinstance(results, list | tuple):
        return results
    return results[list(model.output_names).index("scores") if len(results) > 1 else 0]


def _probabilities(trained: Trained, network: bytes, windows: Sequence[int] | None = None) -> Float32:
    """Of the agreement windows by a converted network, on the device's runtime: (windows, labels)."""
    chosen = range(len(trained.agreement[0])) if windows is None else windows
    try:
        with Classifier(_bundle(trained, network, {})) as classifier:
            rows = [
                classifier.classify([array[window, :, :, 0] for array in trained.agreement]).probabilities
                for window in chosen
            ]
    except ClassifierError as error:
        raise BundleError(f"the converted network fails on an agreement window: {error}") from None
    return np.stack(rows)


def _translation(trained: Trained, float_network: bytes, as_float: Float32) -> float:
    """Largest difference in probability between Keras and the float graph."""
    windows = np.linspace(0, len(as_float) - 1, min(_TRANSLATED_WINDOWS, len(as_float))).astype(int)
    return float(np.abs(_probabilities(trained, float_network, windows.tolist()) - as_float[windows]).max())


def _weights_sha256(model: Any) -> str:
    """Names the trained weights; the `.keras` file's own hash would change with its date."""
    digest = hashlib.sha256()
    for weight in model.weights:
        values = np.ascontiguousarray(np.asarray(weight))
        digest.update(f"{weight.path} {values.dtype.str} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _report(
    trained: Trained,
    figures: Sequence[LabelFigures],
    bounds: Bounds,
    *,
    graph: Graph,
    sizes: dict[str, int],
    weights_sha256: str,
) -> dict[str, Any]:
    return {
        "tools": toolchain.versions(),
        "weights_sha256": weights_sha256,
        "calibration_windows": len(trained.calibration[0]),
        "agreement_windows": len(trained.agreement[0]),
        **sizes,
        "operations": graph.counts,
        "agreement": [figure.to_dict() for figure in figures],
        "bounds": dataclasses.asdict(bounds),
    }
