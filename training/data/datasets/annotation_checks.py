"""What every reader checks alike: that audio opens, that a span lies within it, that a label is known.

A reader hands in what it read and goes on; what is wrong is noted as an `AnnotationProblem`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import RecordingError
from training.data.datasets.annotated_recording import AnnotatedSpan, audio_format
from training.data.datasets.dataset import AnnotationProblem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

UNUSABLE = "unusable"
"""Label of a stretch whose annotation is wrong: no task knows it, so it is excluded and never taken for silence."""

ROUNDING_S = 0.05
"""By so much an annotation may end beyond its file: annotators' programs round; it is cut off without a word."""


@dataclass(frozen=True, slots=True)
class RawSpan:
    """A span as read, with where it stands; times as written, in seconds (numbers or their text).

    What could not even be taken apart stands in `start`, and `end` is empty.
    """

    file: Path
    line: int | None
    start: str | float
    end: str | float
    label: str


class Findings:
    """Collects what is wrong with a collection while it is read."""

    def __init__(self) -> None:
        self.problems: list[AnnotationProblem] = []

    def report(self, file: Path, line: int | None, sentence: str) -> None:
        """Note one problem."""
        self.problems.append(AnnotationProblem(file, line, sentence))

    def header(self, audio: Path, file: Path | None = None, line: int | None = None) -> tuple[int, float] | None:
        """Sample rate in Hz and length in seconds of a recording; None, and a problem, if it cannot be used.

        Args:
            audio: the recording.
            file: the annotation that names it; None for the recording itself.
            line: of that annotation.
        """
        try:
            sample_rate_hz, duration_s = audio_format(audio)
        except RecordingError:
            missing = f"its audio {audio.name} " + ("cannot be read" if audio.is_file() else "is missing")
            self.report(file or audio, line, missing)
            return None
        if duration_s > 0:
            return sample_rate_hz, duration_s
        self.report(file or audio, line, f"its audio {audio.name} holds no samples")
        return None

    def spans(
        self, raw: Iterable[RawSpan], duration_s: float, known: Collection[str] = ()
    ) -> tuple[AnnotatedSpan, ...]:
        """Spans in their order; a wrong one stays as the stretch that it spoils, labelled `UNUSABLE`.

        Args:
            raw: as read.
            duration_s: length of the recording.
            known: labels that the layout defines; empty if any may occur.
        """
        spans: dict[AnnotatedSpan, None] = {}
        for one in raw:
            span = self._span(one, duration_s)
            if span in spans and span.label != UNUSABLE:
                self.report(one.file, one.line, f'repeats "{span.label}" from {span.start_s:g} s to {span.end_s:g} s')
            if known and span.label not in known and span.label != UNUSABLE:
                listed = ", ".join(sorted(known))
                self.report(one.file, one.line, f'the label "{span.label}" is unknown: there are {listed}')
            spans[span] = None
        return tuple(spans)

    def _span(self, one: RawSpan, duration_s: float) -> AnnotatedSpan:
        try:
            start_s, end_s = float(one.start), float(one.end)
        except (TypeError, ValueError):
            start_s = end_s = math.nan
        if not (math.isfinite(start_s) and math.isfinite(end_s)):
            said = f'"{one.start}" to "{one.end}" are no times in seconds'
            self.report(one.file, one.line, said if one.end != "" else f'"{one.start}" is no annotation')
            return AnnotatedSpan(0.0, duration_s, UNUSABLE)
        wrong = _wrong(start_s, end_s, duration_s) or ("has no label" if not one.label.strip() else "")
        if not wrong:
            return AnnotatedSpan(start_s, min(end_s, max(start_s, duration_s)), one.label.strip())
        self.report(one.file, one.line, wrong)
        low, high = (min(max(time_s, 0.0), duration_s) for time_s in sorted((start_s, end_s)))
        return AnnotatedSpan(low, high, UNUSABLE)


def _wrong(start_s: float, end_s: float, duration_s: float) -> str:
    """What is wrong with a span's times; empty if nothing."""
    if start_s < 0:
        return f"begins at {start_s:g} s, before its recording"
    if end_s < start_s:
        return f"ends at {end_s:g} s, before it begins at {start_s:g} s"
    if end_s > duration_s + ROUNDING_S:
        return f"ends at {end_s:g} s, beyond the end of its recording at {duration_s:.3f} s"
    return ""
