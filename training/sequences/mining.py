"""`python -m training mine-sequences`: what a fitted network mistakes for an event, among recordings that hold none.

Every recording of the training part is heard from a past of zeros, as the device hears a file. The highest
probability of an event that the recording is known not to hold stands in MINED, by file, for `mix --mined`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.network.probabilities import sigmoid
from training.networks.audioset.second_network import PAST_STEPS, SPEC, divided
from training.networks.audioset_teacher import LiteTeacher
from training.sequences.drawing import EMBEDDER, MARKER, Embedder, seconds_of
from training.sequences.fitted_parts import load_parts
from training.sequences.material import load_material
from training.sequences.sound_kinds import EVENTS
from training.sequences.work_terms import is_free_only, refuse_other_terms

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.sequences.material import SequenceSound

    Float32 = npt.NDArray[np.float32]


_BATCH = 256


def highest_false(sound: SequenceSound, logits: Float32) -> float:
    """The highest probability of an event that a recording is known not to hold; 0 if it may hold all.

    Args:
        sound: the recording.
        logits: of its hops (hops, labels).
    """
    absent = [o for o in range(len(EVENTS)) if not (sound.present[o].any() or sound.unknown[o].any())]
    return float(sigmoid(logits[:, absent]).max(initial=0.0)) if absent else 0.0


def early_of(samples: Float32, embedder: Embedder) -> npt.NDArray[np.float16]:
    """What the early blocks give for each hop of a sound: (n,) -> (hops, time, frequency, channels).

    A sound shorter than a window is repeated, as the device does.
    """
    heard = samples if len(samples) >= SPEC.window_samples else np.resize(samples, SPEC.window_samples)
    return np.stack([embedder.run(second)[0] for second in seconds_of(heard)]).astype(np.float16)


def logits_of(early: Sequence[npt.NDArray[np.float16]], late: Any, head: Any) -> list[Float32]:
    """What a fitted network says of each hop of some sounds, each from a past of zeros: one (hops, labels) each."""
    embeddings = late.predict(np.concatenate(early), batch_size=_BATCH, verbose=0)
    # One long sequence: between two sounds stand as many zeros as a past holds, and what they score is left out.
    gap = np.zeros((PAST_STEPS, embeddings.shape[1]), np.float32)
    ends = np.cumsum([len(one) for one in early])
    pieces = np.split(embeddings, ends[:-1])
    scored = head.predict(np.concatenate([part for piece in pieces for part in (gap, piece)])[None], verbose=0)[0]
    starts = [end - len(one) + PAST_STEPS * place for place, (end, one) in enumerate(zip(ends, early, strict=True))]
    return [scored[start : start + len(one)] for start, one in zip(starts, early, strict=True)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--run", type=Path, required=True, metavar="RUN", help="folder that `fit` wrote")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder that `mix` wrote")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--out", type=Path, required=True, metavar="MINED", help="JSON file for the probabilities")


def run(args: argparse.Namespace) -> int:
    """Hear all recordings without an event, and print the worst."""
    backbone, head = load_parts(args.run)
    _, late = divided(backbone)
    embedder = Embedder(args.work / EMBEDDER)
    refuse_other_terms(args.run, args.work)
    marker, free_only = LiteTeacher(args.work / MARKER), is_free_only(args.work)
    material = load_material(args.data, "train", marker, mined={}, free_only=free_only)
    sounds = [sound for group in material.others for sound in group.sounds]
    logits = logits_of([early_of(sound.samples, embedder) for sound in sounds], late, head)
    mined = {sound.file: round(highest_false(sound, one), 4) for sound, one in zip(sounds, logits, strict=True)}
    args.out.write_text(json.dumps(mined, indent=1) + "\n", encoding="utf-8")
    for file, probability in sorted(mined.items(), key=lambda item: -item[1])[:20]:
        print(f"{probability:.3f} {file}")
    return 0
