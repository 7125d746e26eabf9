"""Reads the Donate-a-cry corpus as published: a folder for each reason, its files named by what the app knew.

`<app installation>-<time>-<app version>-<gender>-<age>-<reason>.wav`; published at
https://github.com/gveres/donateacry-corpus. The reason is a parent's guess. An app installation is the best
identification of an infant: it is the subject that a split must keep together.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.annotated_recording import AnnotatedRecording, audio_format

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(
    r"(?P<installation>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"-(?P<time>\d+)-(?P<version>[\d.]+)-(?P<gender>[mf])-(?P<age>\d\d)-(?P<reason>[a-z]{2})",
    re.IGNORECASE,
)
_AGES = {
    "04": "0 to 4 weeks",
    "48": "4 to 8 weeks",
    "26": "2 to 6 months",
    "72": "7 months to 2 years",
    "22": "over 2 years",
}
_REASONS = {
    "hu": "hungry",
    "bu": "burping",
    "bp": "belly_pain",
    "dc": "discomfort",
    "ti": "tired",
    "lo": "lonely",
    "ch": "cold_hot",
    "sc": "scared",
    "dk": "unknown",
}


def read_donateacry(root: Path) -> tuple[AnnotatedRecording, ...]:
    """All WAV files in the reason folders under `root`, sorted by path.

    Raises:
        RecordingError: there are none, a name does not follow the corpus's pattern, or a file is unreadable.
    """
    files = sorted(root.glob("*/*.wav"))
    if not files:
        raise RecordingError(f"{root} holds no reason folders with WAV files: give the corpus's data folder.")
    return tuple(_recording(file) for file in files)


def _recording(file: Path) -> AnnotatedRecording:
    name = _NAME.fullmatch(file.stem)
    if not name:
        raise RecordingError(f"{file} is not named like the corpus, installation-time-version-gender-age-reason.wav.")
    sample_rate_hz, duration_s = audio_format(file)
    age, reason = name["age"], name["reason"].lower()
    return AnnotatedRecording(
        file=file,
        set="donateacry",
        labels=("cry", _REASONS.get(reason, reason)),
        subject=name["installation"],
        session=name["time"],
        official_split="",
        sample_rate_hz=sample_rate_hz,
        duration_s=duration_s,
        events=(),
        note=f"gender={name['gender']} age={_AGES.get(age, age)} app={name['version']}",
    )
