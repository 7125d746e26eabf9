"""The list of impulse responses: which rooms train, validate and test a model.

There are few, so the parts are assigned by hand: responses of one hall, microphone rig or device are a family and
stay together, and each part has dry and reverberant ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from training.data.split_list import ListedClip, Part
from training.splits.cry_policy import file_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording

# A family's pattern, its name, its part. First match wins.
_FAMILIES: tuple[tuple[str, str, Part], ...] = (
    (r"cardiod|omni|super-ceiling", "hall", "train"),
    (r"matrix-reverb", "matrix-reverb", "train"),
    (r"spatialized", "spatialized", "train"),
    (r"spreader", "spreader", "train"),
    (r"diffusor", "diffusor", "train"),
    (r"backslap", "backslap", "val"),
    (r"rir48000", "rir48000", "val"),
    (r"wildecho", "wildecho", "val"),
    (r"binaural", "binaural", "test"),
    (r"impulse_response_0", "impulse_response_0", "test"),
)


def make_list(recordings: Iterable[AnnotatedRecording], data: Path) -> tuple[ListedClip, ...]:
    """The list of rooms, in the recordings' order; an unknown response is excluded."""
    return tuple(_listed(recording, data) for recording in recordings)


def _listed(recording: AnnotatedRecording, data: Path) -> ListedClip:
    known = ((name, part, "") for pattern, name, part in _FAMILIES if re.search(pattern, recording.subject))
    name, part, reason = next(known, (recording.subject, "exclude", "no family is known for it"))
    return ListedClip(
        file=file_name(recording, data),
        set=recording.set,
        subject=f"rir:{name}",
        part=part,
        label="room",
        doubtful=False,
        reason=reason,
    )
