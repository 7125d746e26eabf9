"""A running average of a network's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


class WeightAverage:
    """Averages weights over recent steps, which generalizes better than the last weights alone."""

    def __init__(self, weights: Sequence[Float32], decay: float, *, steps: int = 0) -> None:
        self._average = [weight.copy() for weight in weights]
        self._decay = decay
        self._steps = steps

    def add(self, weights: Sequence[Float32]) -> None:
        """Move the average towards the weights; early steps move it further."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10))
        for average, weight in zip(self._average, weights, strict=True):
            np.add(average, (1 - decay) * (weight - average), out=average)

    @property
    def weights(self) -> list[Float32]:
        """The current average."""
        return self._average
