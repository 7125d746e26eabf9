"""The page of one recording, and the index of many: self-contained HTML that opens without a network.

Reads without a script, prints, follows light and dark. What a file is called, or a model says, is only
ever text in it.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np

from device.report.markup import clock, data_uri, document, text
from device.report.result_files import encode, whole
from device.report.spectrogram import colour_map
from device.report.svg_figure import MOST_MARKS, figure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from device.messages import Priority
    from device.report.curves import ScoreCurve
    from device.report.page_content import ListedLabel, ListedModel, PageContent
    from device.report.spans import FaultSpan, Span

_BEFORE_EVENT_S = 1.0
_PRIORITIES: tuple[Priority, ...] = ("high", "medium", "low")


@dataclass(frozen=True, slots=True)
class PageSummary:
    """A recording's line in the index.

    Attributes:
        source: path of the recording as given.
        page: file name of its page, beside the index; None where it has none.
        duration_s: seconds that were heard.
        events: (label, priority) of each event, reopened ones once.
        faults: number of faults.
        notes: sentences that a reader must know, such as why there is no page.
    """

    source: str
    page: str | None
    duration_s: float
    events: tuple[tuple[str, Priority], ...]
    faults: int
    notes: tuple[str, ...] = ()


def summarize(content: PageContent, page: str | None) -> PageSummary:
    """The line of `content` in an index, where its page is called `page`."""
    first_spans = {span.event_id: span for span in reversed(content.events)}
    return PageSummary(
        source=content.source,
        page=page,
        duration_s=content.duration_s,
        events=tuple((span.label, _priority(span, content)) for span in reversed(first_spans.values())),
        faults=len(content.faults),
        notes=tuple(content.notes),
    )


def write_page(path: str | Path, content: PageContent, *, index: str | None = None) -> None:
    """Write the page of one recording, whole or not at all.

    Args:
        path: an HTML file, or `-` for standard output.
        content: what it shows, from `PageRecorder.finish`.
        index: file name of the index beside it, to link back to.

    Raises:
        OSError: the file cannot be written.
    """
    _write(path, document(PurePath(content.source).name or content.source, _page(content, index), script=True))


def write_index(path: str | Path, pages: Sequence[PageSummary]) -> None:
    """Write the index of many recordings, in the order given. Raises OSError."""
    _write(path, document(f"{len(pages)} recordings", _index(pages), script=False))


def _write(path: str | Path, pieces: Iterable[str]) -> None:
    with whole(path, keep_part=False) as stream:
        stream.writelines(encode(piece) for piece in pieces)


def _page(content: PageContent, index: str | None) -> Iterator[str]:
    yield "<main>\n"
    yield from _header(content, index)
    yield '<section class="heard" aria-label="What was heard">\n<div class="scroll"><div id="stage">\n'
    yield from figure(content)
    yield "</div></div>\n"
    yield from _legend(content)
    yield from _players(content)
    yield "</section>\n"
    yield from _event_table(content)
    yield from _fault_table(content.faults)
    yield from _label_table(content)
    yield from _model_table(content.models)
    yield f"{_FOOTER}</main>\n"


_FOOTER = "<footer>Made by Auricle. This page holds all it shows and loads nothing.</footer>\n"


def _header(content: PageContent, index: str | None) -> Iterator[str]:
    back = f'<span aria-hidden="true">·</span><a href="{quote(index)}">All recordings</a>' if index else ""
    yield f'<header>\n<p class="crumb"><span>Auricle replay</span>{back}</p>\n'
    yield f"<h1><bdi>{text(PurePath(content.source).name or content.source)}</bdi></h1>\n"
    yield f'<p class="path"><code><bdi>{text(content.source)}</bdi></code></p>\n'
    rate = f"{content.sample_rate_hz / 1000:g} kHz" if content.sample_rate_hz else "unknown"
    yield '<dl class="facts">'
    yield _fact("Length", clock(content.duration_s))
    yield _fact("Rate", rate)
    yield _events_fact(content)
    yield _fact("Faults", str(len(content.faults) or "none"), "medium" if content.faults else "good")
    yield _fact("Listened", ", ".join(f"{model.name} {model.version}" for model in content.models) or "nobody")
    yield "</dl>\n"
    yield "".join(f'<p class="note">{text(note)}</p>\n' for note in content.notes)
    yield "</header>\n"


def _events_fact(content: PageContent) -> str:
    told = summarize(content, None).events
    kind = next((priority for priority in _PRIORITIES if priority in {p for _, p in told}), "good")
    return _fact("Events", _counted(label for label, _ in told) or "none", kind)


def _counted(labels: Iterable[str]) -> str:
    """`cry, cry, scream` -> `2 cry, 1 scream`."""
    counts: dict[str, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    return ", ".join(f"{count} {label}" for label, count in counts.items())


def _fact(name: str, value: str, kind: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f"<div><dt>{name}</dt><dd{mark}>{text(value)}</dd></div>"


def _legend(content: PageContent) -> Iterator[str]:
    line = '<line class="{}" x1="1" x2="25" y1="6" y2="6"/>'
    yield '<div class="legend">'
    if content.picture is not None:
        yield f"<span>{content.picture.low_db:.0f} dBFS{_colour_scale()}{content.picture.high_db:.0f} dBFS</span>"
    yield _key(line.format("k-curve"), "score, in the middle of its window")
    yield _key(line.format("k-on"), "on") + _key(line.format("k-off"), "off")
    if content.events:
        yield _key('<rect class="k-event" x="1" y="1" width="24" height="10"/>', "event")
        yield _key('<path class="k-mark" d="M8,11 h10 l-5,-9 z"/>', "decided")
    if content.faults:
        yield _key('<path class="k-fault-line" d="M0,12 L12,0 M8,12 L20,0 M16,12 L28,0"/>', "fault")
    yield "</div>\n"


def _key(shape: str, words: str) -> str:
    return f'<span><svg viewBox="0 0 26 12" aria-hidden="true">{shape}</svg>{words}</span>'


def _colour_scale() -> str:
    colours = colour_map()[np.linspace(0, 254, 9).astype(int)].tolist()
    stops = "".join(f'<stop offset="{n / 8:g}" stop-color="rgb({r},{g},{b})"/>' for n, (r, g, b) in enumerate(colours))
    return (
        '<svg class="scale" viewBox="0 0 92 12" preserveAspectRatio="none" aria-hidden="true">'
        f'<defs><linearGradient id="scale">{stops}</linearGradient></defs>'
        '<rect width="92" height="12" fill="url(#scale)"/></svg>'
    )


def _players(content: PageContent) -> Iterator[str]:
    yield '<output id="readout" aria-hidden="true"></output>\n'
    several = len(content.clips) > 1
    if content.clips:
        yield f'<div class="player{" clips" if several else ""}">\n'
    for clip in content.clips:
        when = f"{clock(clip.start_s, 0)} to {clock(clip.end_s, 0)}"
        yield "<figure>" + (f"<figcaption>{when}</figcaption>" if several else "")
        yield f'<audio controls preload="metadata" data-start="{clip.start_s:.6f}" data-end="{clip.end_s:.6f}"'
        yield f' aria-label="Sound from {when}" src="'
        yield from data_uri(clip.data, clip.mime)
        yield '"></audio></figure>\n'
    yield "</div>\n" if content.clips else ""
    if content.events_without_sound:
        left_out = content.events_without_sound
        yield f'<p class="under">Left out of the sound, which would make the page too large: {left_out} events.</p>\n'
    yield (
        '<p class="under keys" hidden>Click the picture to go there. Once it has the focus: '
        "<kbd>←</kbd> <kbd>→</kbd> move, with <kbd>Shift</kbd> farther, <kbd>Space</kbd> plays, "
        "<kbd>n</kbd> and <kbd>p</kbd> go to the next and previous event.</p>\n"
    )


def _event_table(content: PageContent) -> Iterator[str]:
    if not content.events:
        yield '<section><h2>Events</h2>\n<p class="muted">None: no label was sure for long enough.</p></section>\n'
        return
    columns = (
        "",
        "Event",
        "#Start",
        "#End",
        "#Length",
        "#Decided",
        "#Score",
        "Priority",
        "Why it began",
        "Why it ended",
    )
    rows = (_event_row(span, content) for span in content.events[:MOST_MARKS])
    yield from _table("Events", columns, rows, len(content.events))


def _event_row(span: Span, content: PageContent) -> tuple[str, ...]:
    at_s = max(0.0, span.start_s - _BEFORE_EVENT_S)
    priority = _priority(span, content)
    return (
        f'<button type="button" class="seek" data-at="{at_s:.3f}" title="Listen from {clock(at_s)}" hidden>▶</button>',
        f'{text(span.label)} <span class="muted">{text(span.event_id)}</span>',
        clock(span.start_s),
        clock(span.end_s),
        f"{span.end_s - span.start_s:.2f} s",
        f"{clock(span.decided_s)}",
        f"{span.score:.3f}",
        f'<span class="chip {priority}">{priority}</span>',
        text(span.opened_by),
        text("open where the sound ended" if span.closed_by is None else span.closed_by),
    )


def _fault_table(faults: Sequence[FaultSpan]) -> Iterator[str]:
    if faults:
        rows = (
            (
                text(fault.kind),
                clock(fault.start_s),
                clock(fault.end_s) + (" (lasted)" if fault.lasted else ""),
                text(fault.detail),
            )
            for fault in faults[:MOST_MARKS]
        )
        yield from _table("Faults", ("Kind", "#From", "#To", "What was measured"), rows, len(faults))


def _label_table(content: PageContent) -> Iterator[str]:
    listed = [(model, label) for model in content.models for label in model.labels]
    if listed:
        rows = (_label_row(model, label, curve) for (model, label), curve in zip(listed, content.curves, strict=True))
        columns = ("Label", "Model", "Role", "Priority", "#On at", "#Off below", "#Highest score", "#In the window")
        yield from _table("Labels", columns, rows, len(listed))


def _label_row(model: ListedModel, label: ListedLabel, curve: ScoreCurve) -> tuple[str, ...]:
    best = int(np.argmax(curve.probability)) if len(curve.probability) else None
    return (
        text(label.name),
        text(model.name),
        text(label.role),
        f'<span class="chip {label.priority}">{text(label.priority)}</span>' if label.role == "alarm" else "",
        f"{label.on:.2f}",
        f"{label.off:.2f}",
        "" if best is None else f"{curve.probability[best]:.3f}",
        "" if best is None else f"{clock(curve.start_s[best])} to {clock(curve.end_s[best])}",
    )


def _model_table(models: Sequence[ListedModel]) -> Iterator[str]:
    if models:
        rows = (
            (
                f"{text(model.name)} {text(model.version)}",
                f"{model.window_s:g} s at {model.sample_rate_hz / 1000:g} kHz",
                text(model.terms),
                f'<code title="{text(model.sha256)}">{text(model.sha256[:16])}</code>',
            )
            for model in models
        )
        yield from _table("Models", ("Model", "Listens to", "Licence terms", "SHA-256"), rows, len(models))


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], total: int) -> Iterator[str]:
    """A table in a section of its own; a column whose name starts with # holds numbers."""
    numeric = [' class="number"' if column.startswith("#") else "" for column in columns]
    head = "".join(
        f'<th scope="col"{kind}>{html.escape(column.removeprefix("#"))}</th>'
        for column, kind in zip(columns, numeric, strict=True)
    )
    yield f'<section><h2>{title}</h2>\n<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
    for row in rows:
        cells = "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, numeric, strict=True))
        yield f"<tr>{cells}</tr>\n"
    yield "</tbody></table></div>\n"
    if total > MOST_MARKS:
        yield f'<p class="under">The first {MOST_MARKS} of {total}; the event lines hold all of them.</p>\n'
    yield "</section>\n"


def _priority(span: Span, content: PageContent) -> Priority:
    return content.priorities.get((span.model, span.label), "low")


def _index(pages: Sequence[PageSummary]) -> Iterator[str]:
    yield '<main>\n<header>\n<p class="crumb"><span>Auricle replay</span></p>\n'
    yield f"<h1>{len(pages)} recordings</h1>\n"
    yield '<dl class="facts">'
    yield _fact("Length in all", clock(sum(page.duration_s for page in pages), 0))
    yield _fact("With events", str(sum(1 for page in pages if page.events)))
    yield _fact("Events", _counted(label for page in pages for label, _ in page.events) or "none")
    yield _fact("With faults", str(sum(1 for page in pages if page.faults)))
    yield '</dl>\n</header>\n<section><div class="scroll"><table>\n<thead><tr><th scope="col">Recording</th>'
    yield '<th scope="col" class="number">Length</th><th scope="col">Events</th>'
    yield '<th scope="col" class="number">Faults</th><th scope="col">Notes</th></tr></thead>\n<tbody>\n'
    yield from map(_index_row, pages)
    yield f"</tbody></table></div></section>\n{_FOOTER}</main>\n"


def _index_row(page: PageSummary) -> str:
    name = f"<bdi>{text(page.source)}</bdi>"
    linked = name if page.page is None else f'<a href="{quote(page.page)}">{name}</a>'
    chips = " ".join(
        f'<span class="chip {priority}">{text(_counted(label for label, p in page.events if p == priority))}</span>'
        for priority in _PRIORITIES
        if any(p == priority for _, p in page.events)
    )
    return (
        f'<tr><td class="name">{linked}</td><td class="number">{clock(page.duration_s)}</td><td>{chips}</td>'
        f'<td class="number">{page.faults or ""}</td><td>{text(" ".join(page.notes))}</td></tr>\n'
    )
