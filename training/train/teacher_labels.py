"""The command `python -m training teach`: marks the cries and trains the soft labeller, in a work folder.

It reads the training part and, to mark its cries, the validation part.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from training.data.activity_marks import ACTIVITY, load_activity, save_activity
from training.data.clips import SAMPLE_RATE_HZ, load_clips, load_impulse_responses
from training.mixing.augment import AugmentSettings
from training.mixing.sampling import build_palette
from training.mixing.signal import STEP_SAMPLES
from training.networks.audioset_teacher import LiteTeacher, convert
from training.train.cry_marking import MarkingSettings, mark_cries
from training.train.soft_labels import SoftLabelSettings, train_soft_labeller

if TYPE_CHECKING:
    import argparse

SOFT_LABELLER = "soft_labeller.npz"
TEACHER = "teacher_2s.tflite"
"""What `teach` leaves in its folder beside the marks: the soft labeller, and the teacher for windows of two seconds."""


def teach(weights: Path, data: Path, work: Path, *, seed: int) -> None:
    """Mark the cries and train the soft labeller; everything is written to `work`.

    Args:
        weights: the teacher's published weights.
        data: folder of the collections.
        work: folder for `active.npz`, `soft_labeller.npz` and the teacher's LiteRT form.
        seed: of the mixed windows and of the soft labeller.
    """
    seconds, windows = work / "teacher_1s.tflite", work / TEACHER
    seconds.write_bytes(convert(weights, frames=100))
    windows.write_bytes(convert(weights, frames=200))
    clips = load_clips(data, "train")
    active = mark_cries(LiteTeacher(seconds), clips, load_clips(data, "val"), MarkingSettings())
    save_activity(work / ACTIVITY, active)
    palette = build_palette(clips, active, load_impulse_responses(data, "train"), {})
    labeller = train_soft_labeller(
        LiteTeacher(windows), palette, augment=AugmentSettings(), settings=SoftLabelSettings(), seed=seed
    )
    labeller.save(work / SOFT_LABELLER)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--weights", type=Path, required=True, metavar="NPZ", help="the teacher's audioset_mn04.npz")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder for marks and soft labeller")
    parser.add_argument("--seed", type=int, default=1, help="of the mixed windows and of the soft labeller (default 1)")


def run(args: argparse.Namespace) -> int:
    """Mark and train, and print how much of the cry clips is crying."""
    args.work.mkdir(parents=True, exist_ok=True)
    teach(args.weights, args.data, args.work, seed=args.seed)
    marks = load_activity(args.work / ACTIVITY).values()
    seconds = sum(float(mask.sum()) for mask in marks) * STEP_SAMPLES / SAMPLE_RATE_HZ
    print(f"{len(marks)} cry clips hold {seconds / 60:.1f} minutes of crying")
    return 0
