"""Recordings for the tone network: `tone`, a tone of 1 kHz in noise, and `other`, a higher one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 16_000
WINDOW_S = 2
FILES = 4
HZ = {"tone": 1000.0, "other": 4000.0}


def write_sounds(folder: Path, rng: np.random.Generator, *, windows: int) -> None:
    """Four files of each class, of so many windows together in every other of them."""
    for name, hz in HZ.items():
        (folder / name).mkdir(parents=True)
        for ordinal in range(FILES):
            seconds = np.arange(windows // (FILES // 2) * WINDOW_S * RATE_HZ) / RATE_HZ
            loudness = 10 ** np.repeat(rng.uniform(-1.2, -0.1, len(seconds) // RATE_HZ), RATE_HZ)
            sound = loudness * np.sin(2 * np.pi * hz * seconds) + rng.normal(0.0, 0.003, len(seconds))
            soundfile.write(folder / name / f"{ordinal}.flac", np.clip(sound, -1, 1), RATE_HZ)
