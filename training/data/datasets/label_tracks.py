"""Reads recordings with an Audacity label track beside each: `night.wav` and `night.txt`.

A line is `start<TAB>end<TAB>label`, in seconds; a point label has start = end. A line that begins with a backslash
holds the frequencies of a spectral selection and belongs to the line above: it is passed over
(https://manual.audacityteam.org/man/importing_and_exporting_labels.html). An empty track says that nothing is heard;
a missing one says nothing, and is a problem.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from training.data.datasets.annotation_checks import RawSpan
from training.data.datasets.own_recordings import audio_files, known_labels, labels_of, own_recording, subject_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.annotation_checks import Findings


_TIMES = 2


def has_label_tracks(folder: Path) -> bool:
    """Whether a label track that is not empty lies beside some recording."""
    tracks = (file.with_suffix(".txt") for file in audio_files(folder))
    return any(track.is_file() and _looks_like_a_track(track) for track in tracks)


def read_label_tracks(folder: Path, findings: Findings) -> Iterator[AnnotatedRecording]:
    """All recordings below the folder that have a track, sorted by path; the labels of the file are its events'."""
    known, beside = known_labels(folder), set()
    for file in audio_files(folder):
        track = file.with_suffix(".txt")
        beside.add(track)
        if not track.is_file():
            sentence = f"no label track {track.name} lies beside it: an empty one says that it holds none"
            findings.report(file, None, sentence)
        elif header := findings.header(file):
            events = findings.spans(read_track(track), header[1], known)
            one = own_recording(file, folder, header, labels_of(events), subject=subject_of(file, folder))
            yield replace(one, events=events)
    for track in sorted(folder.rglob("*.txt")):
        if track not in beside and _looks_like_a_track(track):
            findings.report(track, None, "a label track beside no recording of its name: its audio is missing")


def read_track(track: Path) -> Iterator[RawSpan]:
    """The lines of a label track, unchecked; frequencies and empty lines are passed over."""
    for number, line in enumerate(_lines(track), start=1):
        if line.strip() and not line.startswith("\\"):
            columns = line.split("\t", 2)
            start, end, label = (*columns, "")[:3] if len(columns) > 1 else (line, "", "")
            yield RawSpan(track, number, start, end, label)


def _lines(track: Path) -> list[str]:
    return track.read_text(encoding="utf-8-sig", errors="replace").splitlines()


def _looks_like_a_track(track: Path) -> bool:
    """Whether the first line that is not empty begins with two numbers between tabs."""
    first = next((line for line in _lines(track) if line.strip()), "")
    try:
        return len([float(column) for column in first.split("\t")[:2]]) == _TIMES
    except ValueError:
        return False
