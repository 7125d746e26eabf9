"""Where everything stands in the picture of one recording; the template `figure.svg` draws it.

Spectrogram, score curves, thresholds, events and faults share one time axis. Positions are in the units of the
SVG's view box, 1200 wide, from the upper left corner.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from device.report.markup import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its position along the axis, and its name."""

    at: float
    name: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The spectrogram: where it begins in the plot, how wide it is, and the ticks of its frequency axis."""

    png: bytes
    left: float
    width: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A dashed line across a lane: `on` or `off`, its value, its position, and that of its name."""

    name: str
    value: float
    y: float
    name_y: float


@dataclass(frozen=True, slots=True)
class EventMark:
    """An event in the picture and in the lane of its label.

    Attributes:
        priority: how urgent, which chooses the colour.
        about: the tooltip.
        left: where it begins.
        width: how wide it is.
        decided_x: where it was decided.
        name: its label; empty if there is no room for it beside the name before.
        name_left: where the name begins.
    """

    priority: str
    about: str
    left: float
    width: float
    decided_x: float
    name: str
    name_left: float


@dataclass(frozen=True, slots=True)
class FaultMark:
    """A fault, hatched across the picture and all lanes; members as in `EventMark`."""

    about: str
    left: float
    width: float
    name: str
    name_left: float


@dataclass(frozen=True, slots=True)
class CurvePart:
    """An unbroken part of a curve, and the two points that close the area below it."""

    points: str
    floor: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The scores of one label."""

    label: str
    model: str
    top: int
    events: tuple[EventMark, ...]
    curve: tuple[CurvePart, ...]
    thresholds: tuple[Threshold, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """All positions, from top to bottom.

    Attributes:
        height: of the view box.
        axis: y of the time axis.
        summary: one sentence for those who do not see the picture.
        picture: None if the recording is too short for one.
        time_ticks: ticks of the time axis.
        lanes: one for each curve.
        events: those drawn in the picture.
        faults_top: y of the faults' strip; None if there is no fault.
        faults: those drawn.
        sound_top: y of the line that shows which sound is embedded; None if it is all or nothing.
        sound: (left, width) of each embedded stretch.
    """

    width: ClassVar[int] = _WIDTH
    left: ClassVar[int] = _LEFT
    plot: ClassVar[int] = _PLOT
    top: ClassVar[int] = _TAGS
    picture_height: ClassVar[int] = _PICTURE
    lane_height: ClassVar[int] = _LANE
    strip_height: ClassVar[int] = _STRIP

    height: int
    axis: int
    summary: str
    picture: Picture | None
    time_ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...]
    events: tuple[EventMark, ...]
    faults_top: int | None
    faults: tuple[FaultMark, ...]
    sound_top: int | None
    sound: tuple[tuple[float, float], ...]


def figure(content: PageContent) -> Figure:
    """Lay out the picture of a page's content."""
    layout = _Layout(content)
    spans = content.events[:MOST_MARKS]
    marks = tuple(_event_marks(spans, content, layout))
    return Figure(
        height=layout.height,
        axis=layout.axis,
        summary=_summary(content),
        picture=_picture(content.picture, layout),
        time_ticks=tuple(layout.ticks()),
        lanes=tuple(
            _lane(curve, top, list(zip(spans, marks, strict=True)), layout)
            for curve, top in zip(content.curves, layout.lanes, strict=True)
        ),
        events=marks,
        faults_top=layout.faults,
        faults=tuple(_fault_marks(content.faults[:MOST_MARKS], layout)),
        sound_top=layout.sound,
        sound=tuple(layout.span(clip.start_s, clip.end_s) for clip in content.clips),
    )


class _Layout:
    """The rows from top to bottom, and the time axis."""

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
        """Position of a time, clamped to the plot."""
        return _LEFT + _PLOT * min(max(seconds / self.duration_s, 0.0), 1.0)

    def ticks(self) -> Iterator[Tick]:
        """Yield round times."""
        step_s = next((s for s in _TIME_STEPS_S if self.duration_s / s <= _MOST_TICKS), self.duration_s)
        for number in range(int(self.duration_s / step_s + 1e-9) + 1):
            yield Tick(self.x(number * step_s), clock(number * step_s, 1 if step_s < 1 else 0))

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


def _picture(picture: Spectrogram | None, layout: _Layout) -> Picture | None:
    if picture is None:
        return None
    seconds = layout.duration_s
    return Picture(
        png=picture.png,
        left=_PLOT * picture.start_s / seconds,
        width=_PLOT * (picture.end_s - picture.start_s) / seconds,
        ticks=tuple(
            Tick(
                _TAGS + _PICTURE * (1 - picture.height_of(frequency_hz)),
                f"{frequency_hz // 1000} kHz" if frequency_hz >= 1000 else f"{frequency_hz} Hz",
            )
            for frequency_hz in _FREQUENCIES_HZ
            if frequency_hz <= picture.f_max_hz
        ),
    )


def _lane(curve: ScoreCurve, top: int, events: Sequence[tuple[Span, EventMark]], layout: _Layout) -> Lane:
    return Lane(
        label=curve.label,
        model=curve.model,
        top=top,
        events=tuple(mark for span, mark in events if (span.model, span.label) == (curve.model, curve.label)),
        curve=tuple(_curve_parts(curve, top, layout)),
        thresholds=tuple(_thresholds(curve, top)),
    )


def _curve_parts(curve: ScoreCurve, top: int, layout: _Layout) -> Iterator[CurvePart]:
    """Yield the scores, each in the middle of its window; the line breaks where no window was scored."""
    if len(curve.probability) == 0:
        return
    x = [layout.x(middle) for middle in (curve.start_s + curve.end_s) / 2]
    y = top + _LANE * (1 - np.clip(curve.probability, 0.0, 1.0))
    points = [f"{left:.1f},{height:.2f}" for left, height in zip(x, y.tolist(), strict=True)]
    edges = [0, *_breaks(curve), len(points)]
    for first, last in itertools.pairwise(edges):
        floor = f"{x[last - 1]:.1f},{top + _LANE} {x[first]:.1f},{top + _LANE}"
        yield CurvePart(" ".join(points[first:last]), floor)


def _breaks(curve: ScoreCurve) -> list[int]:
    """Indices of points that follow a gap; the distance that thinning out leaves is no gap."""
    usual_s = (curve.end_s[-1] - curve.start_s[0]) / len(curve.start_s)
    return (np.flatnonzero(curve.start_s[1:] - curve.end_s[:-1] > 4 * usual_s) + 1).tolist()


def _thresholds(curve: ScoreCurve, top: int) -> Iterator[Threshold]:
    """Yield both thresholds; their names keep apart if the lines are close."""
    on_y, off_y = (top + _LANE * (1 - value) for value in (curve.on, curve.off))
    apart = max(0.0, (12 - (off_y - on_y)) / 2)
    yield Threshold("on", curve.on, on_y, on_y + 4 - apart)
    yield Threshold("off", curve.off, off_y, off_y + 4 + apart)


def _event_marks(spans: Iterable[Span], content: PageContent, layout: _Layout) -> Iterator[EventMark]:
    free_from = 0.0
    for span in spans:
        left, width = layout.span(span.start_s, span.end_s)
        name, name_left, free_from = _name_place(span.label, left, free_from)
        when = f"{clock(span.start_s)} to {clock(span.end_s)}"
        yield EventMark(
            priority=content.priority_of(span),
            about=f"{span.label} {when}, decided {clock(span.decided_s)}, score {span.score:.2f}",
            left=left,
            width=width,
            decided_x=layout.x(span.decided_s),
            name=name,
            name_left=name_left,
        )


def _fault_marks(faults: Iterable[FaultSpan], layout: _Layout) -> Iterator[FaultMark]:
    free_from = 0.0
    for fault in faults:
        left, width = layout.span(fault.start_s, fault.end_s)
        name, name_left, free_from = _name_place(fault.kind, left + 4, free_from)
        about = f"{fault.kind} {clock(fault.start_s)} to {clock(fault.end_s)}: {fault.detail}"
        yield FaultMark(about, left, width, name, name_left)


def _name_place(name: str, left: float, free_from: float) -> tuple[str, float, float]:
    """The name, empty if there is no room for it; where it begins; and from where on there is room for the next."""
    width = _LETTER * len(name)
    name_left = min(left, _LEFT + _PLOT - width)
    if name_left < free_from:
        return "", name_left, free_from
    return name, name_left, name_left + width + 8
