"""A trained network before its conversion, behind the interface that the device's listener expects of a network."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device.errors import BundleError, MissingExtraError
from device.hearing.classifier import sigmoid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _KerasScores:
    probabilities: Float32


class KerasNetwork:
    """A network as Keras saved it.

    Args:
        path: the `.keras` file: one input of (frames, bins, 1) for each spec, its first output of (labels,).
        bundle: its specs, labels and kind of output: of its converted form or of its description.

    Raises:
        BundleError: the file cannot be loaded, or its inputs or output do not fit the bundle.
        MissingExtraError: Keras is not installed.
    """

    def __init__(self, path: Path, bundle: Bundle) -> None:
        model, tensorflow = _keras_model(path), _tensorflow()
        shapes = [(None, *spec.shape, 1) for spec in bundle.specs]
        found = [tuple(tensor.shape) for tensor in model.inputs]
        outputs = [tuple(tensor.shape) for tensor in model.outputs]
        if found != shapes or outputs[0] != (None, len(bundle.labels)):
            raise BundleError(f"{path} takes {found} and gives {outputs}: {bundle.name} takes {shapes}, one per label")
        self._path = path
        self._is_logits = bundle.output == "logits"
        # One traced graph: called as it is, Keras spends ten times as long on Python as on the network.
        self._run: Any = tensorflow.function(
            lambda *inputs: model(list(inputs) if len(inputs) > 1 else inputs[0], training=False),
            input_signature=[tensorflow.TensorSpec((1, *shape[1:]), tensorflow.float32) for shape in shapes],
        )

    def __repr__(self) -> str:
        return f"KerasNetwork({str(self._path)!r})"

    def classify(self, features: Sequence[Float32]) -> _KerasScores:
        """One (frames, bins) per spec -> a probability per label."""
        outputs = self._run(*(one[None, :, :, None] for one in features))
        scores: Float32 = (outputs[0] if isinstance(outputs, list | tuple) else outputs).numpy()[0]
        return _KerasScores(sigmoid(scores) if self._is_logits else scores)


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Arithmetic in another order would not repeat to the last bit.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingExtraError(
            "TensorFlow is not installed; install the extra: pip install 'auricle[training]'"
        ) from error
    return tf


def _keras_model(path: Path) -> Any:
    _tensorflow()
    import keras

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Keras's own, of numpy's interface
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises anything on a damaged file
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise BundleError(f"{path} cannot be loaded by Keras: {first}") from error
