"""A rebuilt Keras network as a TensorFlow Lite graph: in full INT8, or otherwise.

`from_keras_model` alone: converting a concrete function or a saved model gives a graph of
READ_VARIABLE ops that runs and returns NaN. Weights are quantized per channel; inputs and outputs
are int8 as well, unless float is asked for: the device maps them by scale and zero point itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from converter import toolchain
from device.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Calibration = Sequence[Float32] | Mapping[str, Float32]
    """What sets the ranges: (n, ...) for `input_0`, `input_1`, ..., or for each input by name."""


Quantization = Literal["int8", "selective", "dynamic", "float16", "float32"]
"""All in int8; all but some layers; weights alone in int8; weights alone in half precision; nothing."""

InputType = Literal["int8", "float32"]


def to_graph(model: Any, calibration: Calibration, quantization: Quantization, input_type: InputType) -> bytes:
    """The graph, quantized as is asked for; `input_type` concerns int8 alone, others have float inputs.

    Raises:
        BundleError: TensorFlow cannot convert it.
    """
    match quantization:
        case "int8":
            return to_int8(model, calibration, input_type)
        case "float32":
            return to_float(model)
    tf = toolchain.tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return _converted(converter, quantization)


def to_float(model: Any) -> bytes:
    """The float graph, which separates errors of translation from those of quantization.

    Raises:
        BundleError: TensorFlow cannot convert it.
    """
    converter = toolchain.tensorflow().lite.TFLiteConverter.from_keras_model(model)
    return _converted(converter, "float32")


def to_int8(model: Any, calibration: Calibration, input_type: InputType = "int8") -> bytes:
    """The graph in full INT8.

    Args:
        model: from `rebuild`.
        calibration: sets the ranges.
        input_type: of inputs and outputs.

    Raises:
        BundleError: TensorFlow cannot convert it.
    """
    tf = toolchain.tensorflow()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _windows(calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = getattr(tf, input_type)
    return _converted(converter, "int8")


def to_selective(model: Any, calibration: Calibration, kept: Sequence[str]) -> bytes:
    """The graph in INT8 with some layers, inputs and outputs in float.

    Args:
        model: from `rebuild`.
        calibration: sets the ranges.
        kept: names of the layers' tensors, as in the graph in full INT8.

    Raises:
        BundleError: TensorFlow cannot convert it.
    """
    tf = toolchain.tensorflow()
    try:
        with toolchain.quietly():
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: _windows(calibration)
            options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=list(kept))
            debugger = tf.lite.experimental.QuantizationDebugger(
                converter=converter, debug_dataset=lambda: _windows(calibration), debug_options=options
            )
            return bytes(debugger.get_nondebug_quantized_model())
    except Exception as error:  # TensorFlow raises whatever its passes raise
        raise _refused("selective", error) from error


def _windows(calibration: Calibration) -> Iterator[dict[str, Float32]]:
    named = calibration if isinstance(calibration, Mapping) else by_input(calibration)
    for ordinal in range(len(next(iter(named.values())))):
        yield {name: array[ordinal : ordinal + 1] for name, array in named.items()}


def by_input(arrays: Sequence[Float32]) -> dict[str, Float32]:
    """Arrays under the names of a network's inputs."""
    return {f"input_{ordinal}": array for ordinal, array in enumerate(arrays)}


def _converted(converter: Any, kind: str) -> bytes:
    try:
        with toolchain.quietly():
            return bytes(converter.convert())
    except Exception as error:  # TensorFlow raises whatever its passes raise
        raise _refused(kind, error) from error


def _refused(kind: str, error: Exception) -> BundleError:
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return BundleError(f"TensorFlow cannot convert the network to {kind}: {first}")
