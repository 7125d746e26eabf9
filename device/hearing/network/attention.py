"""What a network attends to: the scores of its attention, which are outputs beside its labels, as shares of a window.

The outputs are scores before their softmax: in eight bits a softmax has steps of 1/256, which leaves a window of 62
frames about four different weights. Here the softmax is taken in float. A network scores its frames, and it may score
the bands within each frame too. Knows no network and no file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import BundleError
from device.hearing.features import band_edges_hz
from device.hearing.network.probabilities import softmax
from device.messages import Attended
from device.strict_json import members

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]

SECONDS, HERTZ = "s", "Hz"
_AXES = ([SECONDS], [SECONDS, HERTZ])


@dataclass(frozen=True, slots=True)
class AttentionOutputs:
    """The outputs that hold a network's attention.

    Attributes:
        over_time: name of the scores of the frames (frames,).
        over_bands: name of the scores of the bands in each frame (frames, bands); None if it attends to time alone.
    """

    over_time: str
    over_bands: str | None = None

    def shapes(self, spec: FeatureSpec) -> dict[str, tuple[int, ...]]:
        """Name -> shape of each output with the batch axis, for a network of one input."""
        found: dict[str, tuple[int, ...]] = {self.over_time: (1, spec.frame_count)}
        return found if self.over_bands is None else found | {self.over_bands: (1, spec.frame_count, spec.static_bins)}

    def shares(self, outputs: Mapping[str, Float32], bands: int) -> Float32:
        """The share of the attention on each frame and band (frames, bands), or (n, frames, bands) of n windows.

        It sums to 1. A frame's share is divided among its bands by their scores, or evenly.
        """
        over_time = softmax(outputs[self.over_time])[..., None]
        if self.over_bands is None:
            return np.asarray(np.repeat(over_time / bands, bands, axis=-1), np.float32)
        return np.asarray(over_time * softmax(outputs[self.over_bands]), np.float32)


class AttentionReader:
    """Reads the attention of one model from the outputs of its network, and says where in time and frequency it lies.

    Args:
        model: its name.
        outputs: that hold it.
        spec: of the features of its input.
    """

    def __init__(self, model: str, outputs: AttentionOutputs, spec: FeatureSpec) -> None:
        self._model, self._outputs, self._bands = model, outputs, spec.static_bins
        middle = 0.0 if spec.centre else spec.span / 2
        self._frame_s = (np.arange(spec.frame_count) * spec.hop + middle) / spec.sample_rate_hz
        self._edges_hz = band_edges_hz(spec)

    def __repr__(self) -> str:
        return f"AttentionReader({self._model!r}, {self._outputs!r})"

    def read(self, outputs: Mapping[str, Float32], start_s: float) -> Attended:
        """The attention in a window that starts at so many seconds."""
        shares = self._outputs.shares(outputs, self._bands)
        return Attended(self._model, shares, start_s + self._frame_s, self._edges_hz)


def attention_to_json(outputs: AttentionOutputs) -> list[dict[str, Any]]:
    """As JSON types: each output with its axes."""
    found = [{"output": outputs.over_time, "axes": [SECONDS]}]
    return found if outputs.over_bands is None else [*found, {"output": outputs.over_bands, "axes": [SECONDS, HERTZ]}]


def attention_from_json(value: Any, where: str) -> AttentionOutputs:
    """What `attention_to_json` described.

    Args:
        value: JSON.
        where: names it in an error's sentence.

    Raises:
        BundleError: it is anything else.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= len(_AXES):
        raise BundleError(f"{where} must be a list of one output, or of two")
    items = [members(item, where, {"output": str, "axes": list}) for item in value]
    for item, axes in zip(items, _AXES, strict=False):
        if item["axes"] != axes:
            raise BundleError(f"{where}: output {item['output']!r:.60} has axes {item['axes']!r:.60}, must be {axes}")
    names = [str(item["output"]) for item in items]
    if len(set(names)) != len(names):
        raise BundleError(f"{where} names the output {names[0]!r:.60} twice")
    return AttentionOutputs(*names)
