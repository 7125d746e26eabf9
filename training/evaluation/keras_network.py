"""A trained network before its conversion, behind the interface that the device's listener expects of a network."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import BundleError, MissingExtraError
from device.hearing.network.check import SCORES
from device.hearing.network.parts import NEXT_PAST, PAST
from device.hearing.network.probabilities import sigmoid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class _KerasScores:
    probabilities: Float32
    next_past: Float32 | None = None


class KerasNetwork:
    """A network as Keras saved it.

    Args:
        path: the `.keras` file: one input of (frames, bins, 1) for each spec, its first output of (labels,); or one
            that carries its past, with the input `past` and the outputs `scores` and `next_past`.
        bundle: its specs, labels and kind of output: of its converted form or of its description.

    Raises:
        BundleError: the file cannot be loaded, or its inputs or output do not fit the bundle.
        MissingExtraError: Keras is not installed.
    """

    def __init__(self, path: Path, bundle: Bundle) -> None:
        model, tensorflow = _keras_model(path), _tensorflow()
        shapes = [(None, *spec.shape, 1) for spec in bundle.specs]
        past = [tensor for tensor in model.inputs if tensor.name == PAST]
        places = _output_places(model) if past else {SCORES: 0}
        found = [tuple(tensor.shape) for tensor in model.inputs if tensor.name != PAST]
        outputs = [tuple(tensor.shape) for tensor in model.outputs]
        if found != shapes or outputs[places[SCORES]] != (None, len(bundle.labels)):
            raise BundleError(f"{path} takes {found} and gives {outputs}: {bundle.name} takes {shapes}, one per label")
        self._path = path
        self._is_logits = bundle.output == "logits"
        self._places, self._inputs = places, [tensor.name for tensor in model.inputs]
        self._none_before = np.zeros((1, *past[0].shape[1:]), np.float32) if past else None
        # One traced graph: called as it is, Keras spends ten times as long on Python as on the network.
        self._run: Any = tensorflow.function(
            lambda *inputs: model(list(inputs) if len(inputs) > 1 else inputs[0], training=False),
            input_signature=[tensorflow.TensorSpec((1, *each.shape[1:]), tensorflow.float32) for each in model.inputs],
        )

    def __repr__(self) -> str:
        return f"KerasNetwork({str(self._path)!r})"

    def classify(self, features: Sequence[Float32]) -> _KerasScores:
        """One (frames, bins) per spec, with no window before -> a probability per label."""
        return self.classify_after(features, None)

    def classify_after(self, features: Sequence[Float32], past: Float32 | None) -> _KerasScores:
        """As `classify`, with what the window before left: (steps, size)."""
        inputs = [one[None, :, :, None] for one in features]
        if self._none_before is not None:
            given = self._none_before if past is None else past[None]
            inputs.insert(self._inputs.index(PAST), given)
        outputs = _flat(self._run(*inputs))
        scores: Float32 = outputs[self._places[SCORES]].numpy()[0]
        after = outputs[self._places[NEXT_PAST]].numpy()[0] if NEXT_PAST in self._places else None
        return _KerasScores(sigmoid(scores) if self._is_logits else scores, after)


def _output_places(model: Any) -> dict[str, int]:
    """Where each output stands among all; those of a dictionary stand in the order of their names."""
    names = sorted(model.output) if isinstance(model.output, dict) else model.output_names
    places = {str(name): place for place, name in enumerate(names)}
    if not {SCORES, NEXT_PAST} <= set(places):
        raise BundleError(f"a network with an input {PAST!r} gives {SCORES} and {NEXT_PAST}, this one {sorted(places)}")
    return places


def _flat(results: Any) -> list[Any]:
    if isinstance(results, dict):
        return [results[name] for name in sorted(results)]
    return list(results) if isinstance(results, list | tuple) else [results]


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
