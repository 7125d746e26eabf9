"""Golden feature vectors of five signals that break feature code; refreshed only on purpose.

    python tests/device/hearing/golden_features.py --write

Every eighth frame is kept: a change of one number changes it in every frame.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.features import window_features
from device.hearing.spec import FeatureSpec

if TYPE_CHECKING:
    import numpy.typing as npt

PATH = Path(__file__).parent / "golden" / "features.npz"
KEPT = slice(None, None, 8)
LOG_MEL = FeatureSpec(16000, 32000, 1024, 1024, 500, n_mels=64)
SPECS = {
    "log_mel": LOG_MEL,
    "mfcc": FeatureSpec(16000, 32000, 1024, 1024, 500, n_mels=64, n_mfcc=40),
    "htk": FeatureSpec(
        16000, 32000, 400, 512, 160, window="hamming", window_periodic=False, window_placement="start",
        pre_emphasis=0.97, pre_emphasis_in="frame", n_mels=26, mel_scale="htk", triangles_in="mel", mel_norm="none",
        log="ln", n_mfcc=13, dct_norm="htk", lifter=22, energy=True, deltas=2, delta_width=5,
        normalization="standardize_bins",
    ),
    "lungs": FeatureSpec(4000, 8000, 256, 256, 100, n_mels=32, f_max_hz=2000.0, normalization="min_max"),
}  # fmt: skip


def signals(samples: int) -> dict[str, npt.NDArray[np.float32]]:
    """Silence, noise, sine, click and full-scale clipping: float32 (samples,) each."""
    n = np.arange(samples)
    noise = np.random.default_rng(2).standard_normal(samples)
    click = np.zeros(samples)
    click[samples // 2] = 1.0
    cases = {
        "silence": np.zeros(samples),
        "noise": 0.1 * noise,
        "sine": 0.5 * np.sin(2 * np.pi * 0.0625 * n),
        "click": click,
        "clipping": np.clip(30 * np.sin(2 * np.pi * 0.03 * n) + noise, -1.0, 1.0),
    }
    return {name: signal.astype(np.float32) for name, signal in cases.items()}


def computed() -> dict[str, npt.NDArray[np.float32]]:
    """`spec/signal` -> every eighth frame of its features."""
    return {
        f"{name}/{case}": window_features(spec, signal)[KEPT]
        for name, spec in SPECS.items()
        for case, signal in signals(spec.window_samples).items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="replace the committed vectors")
    parser.parse_args()
    arrays: dict[str, Any] = dict(computed())
    np.savez_compressed(PATH, **arrays)
