"""The network's inputs are the device's features."""

from __future__ import annotations

import numpy as np

from device.hearing.features import window_features
from training.networks import residual
from training.networks.network_inputs import features


def test_inputs_of_a_window_equal_the_devices_features() -> None:
    samples = np.random.default_rng(1).normal(0, 0.05, 32_000).astype(np.float32)
    log_mel, mfcc = features(samples)
    assert np.array_equal(log_mel, window_features(residual.LOG_MEL, samples))
    assert np.array_equal(mfcc, window_features(residual.MFCC, samples))
