"""The network's two inputs from a window of sound, as the device computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.hearing.features import computer, finish
from training.networks.residual import LOG_MEL, MFCC

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


def features(samples: Float32) -> tuple[Float32, Float32]:
    """Features of one window: (32000,) -> log-mel (frames, 64) and MFCC (frames, 40)."""
    mel = computer(LOG_MEL).mel(samples)
    return finish(LOG_MEL, mel), finish(MFCC, computer(MFCC).from_mel(mel))
