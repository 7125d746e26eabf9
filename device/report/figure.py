"""Where everything stands in the picture of one recording; the template `figure.svg` draws it.

Spectrogram, score curves, thresholds, events and faults share one time axis. The plot is as wide as the screen
leaves it, so positions along the time axis are percent of its width; heights are pixels from the top. Text keeps its
size, and names and ticks for which a phone has no room are marked as such.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from device.quantity import quantity
from device.report.markup import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from device.report.attention_veil import AttentionVeil
    from device.report.curves import ScoreCurve
    from device.report.page_content import PageContent
    from device.report.spans import FaultSpan, Span
    from device.report.spectrogram import Spectrogram

MOST_MARKS = 1000
"""Events, and faults, that are drawn and listed; more would be neither readable nor quick."""

_WIDE_PX, _NARROW_PX = 1080, 250
_CURVE_WIDTH = 1080
_LEAST_PERCENT = 0.15
_TAGS, _PICTURE, _LANE, _SPACE, _STRIP, _AXIS = 24, 232, 78, 12, 16, 30
_LETTER_PX = 7.2
_MOST_LETTERS = 24
_FREQUENCIES_HZ = (250, 500, 1000, 2000, 4000, 8000)
_TIME_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_MOST_TICKS, _MOST_TICKS_NARROW = 13, 5


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its position along the axis, its name, and whether a phone has no room for it."""

    at: float
    name: str
    only_wide: bool = False


@dataclass(frozen=True, slots=True)
class Name:
    """A name beside a mark.

    Attributes:
        text: shortened where it is very long; the tables hold it whole.
        at: percent along the plot.
        anchor: `start` if it begins there, `end` if it ends there.
        only_wide: a phone has no room for it beside the name before.
    """

    text: str
    at: float
    anchor: str
    only_wide: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """The spectrogram: where it begins in the plot, how wide it is, and the ticks of its frequency axis."""

    png: bytes
    left: float
    width: float
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Veil:
    """What a network attended to, over the picture: its left edge in the plot, and how wide it is."""

    png: bytes
    left: float
    width: float


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
        start_s, end_s: when, for the line that says what there is at a moment.
        name: its label; None if there is no room for it beside the name before.
    """

    priority: str
    about: str
    left: float
    width: float
    decided_x: float
    start_s: float
    end_s: float
    name: Name | None


@dataclass(frozen=True, slots=True)
class FaultMark:
    """A fault, hatched across the picture and all lanes; members as in `EventMark`."""

    about: str
    left: float
    width: float
    start_s: float
    end_s: float
    name: Name | None


@dataclass(frozen=True, slots=True)
class CurvePart:
    """An unbroken part of a curve in a view box of its own, and the two points that close the area below it."""

    points: str
    floor: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The scores of one label; `name` is the label, shortened where it is very long."""

    label: str
    name: str
    model: str
    top: int
    events: tuple[EventMark, ...]
    curve: tuple[CurvePart, ...]
    thresholds: tuple[Threshold, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """All positions, from top to bottom.

    Attributes:
        height: of the whole picture.
        axis: y of the time axis.
        summary: one sentence for those who do not see the picture.
        picture: None if the recording is too short for one.
        veils: over the picture.
        time_ticks: ticks of the time axis.
        lanes: one for each curve that is drawn.
        events: those drawn in the picture.
        faults_top: y of the faults' strip; None if there is no fault.
        faults: those drawn.
        sound_top: y of the line that shows which sound is embedded; None if it is all or nothing.
        sound: (left, width) of each embedded stretch.
    """

    curve_width: ClassVar[int] = _CURVE_WIDTH
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
    veils: tuple[Veil, ...]


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
            for curve, top in zip(_drawn(content), layout.lanes, strict=True)
        ),
        events=marks,
        faults_top=layout.faults,
        faults=tuple(_fault_marks(content.faults[:MOST_MARKS], layout)),
        sound_top=layout.sound,
        sound=tuple(layout.span(clip.start_s, clip.end_s) for clip in content.clips),
        veils=tuple(_veil(veil, layout.duration_s) for veil in content.veils),
    )


class _Layout:
    """The rows from top to bottom, and the time axis."""

    def __init__(self, content: PageContent) -> None:
        self.duration_s = max(content.duration_s, 1e-3)
        y = _TAGS + _PICTURE + _SPACE
        self.lanes = [y + number * (_LANE + _SPACE) for number in range(len(_drawn(content)))]
        y += len(self.lanes) * (_LANE + _SPACE)
        self.faults = y if content.faults else None
        y += (_STRIP + _SPACE) if content.faults else 0
        self.sound = y if _is_partial(content) else None
        y += _SPACE if _is_partial(content) else 0
        self.axis = y
        self.height = y + _AXIS

    def x(self, seconds: float) -> float:
        """Position of a time in percent of the plot, clamped to it."""
        return 100.0 * min(max(seconds / self.duration_s, 0.0), 1.0)

    def ticks(self) -> Iterator[Tick]:
        """Yield round times; those between the few that a phone has room for are marked."""
        step_s = next((s for s in _TIME_STEPS_S if self.duration_s / s <= _MOST_TICKS), self.duration_s)
        last = int(self.duration_s / step_s + 1e-9)
        every = math.ceil((last + 1) / _MOST_TICKS_NARROW)
        for number in range(last + 1):
            name = clock(number * step_s, 1 if step_s < 1 else 0)
            yield Tick(self.x(number * step_s), name, only_wide=number % every != 0)

    def span(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Left edge and width of a stretch of time, at least wide enough to be seen."""
        left = min(self.x(start_s), 100.0 - _LEAST_PERCENT)
        return left, max(self.x(end_s) - left, _LEAST_PERCENT)


def _is_partial(content: PageContent) -> bool:
    whole = len(content.clips) == 1 and content.clips[0].end_s - content.clips[0].start_s >= content.duration_s
    return bool(content.clips) and not whole


def _summary(content: PageContent) -> str:
    stretches = quantity(len(content.events), "stretch", "stretches")
    return (
        f"Spectrogram and scores of {content.source}: {clock(content.duration_s)} of sound, "
        f"{stretches} with an event, {len(content.faults)} with a fault, all in the tables below."
    )


def _veil(veil: AttentionVeil, duration_s: float) -> Veil:
    return Veil(veil.png, 100.0 * veil.start_s / duration_s, 100.0 * (veil.end_s - veil.start_s) / duration_s)


def _picture(picture: Spectrogram | None, layout: _Layout) -> Picture | None:
    if picture is None:
        return None
    seconds = layout.duration_s
    return Picture(
        png=picture.png,
        left=100.0 * picture.start_s / seconds,
        width=100.0 * (picture.end_s - picture.start_s) / seconds,
        ticks=tuple(
            Tick(
                _TAGS + _PICTURE * (1 - picture.height_of(frequency_hz)),
                f"{frequency_hz // 1000} kHz" if frequency_hz >= 1000 else f"{frequency_hz} Hz",
            )
            for frequency_hz in _FREQUENCIES_HZ
            if frequency_hz <= picture.f_max_hz
        ),
    )


def _drawn(content: PageContent) -> tuple[ScoreCurve, ...]:
    return tuple(curve for curve in content.curves if curve.is_drawn)


def _lane(curve: ScoreCurve, top: int, events: Sequence[tuple[Span, EventMark]], layout: _Layout) -> Lane:
    return Lane(
        label=curve.label,
        name=_shortened(curve.label),
        model=_shortened(curve.model),
        top=top,
        events=tuple(mark for span, mark in events if (span.model, span.label) == (curve.model, curve.label)),
        curve=tuple(_curve_parts(curve, layout)),
        thresholds=tuple(_thresholds(curve, top)),
    )


def _curve_parts(curve: ScoreCurve, layout: _Layout) -> Iterator[CurvePart]:
    """Yield the scores, each in the middle of its window; the line breaks where no window was scored."""
    if len(curve.probability) == 0:
        return
    x = [_CURVE_WIDTH * layout.x(middle) / 100 for middle in (curve.start_s + curve.end_s) / 2]
    y = _LANE * (1 - np.clip(curve.probability, 0.0, 1.0))
    points = [f"{left:.1f},{height:.2f}" for left, height in zip(x, y.tolist(), strict=True)]
    edges = [0, *_breaks(curve), len(points)]
    for first, last in itertools.pairwise(edges):
        floor = f"{x[last - 1]:.1f},{_LANE} {x[first]:.1f},{_LANE}"
        yield CurvePart(" ".join(points[first:last]), floor)


def _breaks(curve: ScoreCurve) -> list[int]:
    """Indices of points that follow a gap; the distance that thinning out leaves is no gap."""
    usual_s = (curve.end_s[-1] - curve.start_s[0]) / len(curve.start_s)
    return (np.flatnonzero(curve.start_s[1:] - curve.end_s[:-1] > 4 * usual_s) + 1).tolist()


def _thresholds(curve: ScoreCurve, top: int) -> Iterator[Threshold]:
    """Yield both thresholds of a label that raises events; their names keep apart if the lines are close."""
    if not curve.is_decided:
        return
    on_y, off_y = (top + _LANE * (1 - value) for value in (curve.on, curve.off))
    apart = max(0.0, (12 - (off_y - on_y)) / 2)
    yield Threshold("on", curve.on, on_y, on_y + 4 - apart)
    yield Threshold("off", curve.off, off_y, off_y + 4 + apart)


def _event_marks(spans: Iterable[Span], content: PageContent, layout: _Layout) -> Iterator[EventMark]:
    names = _Names()
    for span in spans:
        left, width = layout.span(span.began_s, span.ended_s)
        when = f"{clock(span.began_s)} to {clock(span.ended_s)}"
        yield EventMark(
            priority=content.priority_of(span),
            about=f"{span.label} {when}, decided {clock(span.decided_s)}, score {span.score:.2f}",
            left=left,
            width=width,
            decided_x=layout.x(span.decided_s),
            start_s=span.began_s,
            end_s=span.ended_s,
            name=names.place(span.label, left, width),
        )


def _fault_marks(faults: Iterable[FaultSpan], layout: _Layout) -> Iterator[FaultMark]:
    names = _Names()
    for fault in faults:
        left, width = layout.span(fault.start_s, fault.end_s)
        about = f"{fault.kind} {clock(fault.start_s)} to {clock(fault.end_s)}: {fault.detail}"
        yield FaultMark(about, left, width, fault.start_s, fault.end_s, names.place(fault.kind, left, width))


class _Names:
    """Places the names of one row from left to right so that none covers another, on a wide screen and on a phone."""

    def __init__(self) -> None:
        self._free_from_px = {_WIDE_PX: 0.0, _NARROW_PX: 0.0}

    def place(self, name: str, left: float, width: float) -> Name | None:
        """The name of the mark at `left`: from its left edge on, in the right half up to its right edge."""
        text = _shortened(name)
        is_left_half = left < 50
        at = left if is_left_half else left + width
        anchor = "start" if is_left_half else "end"
        fits = [self._has_room(plot_px, at, text, anchor) for plot_px in (_WIDE_PX, _NARROW_PX)]
        return Name(text, at, anchor, only_wide=not fits[1]) if any(fits) else None

    def _has_room(self, plot_px: int, at: float, text: str, anchor: str) -> bool:
        text_px = _LETTER_PX * len(text)
        left_px = plot_px * at / 100 - (text_px if anchor == "end" else 0)
        if left_px < self._free_from_px[plot_px]:
            return False
        self._free_from_px[plot_px] = left_px + text_px + 8
        return True


def _shortened(name: str) -> str:
    return name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…"
