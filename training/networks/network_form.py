"""What every system's network module offers: the forms that it can be built in, each with its features and labels.

A form is a network of builtin Keras layers alone, so that it trains on any backend, is saved without code, and can be
rebuilt by the converter. Its inputs are one tensor (frames, bins, 1) for each `FeatureSpec`; its first output is
one logit for each label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.hearing.spec import FeatureSpec

Activation = Literal["sigmoid", "softmax"]


@dataclass(frozen=True, slots=True)
class NetworkForm:
    """One form of one system.

    Attributes:
        system: name of the published design, or of a reference.
        form: "published" for the form that was published, "streaming" for the 2 s form that the device runs, or the
            name of an ablation.
        labels: one for each logit, in their order.
        activation: what turns logits into probabilities: "sigmoid" if labels may hold together, "softmax" if exactly
            one holds.
        specs: features of each input, in the order of the inputs.
        build: a fresh network whose weights are drawn with the seed that is given.
    """

    system: str
    form: str
    labels: tuple[str, ...]
    activation: Activation
    specs: tuple[FeatureSpec, ...]
    build: Callable[[int], Any]

    @property
    def name(self) -> str:
        """System and form, as commands and tables name it."""
        return f"{self.system}/{self.form}"


def feature_inputs(specs: tuple[FeatureSpec, ...]) -> list[Any]:
    """One Keras input of (frame_count, bins, 1) for each spec, named `input_0`, `input_1`, ..."""
    import keras

    return [keras.Input((*spec.shape, 1), name=f"input_{index}") for index, spec in enumerate(specs)]
