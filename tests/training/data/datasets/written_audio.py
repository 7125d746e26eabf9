"""Audio for the tests of readers: silence of a length, written where it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from pathlib import Path


def write_audio(file: Path, duration_s: float = 2.0) -> Path:
    """Digital silence at 8 kHz; the folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, np.zeros(round(duration_s * 8_000), np.float32), 8_000)
    return file


def write_text(file: Path, text: str) -> Path:
    """A text file; the folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file
