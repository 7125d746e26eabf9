"""A survey as text that a person reads from top to bottom. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from training.survey.survey import Survey

_SHOWN = 20
_CLIPPED = 0.001
_MOSTLY_SILENT = 0.5


def survey_text(found: Survey) -> str:
    """The report, all problems in full, of other long lists the first twenty."""
    sections = (_head, _sound, _labels, _subjects, _problems, _duplicates, _suspicious)
    return "\n".join("\n".join(section(found)) for section in sections) + "\n"


def _head(found: Survey) -> Iterator[str]:
    hours = sum(found.lengths_s.values()) / 3600
    length = f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.1f} min"
    known = sum(1 for subject in found.subjects if subject)
    yield f"{found.name}: {len(found.lengths_s)} recordings, {length}, {known} subjects, {len(found.labels)} labels"
    yield ""


def _sound(found: Survey) -> Iterator[str]:
    rates = ", ".join(f"{count} at {rate} Hz" for rate, count in found.rates_hz.items())
    yield f"rates     {rates or '-'}"
    yield f"lengths   {_spread(list(found.lengths_s.values()), 's')}"
    yield f"peaks     {_spread([one.peak_dbfs for one in found.levels.values()], 'dBFS')}"
    yield f"loudness  {_spread([one.rms_dbfs for one in found.levels.values()], 'dBFS')} (RMS)"
    clipped = {file: one.clipped for file, one in found.levels.items() if one.clipped > _CLIPPED}
    silent = {file: one.silent for file, one in found.levels.items() if one.silent > _MOSTLY_SILENT}
    yield from _shares("clipped", clipped, f"recordings with over {_CLIPPED:.1%} of samples at full scale")
    yield from _shares("silent", silent, "recordings that are below -60 dBFS most of the time")
    yield ""


def _shares(head: str, shares: dict[str, float], what: str) -> Iterator[str]:
    worst = sorted(shares, key=lambda file: (-shares[file], file))
    yield f"{head:<9} {len(shares)} {what}"
    yield from _first([f"          {shares[file]:6.1%} {file}" for file in worst], 5)


def _spread(values: Sequence[float], unit: str) -> str:
    if not values:
        return "-"
    low, median, high = np.percentile(values, [0, 50, 100])
    return f"{low:.1f} to {high:.1f} {unit}, median {median:.1f}"


def _labels(found: Survey) -> Iterator[str]:
    width = max([len("label"), *map(len, found.labels)])
    yield f"{'label':<{width}}  recordings   events    seconds  subjects"
    for label, count in found.labels.items():
        yield f"{label:<{width}}  {count.recordings:10d} {count.events:8d} {count.seconds:10.1f} {count.subjects:9d}"
    yield ""


def _subjects(found: Survey) -> Iterator[str]:
    known = {subject: count for subject, count in found.subjects.items() if subject}
    most = ", ".join(f"{subject} ({count})" for subject, count in list(known.items())[:5])
    yield f"subjects  {len(known)} known" + (f", the most recordings: {most}" if known else "")
    if found.subjects.get(""):
        yield f"          {found.subjects['']} recordings of an unknown subject may only train"
    if any(found.official_parts):
        parts = ", ".join(f"{part or 'none'} {count}" for part, count in found.official_parts.items())
        yield f"official  {parts}"
    yield ""


def _problems(found: Survey) -> Iterator[str]:
    yield f"problems  {len(found.problems)} annotations or recordings that cannot be used as they stand"
    for file, line, sentence in found.problems:
        yield f"  {file}: {sentence}" if line is None else f"  {file}, line {line}: {sentence}"
    yield ""


def _duplicates(found: Survey) -> Iterator[str]:
    pairs = found.near_duplicates
    if pairs is None:
        yield "near duplicates  not searched for (--skip-sounds)"
    else:
        apart = [one for one in pairs if found.subject_of[one.file_a] != found.subject_of[one.file_b]]
        yield f"near duplicates  {len(pairs)} pairs of recordings of the same sound, {len(apart)} of two subjects"
        first = [*apart, *(one for one in pairs if one not in apart)]
        lines = [f"  {one.file_a} and {one.file_b}, {one.similarity:.2f}, {one.offset_s:+.2f} s" for one in first]
        yield from _first(lines, _SHOWN)
    yield ""


def _suspicious(found: Survey) -> Iterator[str]:
    yield f"suspicious labels  {len(found.suspicious)} of {found.judged}: listen to them again"
    lines = [
        f"  {one.file}, {one.start_s:.2f} s, {one.label}: {one.reason}" if one.file else f"  {one.label}: {one.reason}"
        for one in found.suspicious
    ]
    yield from _first(lines, _SHOWN)
    if found.judged:
        yield "  judged by digital silence, length, spelling, and the ten nearest of other subjects by spectrum"


def _first(lines: Sequence[str], shown: int) -> Iterable[str]:
    more = [f"  and {len(lines) - shown} more"] if len(lines) > shown else []
    return [*lines[:shown], *more]
