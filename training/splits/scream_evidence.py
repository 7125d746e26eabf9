"""Measures how probably somebody screams in a clip, without any model of ours.

Two independent measures: YAMNet's scores of shouts and screams, and from the signal how long it holds a voice of
300 Hz or more (`cry_evidence.infant_voice_s`; a shriller one is found an octave lower, and counts). What follows from
them is decided in `scream_policy`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.data.clips import SAMPLE_RATE_HZ
from training.data.datasets.annotated_recording import load_audio
from training.splits.cry_evidence import infant_voice_s, open_yamnet, yamnet_scores

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording

YAMNET_SCREAMS = (6, 7, 9, 10, 11)
"""Shout, Bellow, Yell, Children shouting and Screaming among YAMNet's 521 classes."""

_SETS = ("scream", "scream_audioset")


@dataclass(frozen=True, slots=True, order=True)
class ScreamEvidence:
    """The two measures of one clip.

    Attributes:
        file: as the lists name it.
        screaming: YAMNet's highest score of any of `YAMNET_SCREAMS`, in [0, 1].
        voice_s: seconds of voice of 300 Hz or more, in stretches of at least 0.2 s.
    """

    file: str
    screaming: float
    voice_s: float


def gather(recordings: Iterable[AnnotatedRecording], data: Path, yamnet: Path) -> tuple[ScreamEvidence, ...]:
    """Evidence for every clip of the sets that name screams and are not screened in their notes; seconds."""
    network = open_yamnet(yamnet)
    found = []
    for recording in (one for one in recordings if one.set in _SETS):
        samples = load_audio(recording, SAMPLE_RATE_HZ)
        scores = yamnet_scores(network, samples)[:, YAMNET_SCREAMS]
        file = recording.file.relative_to(data).as_posix()
        found.append(ScreamEvidence(file, float(scores.max()), infant_voice_s(samples)))
    return tuple(found)


def write_evidence(path: Path, evidence: Sequence[ScreamEvidence]) -> None:
    """Write evidence as CSV, sorted by file, two decimals each."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["file", "screaming", "voice_s"])
        for one in sorted(evidence):
            writer.writerow([one.file, f"{one.screaming:.2f}", f"{one.voice_s:.2f}"])


def read_evidence(path: Path) -> Mapping[str, ScreamEvidence]:
    """Evidence by file, as `write_evidence` wrote it."""
    with path.open(newline="", encoding="utf-8") as lines:
        return {
            row["file"]: ScreamEvidence(row["file"], float(row["screaming"]), float(row["voice_s"]))
            for row in csv.DictReader(lines)
        }
