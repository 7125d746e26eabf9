"""A collection of a few seconds that every task can learn from: its sounds are synthesized, its subjects many."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RATE_HZ = 16_000
SECONDS = 2.1
PARTS = {"train": 12, "val": 8, "test": 8}
BREATHS = ("Normal", "Wheeze", "Fine Crackle", "Wheeze+Crackle")
CLIPS = ("cry|hungry", "scream|tired")
COLUMNS = ("file", "set", "labels", "subject", "session", "split", "sr", "duration", "source_file", "events", "note")


def write_collection(folder: Path, parts: dict[str, int] | None = None) -> tuple[Path, Path]:
    """Write `folder/sounds` and `folder/split.csv`; their paths."""
    sounds, split = folder / "sounds", folder / "split.csv"
    sounds.mkdir(parents=True)
    rng = np.random.default_rng(1)
    rows, assigned = [], []
    for part, count in (parts or PARTS).items():
        for number in range(count):
            name, subject = f"{part}{number}.wav", f"{part}-{number // 4}"
            soundfile.write(sounds / name, _sound(number, rng), RATE_HZ)
            events = json.dumps([[0.0, SECONDS, BREATHS[number % 4]]])
            rows.append((name, "small", CLIPS[number % 2], subject, "", "", RATE_HZ, SECONDS, "", events, ""))
            assigned.append((name, subject, part))
    _write(sounds / "manifest.csv", COLUMNS, rows)
    _write(split, ("file", "subject", "part"), assigned)
    return sounds, split


def _sound(number: int, rng: np.random.Generator) -> np.ndarray:
    """A tone whose pitch tells the labels, in noise."""
    times_s = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    return 0.3 * np.sin(2 * np.pi * (200 + 200 * (number % 4)) * times_s) + rng.normal(0, 0.05, len(times_s))


def _write(path: Path, columns: tuple[str, ...], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows([columns, *rows])
