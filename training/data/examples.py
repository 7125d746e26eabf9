"""From annotated recordings and a split to the examples that a network learns from and is judged by.

An example is a stretch of a recording with its target. What a task cannot use is excluded with its reason and
counted. Opens no audio and makes no split.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from training.data.split_list import read_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording, AnnotatedSpan
    from training.data.tasks import Task

GAP_PIECE_S = 2.0
"""Length of the pieces that the unlabelled rest of a recording is cut into."""

NEGATIVE_PIECE_S = 5.0
"""Length of the pieces that a clip which holds nothing of a task is cut into: each of them holds nothing too."""

_LEAST_PIECE_S = 0.5


class Collection(Protocol):
    """What is read of a `Dataset`."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def folder(self) -> Path: ...  # noqa: D102
    @property
    def recordings(self) -> tuple[AnnotatedRecording, ...]: ...  # noqa: D102


class AssignedFile(Protocol):
    """What is read of an `Assignment`: a file relative to the collection's folder, its subject, its part."""

    @property
    def file(self) -> str: ...  # noqa: D102
    @property
    def subject(self) -> str: ...  # noqa: D102
    @property
    def part(self) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Example:
    """A stretch of a recording and what is to be said of it.

    Attributes:
        recording: where it lies.
        start_s: from the recording's start.
        end_s: at most the recording's length.
        target: 1 or 0 for each label of the task.
        subject: what the split keeps together.
        part: "train", "val" or "test".
    """

    recording: AnnotatedRecording
    start_s: float
    end_s: float
    target: tuple[float, ...]
    subject: str
    part: str


@dataclass(frozen=True, slots=True)
class Examples:
    """All examples of a task, and how much was left out for which reason."""

    items: tuple[Example, ...]
    excluded: Counter[str]

    def of(self, part: str) -> tuple[Example, ...]:
        """Those of one part, in their order."""
        return tuple(item for item in self.items if item.part == part)


def examples_of(dataset: Collection, assignments: Iterable[AssignedFile], task: Task) -> Examples:
    """The examples of a task, in the order of the recordings.

    Args:
        dataset: a collection; its recordings lie below its folder.
        assignments: subject and part of each file; a recording without one is excluded.
        task: labels, unit, and what excludes a recording.
    """
    parts = {one.file: one for one in assignments}
    ignored = _ignored(task.committed_list) if task.committed_list else frozenset()
    items: list[Example] = []
    excluded: Counter[str] = Counter()
    for recording in dataset.recordings:
        file = recording.file.relative_to(dataset.folder).as_posix()
        found = parts.get(file)
        reason = _reason_against(recording, found, task)
        if not reason and {file, f"{recording.set}/{file}"} & ignored:
            reason = "the committed list ignores it"
        if reason or found is None:
            excluded[reason] += 1
            continue
        for start_s, end_s, target in _stretches(recording, task, excluded):
            items.append(Example(recording, start_s, end_s, target, found.subject, found.part))
    return Examples(tuple(items), excluded)


def _reason_against(recording: AnnotatedRecording, found: AssignedFile | None, task: Task) -> str:
    """Why a recording cannot be used at all; empty if it can."""
    if found is None or found.part not in {"train", "val", "test"}:
        return "the split names no part for it"
    if found.part != "train" and not found.subject:
        return "its subject is unknown, so it may only teach"
    if found.part != "train" and recording.set in task.train_only_sets:
        return f"{recording.set} may only teach: its labels and subjects are doubtful"
    return _disbelieved(recording, task.believed_from)


@functools.cache
def _ignored(path: Path) -> frozenset[str]:
    """`<set>/<path in the set>` of what a committed list says is neither an example nor a negative."""
    return frozenset(clip.file for clip in read_list(path) if clip.label == "ignore")


def _disbelieved(recording: AnnotatedRecording, believed_from: Mapping[str, float]) -> str:
    """Why a doubtful label is not believed: the score that the collection's note holds is too low."""
    for label in recording.labels:
        least = believed_from.get(label.casefold())
        match = re.search(r"\bscream=([\d.]+)", recording.note)
        if least is not None and (match is None or float(match[1]) < least):
            return f'its label "{label}" is doubtful'
    return ""


_Stretch = tuple[float, float, tuple[float, ...]]


def _stretches(recording: AnnotatedRecording, task: Task, excluded: Counter[str]) -> Iterator[_Stretch]:
    """Start, end and target of each example in a recording."""
    spanned = task.unit in {"event", "cycle"} and (recording.events or not task.gaps)
    if not spanned:
        yield from _whole(recording, task, excluded)
        return
    if not recording.events:
        excluded[f"no annotated {task.unit}"] += 1
    for span in recording.events:
        yield from _of_span(recording, span, task, excluded)
    if task.gaps:
        negative = (0.0,) * len(task.labels)
        yield from ((start_s, end_s, negative) for start_s, end_s in _gaps(recording))


def _whole(recording: AnnotatedRecording, task: Task, excluded: Counter[str]) -> Iterator[_Stretch]:
    """The recording as one example; a long clip without any of the labels as several."""
    target = task.target_of(recording.labels)
    if target is None:
        excluded[_unusable(recording.labels)] += 1
    elif task.unit == "clip" and not any(target) and recording.duration_s > NEGATIVE_PIECE_S:
        pieces = _pieces(0.0, recording.duration_s, NEGATIVE_PIECE_S)
        yield from ((start_s, end_s, target) for start_s, end_s in pieces)
    else:
        yield 0.0, recording.duration_s, target


def _of_span(
    recording: AnnotatedRecording, span: AnnotatedSpan, task: Task, excluded: Counter[str]
) -> Iterator[_Stretch]:
    """An annotated span, with the labels of all spans that cover half of it or more."""
    half_s = (span.end_s - span.start_s) / 2
    labels = [other.label for other in recording.events if other is span or _overlap_s(span, other) >= half_s > 0]
    target = task.target_of(labels)
    end_s = min(span.end_s, recording.duration_s)
    if target is None:
        excluded[_unusable((span.label,))] += 1
    elif end_s <= span.start_s:
        excluded["an annotation of no length"] += 1
    else:
        yield span.start_s, end_s, target


def _overlap_s(one: AnnotatedSpan, other: AnnotatedSpan) -> float:
    return max(0.0, min(one.end_s, other.end_s) - max(one.start_s, other.start_s))


def _unusable(labels: tuple[str, ...]) -> str:
    return f'label "{"|".join(labels)}"'


def _gaps(recording: AnnotatedRecording) -> Iterator[tuple[float, float]]:
    """What no span covers, in pieces of at most `GAP_PIECE_S`; shorter rests are skipped."""
    at_s = 0.0
    real = [span for span in recording.events if span.end_s > span.start_s]
    for span in sorted(real, key=lambda span: span.start_s):
        yield from _pieces(at_s, min(span.start_s, recording.duration_s), GAP_PIECE_S)
        at_s = max(at_s, span.end_s)
    yield from _pieces(at_s, recording.duration_s, GAP_PIECE_S)


def _pieces(start_s: float, end_s: float, length_s: float) -> Iterator[tuple[float, float]]:
    while end_s - start_s >= _LEAST_PIECE_S:
        yield start_s, min(start_s + length_s, end_s)
        start_s += length_s
