"""Reads Audacity label tracks, and pairs them with recordings of the same stem; whatever is wrong is one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from device.config.wording import alternatives
from device.errors import ConfigError
from device.printable import excerpt
from device.quantity import decimal_number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

TOLERANCE_S = 0.05
"""A label may end this much behind its recording: Audacity's selection is as coarse."""

_SUFFIX = ".txt"
_FREQUENCIES = "\\"
"""Begins the line behind a label that Audacity writes for a selection of frequencies."""


@dataclass(frozen=True, slots=True)
class LabelledSound:
    """What somebody heard: a line of a label track.

    Attributes:
        start_s: when it begins, in seconds of the recording.
        end_s: when it ends; at least `start_s`.
        label: its name.
        place: the file and the line, for messages.
    """

    start_s: float
    end_s: float
    label: str
    place: str


@dataclass(frozen=True, slots=True)
class LabelledRecording:
    """A recording, and all that is to be heard in it; nothing, if its label track is empty."""

    source: str
    sounds: tuple[LabelledSound, ...]


def pair_recordings(
    folder: Path, sources: Sequence[str], known: Collection[str], *, unlabelled_is_quiet: bool
) -> tuple[list[LabelledRecording], list[str]]:
    """Find the label track of each recording.

    Args:
        folder: of the label tracks.
        sources: the recordings.
        known: names that a label may have.
        unlabelled_is_quiet: whether nothing is to be heard in a recording without a label track.

    Returns:
        The recordings in their order, and a sentence for everything that is wrong.

    Raises:
        ConfigError: the folder cannot be read.
    """
    tracks = _tracks(folder)
    problems = list(_same_stems(sources))
    recordings = []
    for source in sources:
        track = tracks.pop(Path(source).stem, None)
        if track is None and not unlabelled_is_quiet:
            problems.append(
                f"{source} has no label track {folder / Path(source).stem}{_SUFFIX}: label it, write an empty file if "
                "nothing is to be heard in it, or give --unlabelled-is-quiet if that holds for all without one"
            )
        sounds, wrong = ([], []) if track is None else read_track(track, known)
        problems += wrong
        recordings.append(LabelledRecording(source, tuple(sounds)))
    stems = {Path(source).stem for source in sources}
    problems += [
        f"{track} has no recording {stem} among those given: give it, or move the track away"
        for stem, track in tracks.items()
        if stem not in stems
    ]
    return recordings, problems


def read_track(path: Path, known: Collection[str]) -> tuple[list[LabelledSound], list[str]]:
    """The sounds of a label track, in time order, and a sentence for each line that is no label."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        return [], [f"{path} cannot be read ({why}): export it again, in Audacity by File, Export Other, Export Labels"]
    sounds, problems = [], []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith(_FREQUENCIES):
            try:
                sounds.append(_sound(line, f"{path}:{number}", known))
            except ValueError as error:
                problems.append(f"{path}:{number}: {error}")
    return sorted(sounds, key=lambda sound: (sound.start_s, sound.end_s)), problems


def beyond(recording: LabelledRecording, duration_s: float) -> Iterator[str]:
    """A sentence for each label that is not within its recording."""
    for sound in recording.sounds:
        if sound.end_s > duration_s + TOLERANCE_S:
            yield (
                f"{sound.place}: the label ends at {sound.end_s:g} s, {recording.source} at {duration_s:.3f} s: "
                "correct it, or check whether it belongs to another recording"
            )


def _sound(line: str, place: str, known: Collection[str]) -> LabelledSound:
    """Raises ValueError with why the line is no label."""
    fields = line.split("\t", 2)
    if len(fields) < 3:
        raise ValueError("a label is a start, a tab, an end, a tab and a name, such as 12.5<TAB>20.25<TAB>cry")
    start_s, end_s = _seconds(fields[0]), _seconds(fields[1])
    label = fields[2].strip()
    if end_s < start_s:
        raise ValueError(f"the label ends at {end_s:g} s, before it starts at {start_s:g} s: exchange them")
    if label not in known:
        raise ValueError(f'no model has a label "{excerpt(label, 60)}"; it must be {alternatives(sorted(known))}')
    return LabelledSound(start_s, end_s, label, place)


def _seconds(text: str) -> float:
    try:
        seconds = decimal_number(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f'"{excerpt(text, 60)}" is no time; it must be a number of seconds such as 12.5')
    return seconds


def _tracks(folder: Path) -> dict[str, Path]:
    """Stem -> label track, sorted."""
    try:
        tracks = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() == _SUFFIX}
    except OSError as error:
        raise ConfigError(
            f"--labels {folder} cannot be listed ({error.strerror}); name the folder of the label tracks"
        ) from error
    if not tracks:
        raise ConfigError(f"--labels {folder} holds no label track, NAME{_SUFFIX} for a recording NAME.wav")
    return tracks


def _same_stems(sources: Sequence[str]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for source in sources:
        stem = Path(source).stem
        if stem in seen:
            yield f"{source} and {seen[stem]} would have one label track, {stem}{_SUFFIX}: rename one of them"
        seen.setdefault(stem, source)
