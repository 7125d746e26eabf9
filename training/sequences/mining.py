"""`python -m training mine-sequences`: what a fitted network mistakes for an event, among recordings that hold none.

Every recording of the training part is heard from a past of zeros, as the device hears a file. The highest
probability of an event that the recording is known not to hold stands in MINED, by file, for `mix --mined`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.classifier import sigmoid
from training.networks.audioset.second_network import PAST_STEPS, SPEC, divided
from training.networks.audioset_teacher import LiteTeacher
from training.sequences.drawing import EMBEDDER, MARKER, Embedder, seconds_of
from training.sequences.fitting import BACKBONE, HEAD
from training.sequences.material import load_material
from training.sequences.sound_kinds import EVENTS

if TYPE_CHECKING:
    import argparse

    import numpy.typing as npt

    from training.sequences.material import SequenceSound

    Float32 = npt.NDArray[np.float32]


_BATCH = 64


def highest_false(sound: SequenceSound, logits: Float32) -> float:
    """The highest probability of an event that a recording is known not to hold; 0 if it may hold all.

    Args:
        sound: the recording.
        logits: of its hops (hops, labels).
    """
    absent = [o for o in range(len(EVENTS)) if not (sound.present[o].any() or sound.unknown[o].any())]
    return float(sigmoid(logits[:, absent]).max(initial=0.0)) if absent else 0.0


def logits_of(samples: Float32, embedder: Embedder, late: Any, head: Any) -> Float32:
    """What a fitted network says of each hop: (n,) -> (hops, labels). A sound shorter than a window is repeated."""
    heard = samples if len(samples) >= SPEC.window_samples else np.resize(samples, SPEC.window_samples)
    early = np.stack([embedder.run(second)[0] for second in seconds_of(heard)])
    embeddings = np.concatenate(
        [np.asarray(late(early[at : at + 64], training=False)) for at in range(0, len(early), 64)]
    )
    past = np.pad(embeddings, ((PAST_STEPS, 0), (0, 0)))[None]
    logits: Float32 = np.asarray(head(past, training=False))[0]
    return logits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--run", type=Path, required=True, metavar="RUN", help="folder that `fit` wrote")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder that `mix` wrote")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--out", type=Path, required=True, metavar="MINED", help="JSON file for the probabilities")


def run(args: argparse.Namespace) -> int:
    """Hear all recordings without an event, and print the worst."""
    import keras

    backbone = keras.saving.load_model(args.run / BACKBONE, compile=False)
    head = keras.saving.load_model(args.run / HEAD, compile=False)
    _, late = divided(backbone)
    embedder = Embedder(args.work / EMBEDDER)
    material = load_material(args.data, "train", LiteTeacher(args.work / MARKER), mined={})
    mined = {
        sound.file: round(highest_false(sound, logits_of(sound.samples, embedder, late, head)), 4)
        for group in material.others
        for sound in group.sounds
    }
    args.out.write_text(json.dumps(mined, indent=1) + "\n", encoding="utf-8")
    for file, probability in sorted(mined.items(), key=lambda item: -item[1])[:20]:
        print(f"{probability:.3f} {file}")
    return 0
