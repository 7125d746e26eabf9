"""A network's probabilities, window by window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.networks.predict import window_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


class FirstBin:
    """Its logit is the first bin of the log-mel input; remembers how many windows came at once."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def predict_on_batch(self, inputs: Sequence[Float32]) -> Float32:
        log_mel, mfcc = inputs
        assert log_mel.dtype == mfcc.dtype == np.float32
        assert log_mel.shape[3] == mfcc.shape[3] == 1
        self.batches.append(len(log_mel))
        return log_mel[:, 0, 0]


@pytest.mark.parametrize("batch_windows", [1, 3, 64])
def test_every_window_is_scored_in_order_whatever_the_batches(batch_windows: int) -> None:
    network, logits = FirstBin(), np.linspace(-3, 3, 7)
    log_mel = np.tile(logits[:, None, None], (1, 62, 64)).astype(np.float16)
    found = window_probabilities(network, log_mel, np.zeros((7, 62, 40), np.float16), batch_windows)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-logits.astype(np.float16).astype(float))), rtol=1e-6)
    assert sum(network.batches) == 7
    assert max(network.batches) == min(batch_windows, 7)
