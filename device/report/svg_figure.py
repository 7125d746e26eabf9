"""The picture of one recording as SVG: spectrogram, score curves, thresholds, events and faults on one time axis."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from device.report.markup import clock, data_uri, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from device.report.curves import ScoreCurve
    from device.report.page_content import PageContent
    from device.report.spans import FaultSpan, Span
    from device.report.spectrogram import Spectrogram

MOST_MARKS = 1000
"""Events, and faults, that are drawn and listed; more would be neither readable nor quick."""

_WIDTH, _LEFT, _RIGHT = 1200, 62, 58
_PLOT = _WIDTH - _LEFT - _RIGHT
_TAGS, _PICTURE, _LANE, _SPACE, _STRIP, _AXIS = 24, 232, 78, 12, 16, 30
_LETTER = 6.7
_FREQUENCIES_HZ = (250, 500, 1000, 2000, 4000, 8000)
_TIME_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_MOST_TICKS = 13


def figure(content: PageContent) -> Iterator[str]:
    """The SVG in pieces; it scales with the page and needs no script."""
    layout = _Layout(content)
    yield (
        f'<svg id="figure" viewBox="0 0 {_WIDTH} {layout.height}" role="img" aria-labelledby="figure-title"'
        f' data-duration="{content.duration_s:.6f}" data-left="{_LEFT}" data-plot="{_PLOT}">\n'
        f'<title id="figure-title">{text(_summary(content))}</title>\n'
        f"<defs>{_hatch('hatch')}{_hatch('hatch-bright')}</defs>\n"
    )
    yield from _picture(content.picture, layout)
    yield from _time_axis(layout)
    for curve, top in zip(content.curves, layout.lanes, strict=True):
        yield from _lane(curve, top, content, layout)
    yield from _events(content, layout)
    yield from _faults(content.faults[:MOST_MARKS], layout)
    yield from _sound(content, layout)
    yield (
        f'<g id="cursor" visibility="hidden"><line y1="{_TAGS}" y2="{layout.axis}"/>'
        f'<path d="M-5,{layout.axis} h10 l-5,-7 z"/></g>\n</svg>\n'
    )


class _Layout:
    """Where things stand, from top to bottom."""

    def __init__(self, content: PageContent) -> None:
        self.duration_s = max(content.duration_s, 1e-3)
        y = _TAGS + _PICTURE + _SPACE
        self.lanes = [y + number * (_LANE + _SPACE) for number in range(len(content.curves))]
        y += len(content.curves) * (_LANE + _SPACE)
        self.faults = y if content.faults else None
        y += (_STRIP + _SPACE) if content.faults else 0
        self.sound = y if _is_partial(content) else None
        y += _SPACE if _is_partial(content) else 0
        self.axis = y
        self.height = y + _AXIS

    def x(self, seconds: float) -> float:
        """Time to picture, kept within the plot."""
        return _LEFT + _PLOT * min(max(seconds / self.duration_s, 0.0), 1.0)

    def ticks(self) -> list[tuple[float, str]]:
        """Round times: where they stand and how they are written."""
        step_s = next((s for s in _TIME_STEPS_S if self.duration_s / s <= _MOST_TICKS), self.duration_s)
        times_s = [number * step_s for number in range(int(self.duration_s / step_s + 1e-9) + 1)]
        return [(self.x(time_s), clock(time_s, 1 if step_s < 1 else 0)) for time_s in times_s]

    def span(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Left edge and width of a stretch of time, at least wide enough to be seen."""
        left = min(self.x(start_s), _LEFT + _PLOT - 1.5)
        return left, max(self.x(end_s) - left, 1.5)


def _is_partial(content: PageContent) -> bool:
    whole = len(content.clips) == 1 and content.clips[0].end_s - content.clips[0].start_s >= content.duration_s
    return bool(content.clips) and not whole


def _summary(content: PageContent) -> str:
    return (
        f"Spectrogram and scores of {content.source}: {clock(content.duration_s)} of sound, "
        f"{len(content.events)} stretches with an event, {len(content.faults)} with a fault, all in the tables below."
    )


def _hatch(name: str) -> str:
    """Diagonal lines; `hatch-bright` is for the picture, which is dark in every theme."""
    return (
        f'<pattern id="{name}" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect class="{name}-ground" width="7" height="7"/><line class="{name}-line" y2="7"/></pattern>'
    )


def _picture(picture: Spectrogram | None, layout: _Layout) -> Iterator[str]:
    yield f'<rect class="ground" x="{_LEFT}" y="{_TAGS}" width="{_PLOT}" height="{_PICTURE}"/>\n'
    if picture is None:
        yield _label(_LEFT + _PLOT / 2, _TAGS + _PICTURE / 2, "too short for a spectrogram", "muted", "middle")
        return
    seconds = layout.duration_s
    left, width = _LEFT + _PLOT * picture.start_s / seconds, _PLOT * (picture.end_s - picture.start_s) / seconds
    yield f'<svg x="{_LEFT}" y="{_TAGS}" width="{_PLOT}" height="{_PICTURE}" viewBox="0 0 {_PLOT} {_PICTURE}">'
    yield f'<image x="{left - _LEFT:.2f}" width="{width:.2f}" height="{_PICTURE}" preserveAspectRatio="none" href="'
    yield from data_uri(picture.png, "image/png")
    yield '"/></svg>\n'
    for frequency_hz in _FREQUENCIES_HZ:
        if frequency_hz <= picture.f_max_hz:
            y = _TAGS + _PICTURE * (1 - picture.height_of(frequency_hz))
            name = f"{frequency_hz // 1000} kHz" if frequency_hz >= 1000 else f"{frequency_hz} Hz"
            yield f'<line class="tick" x1="{_LEFT - 5}" x2="{_LEFT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield _label(_LEFT - 9, y + 4, name, "axis", "end")


def _time_axis(layout: _Layout) -> Iterator[str]:
    yield f'<line class="tick" x1="{_LEFT}" x2="{_LEFT + _PLOT}" y1="{layout.axis}" y2="{layout.axis}"/>'
    for x, name in layout.ticks():
        yield f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{layout.axis}" y2="{layout.axis + 5}"/>'
        yield _label(x, layout.axis + 19, name, "axis", "middle")
    yield "\n"


def _lane(curve: ScoreCurve, top: float, content: PageContent, layout: _Layout) -> Iterator[str]:
    yield f'<g class="lane" data-label="{text(curve.label)}" data-top="{top}" data-height="{_LANE}">\n'
    yield f'<rect class="lane-ground" x="{_LEFT}" y="{top}" width="{_PLOT}" height="{_LANE}"/>\n'
    for x, _ in layout.ticks():
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + _LANE}"/>'
    spans = [span for span in content.events[:MOST_MARKS] if (span.model, span.label) == (curve.model, curve.label)]
    for span in spans:
        left, width = layout.span(span.start_s, span.end_s)
        kind = _kind(span, content)
        yield f'<rect class="wash {kind}" x="{left:.2f}" y="{top}" width="{width:.2f}" height="{_LANE}"/>'
    yield from _curve(curve, top, layout)
    yield from _thresholds(curve, top)
    for span in spans:
        x = layout.x(span.decided_s)
        kind = _kind(span, content)
        yield f'<line class="decided {kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + _LANE}"/>'
    for value in (0, 1):
        yield _label(_LEFT - 9, top + _LANE * (1 - value) + (4 if value else 0), str(value), "axis", "end")
    yield (
        f'<text class="lane-name" x="{_LEFT + 8}" y="{top + 16}">{text(curve.label)}'
        f'<tspan class="muted" dx="7">by {text(curve.model)}</tspan></text>\n</g>\n'
    )


def _curve(curve: ScoreCurve, top: float, layout: _Layout) -> Iterator[str]:
    """The scores, each in the middle of its window; the line breaks where nothing was listened to."""
    if len(curve.probability) == 0:
        return
    x = [layout.x(middle) for middle in (curve.start_s + curve.end_s) / 2]
    y = top + _LANE * (1 - np.clip(curve.probability, 0.0, 1.0))
    points = [f"{left:.1f},{height:.2f}" for left, height in zip(x, y.tolist(), strict=True)]
    edges = [0, *_breaks(curve), len(points)]
    for first, last in itertools.pairwise(edges):
        part = " ".join(points[first:last])
        floor = f"{x[last - 1]:.1f},{top + _LANE} {x[first]:.1f},{top + _LANE}"
        yield f'<polygon class="area" points="{part} {floor}"/>'
        yield f'<polyline class="curve" points="{part}"/>\n'


def _breaks(curve: ScoreCurve) -> list[int]:
    """Indices of points that a hole precedes; stretches that were thinned out are no holes."""
    usual_s = (curve.end_s[-1] - curve.start_s[0]) / len(curve.start_s)
    return (np.flatnonzero(curve.start_s[1:] - curve.end_s[:-1] > 4 * usual_s) + 1).tolist()


def _thresholds(curve: ScoreCurve, top: float) -> Iterator[str]:
    """Both thresholds as dashed lines, named at the right, names kept apart where the lines are close."""
    on_y, off_y = (top + _LANE * (1 - value) for value in (curve.on, curve.off))
    apart = max(0.0, (12 - (off_y - on_y)) / 2)
    for name, value, y, shift in (("on", curve.on, on_y, -apart), ("off", curve.off, off_y, apart)):
        yield f'<line class="threshold {name}" x1="{_LEFT}" x2="{_LEFT + _PLOT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _label(_LEFT + _PLOT + 6, y + 4 + shift, f"{name} {value:.2f}", "axis", "start")


def _events(content: PageContent, layout: _Layout) -> Iterator[str]:
    free_from = 0.0
    for span in content.events[:MOST_MARKS]:
        left, width = layout.span(span.start_s, span.end_s)
        kind = _kind(span, content)
        when = f"{clock(span.start_s)} to {clock(span.end_s)}"
        about = f"{span.label} {when}, decided {clock(span.decided_s)}, score {span.score:.2f}"
        yield f'<g class="event {kind}"><title>{text(about)}</title>'
        yield f'<rect class="veil" x="{left:.2f}" y="{_TAGS}" width="{width:.2f}" height="{_PICTURE}"/>'
        yield f'<rect class="bar" x="{left:.2f}" y="{_TAGS - 5}" width="{width:.2f}" height="5"/>'
        name_width = _LETTER * len(span.label)
        name_left = min(left, _LEFT + _PLOT - name_width)
        if name_left >= free_from:
            yield _label(name_left, _TAGS - 10, span.label, "tag", "start")
            free_from = name_left + name_width + 8
        x = layout.x(span.decided_s)
        yield f'<path class="mark" d="M{x - 5:.1f},{_TAGS + _PICTURE + 9} h10 l-5,-8 z"/></g>\n'


def _faults(faults: Iterable[FaultSpan], layout: _Layout) -> Iterator[str]:
    if layout.faults is None:
        return
    yield _label(_LEFT - 9, layout.faults + 12, "faults", "axis", "end")
    strips = [
        (_TAGS, _PICTURE, 'fill="url(#hatch-bright)"'),
        *((top, _LANE, 'class="faint" fill="url(#hatch)"') for top in layout.lanes),
        (layout.faults, _STRIP, 'fill="url(#hatch)"'),
    ]
    free_from = 0.0
    for fault in faults:
        left, width = layout.span(fault.start_s, fault.end_s)
        about = f"{fault.kind} {clock(fault.start_s)} to {clock(fault.end_s)}: {fault.detail}"
        yield f'<g class="fault"><title>{text(about)}</title>'
        for top, height, look in strips:
            place = f'x="{left:.2f}" y="{top}" width="{width:.2f}" height="{height}"'
            yield f"<rect {look} {place}/>"
        name_width = _LETTER * len(fault.kind)
        name_left = min(left + 4, _LEFT + _PLOT - name_width)
        if name_left >= free_from:
            yield _label(name_left, layout.faults + 12, fault.kind, "fault-name", "start")
            free_from = name_left + name_width + 8
        yield "</g>\n"


def _sound(content: PageContent, layout: _Layout) -> Iterator[str]:
    if layout.sound is None:
        return
    yield _label(_LEFT - 9, layout.sound + 4, "sound", "axis", "end")
    for clip in content.clips:
        left, width = layout.span(clip.start_s, clip.end_s)
        yield f'<rect class="kept" x="{left:.2f}" y="{layout.sound - 2}" width="{width:.2f}" height="4"/>'
    yield "\n"


def _kind(span: Span, content: PageContent) -> str:
    return content.priorities.get((span.model, span.label), "low")


def _label(x: float, y: float, words: str, kind: str, anchor: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text(words)}</text>'
