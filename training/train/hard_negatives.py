"""Hard negatives: training recordings that a network mistakes for a cry; the next training draws them more often."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ, load_clips
from training.mixing.augment import WINDOW_SAMPLES
from training.networks.network_inputs import features
from training.networks.predict import window_probabilities

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.data.clips import LoadedClip

    Float32 = npt.NDArray[np.float32]

HARD_NEGATIVES = "hard_negatives.json"
_HOP_SAMPLES = SAMPLE_RATE_HZ
_MAX_WINDOWS = 60


def find_hard_negatives(network_path: Path, data: Path, work: Path) -> dict[str, float]:
    """The network's highest cry probability for each non-cry of the training part, by file.

    Also writes them as `hard_negatives.json` to `work`, where the next `train` reads them.
    """
    import keras

    network = keras.saving.load_model(network_path, compile=False)
    others = [clip for clip in load_clips(data, "train") if not clip.is_cry]
    found = cry_probabilities(network, others)
    (work / HARD_NEGATIVES).write_text(json.dumps(found, indent=0, sort_keys=True) + "\n")
    return found


def load_hard_negatives(work: Path) -> dict[str, float]:
    """What `find_hard_negatives` wrote to `work`; empty if it was never run."""
    path = work / HARD_NEGATIVES
    found: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def cry_probabilities(network: Any, clips: Sequence[LoadedClip]) -> dict[str, float]:
    """The highest probability over each clip's windows, by file."""
    windows_of = [_windows(clip.samples) for clip in clips]
    inputs = [features(window) for windows in windows_of for window in windows]
    log_mel, mfcc = (np.stack([pair[index] for pair in inputs]).astype(np.float16) for index in range(2))
    parts = np.split(
        window_probabilities(network, log_mel, mfcc), np.cumsum([len(windows) for windows in windows_of])[:-1]
    )
    return {clip.listed.file: round(float(part.max()), 4) for clip, part in zip(clips, parts, strict=True)}


def _windows(samples: Float32) -> Float32:
    """Windows of a recording, a second apart: (n,) -> (windows, WINDOW_SAMPLES)."""
    starts = range(0, max(1, len(samples) - WINDOW_SAMPLES + 1), _HOP_SAMPLES)
    return np.stack([np.resize(samples[s : s + WINDOW_SAMPLES], WINDOW_SAMPLES) for s in list(starts)[:_MAX_WINDOWS]])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder for hard_negatives.json")
    parser.add_argument("--network", type=Path, required=True, metavar="KERAS", help="a trained network")


def run(args: argparse.Namespace) -> int:
    """Find hard negatives, and print the worst twenty."""
    found = find_hard_negatives(args.network, args.data, args.work)
    for file, probability in sorted(found.items(), key=lambda pair: -pair[1])[:20]:
        print(f"{probability:.3f}  {file}")
    return 0
