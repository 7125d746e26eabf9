"""The reference scores that a bundle carries: Keras's answers to windows that the device can rebuild."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.predictions import keras_probabilities
from device.errors import BundleError
from device.hearing.bundle.reference import SEQUENCE, WINDOWS, Reference, in_bytes, kept_count
from device.hearing.classifier import Classifier
from device.runtime.model_library import reference_agreement

if TYPE_CHECKING:
    import numpy.typing as npt

    from converter.training_output import TrainingOutput
    from device.hearing.bundle.contents import Bundle

    Float32 = npt.NDArray[np.float32]


def stored_reference(
    bundle: Bundle, model: Any, trained: TrainingOutput, as_float: Float32
) -> tuple[Reference | None, dict[str, Any]]:
    """The reference scores if the bundle holds the device's limits on them, and what the report says of them.

    Turned windows are harder than recordings. A network that agrees on the recordings and not on them is sound, so
    the bundle then has no reference scores, and the report says so.
    """
    reference = reference_scores(model, trained, as_float)
    with Classifier(dataclasses.replace(bundle, reference=reference)) as classifier:
        try:
            found = reference_agreement(dataclasses.replace(bundle, reference=reference), classifier)
        except BundleError as error:
            return None, {"stored": False, "reason": str(error)}
    return reference, {"stored": True, "agreement": [dataclasses.asdict(figure) for figure in found]}


def reference_scores(model: Any, trained: TrainingOutput, as_float: Float32) -> Reference:
    """Of agreement windows from the lowest score to the highest, so that no class is missing.

    Args:
        model: the Keras network.
        trained: gives the windows.
        as_float: its probabilities for them, (windows, labels).
    """
    ranked = np.argsort(as_float[:, 0], kind="stable")
    count = min(kept_count(trained.specs), len(ranked))
    chosen = ranked[np.linspace(0, len(ranked) - 1, count).astype(int)]
    features, ranges = in_bytes([array[chosen, :, :, 0] for array in trained.agreement])
    names = tuple(label.name for label in trained.labels)
    thresholds = np.array([label.operating_point.on for label in trained.labels], np.float32)
    blank = Reference(features, ranges, np.zeros((0, len(names)), np.float32), thresholds, names)
    inputs = tuple(window[..., None] for window in blank.windows())
    numbers = None if trained.agreement_sequence is None else np.arange(WINDOWS) // SEQUENCE
    asked = dataclasses.replace(trained, agreement=inputs, agreement_sequence=numbers)
    answers = keras_probabilities(model, asked)
    return dataclasses.replace(blank, probabilities=np.clip(answers, 0, 1).astype(np.float32))
