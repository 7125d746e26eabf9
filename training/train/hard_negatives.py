"""Which training recordings a network mistakes for a cry, so that the next stage hears them more often."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.data.clips import load_clips
from training.mixing.augment import WINDOW_SAMPLES
from training.networks.predict import scored
from training.train.batches import features

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.data.clips import Clip

    Float32 = npt.NDArray[np.float32]

MINED = "mined.json"
_HOP_SAMPLES = 16_000
_MOST_WINDOWS = 60


def mine(network_path: Path, data: Path, work: Path) -> dict[str, float]:
    """How surely the network takes each other sound of the training part for a cry, 0 to 1, by file.

    Leaves them as `mined.json` in `work`, where the next `train` finds them.
    """
    import keras

    network = keras.saving.load_model(network_path, compile=False)
    others = [clip for clip in load_clips(data, "train") if not clip.is_cry]
    mined = suspicions(network, others)
    (work / MINED).write_text(json.dumps(mined, indent=0, sort_keys=True) + "\n")
    return mined


def load_mined(work: Path) -> dict[str, float]:
    """What `mine` left in `work`; nothing where it was never run."""
    path = work / MINED
    mined: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    return mined


def suspicions(network: Any, clips: Sequence[Clip]) -> dict[str, float]:
    """The highest probability over each clip's windows, by file."""
    cut = [_windows(clip.samples) for clip in clips]
    heard = [features(window) for windows in cut for window in windows]
    log_mel, mfcc = (np.stack([pair[index] for pair in heard]).astype(np.float16) for index in range(2))
    parts = np.split(scored(network, log_mel, mfcc), np.cumsum([len(windows) for windows in cut])[:-1])
    return {clip.listed.file: round(float(part.max()), 4) for clip, part in zip(clips, parts, strict=True)}


def _windows(samples: Float32) -> Float32:
    """Windows of a recording, a second apart: (n,) -> (windows, WINDOW_SAMPLES)."""
    starts = range(0, max(1, len(samples) - WINDOW_SAMPLES + 1), _HOP_SAMPLES)
    return np.stack([np.resize(samples[s : s + WINDOW_SAMPLES], WINDOW_SAMPLES) for s in list(starts)[:_MOST_WINDOWS]])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder for mined.json")
    parser.add_argument("--network", type=Path, required=True, metavar="KERAS", help="a trained network")


def run(args: argparse.Namespace) -> int:
    """Mine, and print the worst twenty."""
    mined = mine(args.network, args.data, args.work)
    for file, probability in sorted(mined.items(), key=lambda pair: -pair[1])[:20]:
        print(f"{probability:.3f}  {file}")
    return 0
