"""A network's probabilities for many windows, in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.network.probabilities import sigmoid

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


def window_probabilities(network: Any, log_mel: Any, mfcc: Any, batch_windows: int = 64) -> Float32:
    """Windows (n, frames, bins) in half precision -> probabilities (n,)."""
    parts = [
        np.asarray(
            network.predict_on_batch(
                [part[first : first + batch_windows].astype(np.float32)[..., None] for part in (log_mel, mfcc)]
            )
        )[:, 0]
        for first in range(0, len(log_mel), batch_windows)
    ]
    return sigmoid(np.concatenate(parts))
