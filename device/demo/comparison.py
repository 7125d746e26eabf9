"""What was put in beside what was heard, as lines of text, and whether the two agree. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.report.markup import clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from device.demo.scene import Planted
    from device.messages import Event, Scores

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = "_.:-=+*#"
_CELLS = 60
_LEFT_COLUMN = 46
_LANE_MARGIN = 14


@dataclass(frozen=True, slots=True)
class _Told:
    """All phases of one event, in order, and the planted item it belongs to; None where it answers none."""

    phases: tuple[Event, ...]
    answers: Planted | None

    @property
    def first(self) -> Event:
        return self.phases[0]


def timeline(
    planted: Sequence[Planted], events: Sequence[Event], scores: Sequence[Scores], *, plain: bool = True
) -> list[str]:
    """Lines to print: planted items beside what was told about them, then score curves over time.

    Args:
        planted: what was put in, in time order; the last item ends the scene.
        events: all phases of all events, in the order they were told.
        scores: of every window.
        plain: ASCII alone, for what is no terminal.
    """
    told = _told(planted, events)
    return [*_table(planted, told), "", *_lanes(planted, told, scores, _PLAIN_BARS if plain else _BARS)]


def verdict(planted: Sequence[Planted], events: Sequence[Event]) -> tuple[bool, list[str]]:
    """Whether each labelled item was heard, each was told once, and nothing else was; and a sentence for each finding.

    An event answers an item of its own label if it was decided after the item began and counts from before its end.
    That it is reopened within the item is no second alert.
    """
    told = _told(planted, events)
    findings = [_answered(item, [t for t in told if t.answers == item]) for item in planted if item.label]
    findings += [(False, _false_alert(t.first)) for t in told if t.answers is None]
    findings += [(False, _false_alert(phase)) for t in told if t.answers for phase in _strays(t, t.answers)]
    return all(good for good, _ in findings), [sentence for _, sentence in findings]


def _told(planted: Sequence[Planted], events: Sequence[Event]) -> list[_Told]:
    """Events with their phases gathered, in the order of their first phase."""
    phases: dict[str, list[Event]] = {}
    for event in events:
        phases.setdefault(event.event_id, []).append(event)
    return [_Told(tuple(group), next((p for p in planted if _answers(group[0], p)), None)) for group in phases.values()]


def _answers(onset: Event, item: Planted) -> bool:
    return onset.label == item.label and item.start_s <= onset.decided_s and onset.start_s < item.end_s


def _strays(told: _Told, item: Planted) -> list[Event]:
    """Phases that told of something outside the item, although the event began within it."""
    return [phase for phase in told.phases[1:] if phase.phase == "reopen" and not _answers(phase, item)]


def _answered(item: Planted, told: list[_Told]) -> tuple[bool, str]:
    """Whether an item was told once, and the sentence that says so."""
    where = f"{item.what} at {clock(item.start_s, 1)}"
    if not told:
        return False, f"MISSED: {where} was not heard as {item.label}."
    if len(told) > 1:
        return False, f"TOLD {len(told)} TIMES: {where}."
    late_s = told[0].first.decided_s - item.start_s
    return True, f"heard: {where}, {late_s:.1f} s after it began, score {told[0].first.score:.2f}."


def _false_alert(onset: Event) -> str:
    return f"FALSE ALERT: {onset.label} at {clock(onset.decided_s, 1)}, score {onset.score:.2f}: {onset.reason}"


def _table(planted: Sequence[Planted], told: list[_Told]) -> Iterator[str]:
    """Two columns: each planted item, and the phases of the events that belong beside it."""
    yield f"{'PUT IN':<{_LEFT_COLUMN}}HEARD"
    beside: dict[int, list[str]] = {}
    for one in told:
        beside.setdefault(_row(planted, one), []).extend(_phase_line(phase) for phase in one.phases)
    for index, item in enumerate(planted):
        left = f"{clock(item.start_s, 1):>6} - {clock(item.end_s, 1):>6}  {item.what}"
        lines = beside.get(index, ["-"])
        yield f"{left:<{_LEFT_COLUMN}}{lines[0]}"
        yield from (" " * _LEFT_COLUMN + line for line in lines[1:])


def _row(planted: Sequence[Planted], told: _Told) -> int:
    """The item beside which an event is printed: the one it answers, else the last that had begun."""
    if told.answers is not None:
        return planted.index(told.answers)
    return max((i for i, item in enumerate(planted) if item.start_s <= told.first.decided_s), default=0)


def _phase_line(event: Event) -> str:
    when = clock(event.decided_s, 1)
    if event.phase == "end":
        until = "" if event.end_s is None else f", heard until {clock(event.end_s, 1)}"
        return f"{when:>6}  {event.label} is over{until} ({event.reason})"
    again = "begins" if event.phase == "begin" else "begins again"
    return f"{when:>6}  {event.label} {again}, score {event.score:.2f}"


def _lanes(planted: Sequence[Planted], told: list[_Told], scores: Sequence[Scores], bars: str) -> Iterator[str]:
    """Three lanes for each label, a cell for each second or more: what was put in, how sure, what was told."""
    length_s = max([item.end_s for item in planted] + [one.end_s for one in scores] + [1.0])
    cell_s = max(1, -int(-length_s // _CELLS))
    cells = -int(-length_s // cell_s)
    yield _ruler(cells, cell_s)
    for label in _labels(planted, told, scores):
        items = [(item.start_s, item.end_s) for item in planted if item.label == label]
        alerts = [_alert_span(one, length_s) for one in told if one.first.label == label]
        yield f"{label + ' put in':<{_LANE_MARGIN}}{_spans(items, cells, cell_s)}"
        yield f"{'score 0 to 1':<{_LANE_MARGIN}}{_curve(label, scores, cells, cell_s, bars)}".rstrip()
        yield f"{'alert':<{_LANE_MARGIN}}{_spans(alerts, cells, cell_s)}"


def _labels(planted: Sequence[Planted], told: list[_Told], scores: Sequence[Scores]) -> list[str]:
    """Every label that was planted, scored or told, in that order and once."""
    names = [item.label for item in planted if item.label]
    names += [label for one in scores for label in one.probabilities]
    names += [one.first.label for one in told]
    return list(dict.fromkeys(names))


def _alert_span(told: _Told, length_s: float) -> tuple[float, float]:
    """From the deciding of the first phase to that of the end, or to the end of the scene."""
    last = told.phases[-1]
    return told.first.decided_s, last.decided_s if last.phase == "end" else length_s


def _spans(spans: Sequence[tuple[float, float]], cells: int, cell_s: int) -> str:
    """A lane with `#` in each cell that a span touches."""
    touched = [any(start < (i + 1) * cell_s and end > i * cell_s for start, end in spans) for i in range(cells)]
    return "".join("#" if touch else "." for touch in touched)


def _curve(label: str, scores: Sequence[Scores], cells: int, cell_s: int, bars: str) -> str:
    """A lane with the highest probability among the windows that end in each cell; blank where none does."""
    highest: list[float | None] = [None] * cells
    for one in scores:
        if label in one.probabilities:
            cell = min(max(0, -int(-one.end_s // cell_s) - 1), cells - 1)
            highest[cell] = max(highest[cell] or 0.0, one.probabilities[label])
    return "".join(" " if p is None else bars[min(int(p * len(bars)), len(bars) - 1)] for p in highest)


def _ruler(cells: int, cell_s: int) -> str:
    """Times above the lanes, every tenth cell."""
    marks = "".join(f"{clock(tenth * cell_s, 0):<10}" for tenth in range(0, cells, 10))
    return " " * _LANE_MARGIN + marks.rstrip()
