"""What every system's network module offers: the forms that it can be built in, each with its features and labels.

A form is a network of builtin Keras layers alone, so that it trains on any backend, is saved without code, and can be
rebuilt by the converter. Its inputs are one tensor (frames, bins, 1) for each `FeatureSpec`; its first output is
one logit for each label, by a dense layer named `logits`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.hearing.network.attention import AttentionOutputs
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
        attention: the outputs that hold its attention; None if it has none.
    """

    system: str
    form: str
    labels: tuple[str, ...]
    activation: Activation
    specs: tuple[FeatureSpec, ...]
    build: Callable[[int], Any]
    attention: AttentionOutputs | None = None

    @property
    def name(self) -> str:
        """System and form, as commands and tables name it."""
        return f"{self.system}/{self.form}"

    def with_labels(self, labels: tuple[str, ...], activation: Activation) -> NetworkForm:
        """The same network for another task: a logit for each of `labels`; all else keeps its shape."""
        build = (
            self.build if len(labels) == len(self.labels) else lambda seed: _relabelled(self.build(seed), len(labels))
        )
        return replace(self, labels=labels, activation=activation, build=build)

    def with_specs(self, specs: tuple[FeatureSpec, ...]) -> NetworkForm:
        """The same network on features of equal shapes, such as those whose standardization was learned.

        Raises:
            ValueError: a shape differs.
        """
        found, needed = [spec.shape for spec in specs], [spec.shape for spec in self.specs]
        if found != needed:
            raise ValueError(f"{self.name} takes features of {needed}, not of {found}")
        return replace(self, specs=specs)


def feature_inputs(specs: tuple[FeatureSpec, ...]) -> list[Any]:
    """One Keras input of (frame_count, bins, 1) for each spec, named `input_0`, `input_1`, ..."""
    import keras

    return [keras.Input((*spec.shape, 1), name=f"input_{index}") for index, spec in enumerate(specs)]


def _relabelled(network: Any, count: int) -> Any:
    """The network with `count` logits, drawn anew, in the place of its own."""
    import keras

    logits = keras.layers.Dense(count, name="logits")(network.get_layer("logits").input)
    outputs = [logits, *network.outputs[1:]]
    return keras.Model(network.input, outputs if len(outputs) > 1 else logits, name=network.name)
