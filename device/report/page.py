"""The page of one recording, and the index of many: self-contained HTML that opens without a network.

Both read without a script, print, and follow light and dark. What a file is called, or a model declares, is only
ever text in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from device.quantity import quantity
from device.report.figure import MOST_MARKS, figure
from device.report.markup import render
from device.report.result_files import encode, whole
from device.report.spectrogram import colour_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from device.messages import Priority
    from device.report.curves import ScoreCurve
    from device.report.page_content import ListedLabel, PageContent

_LISTEN_BEFORE_EVENT_S = 1.0
_PRIORITIES: tuple[Priority, ...] = ("high", "medium", "low")
_COLOUR_STOPS = 9


@dataclass(frozen=True, slots=True)
class PageSummary:
    """A recording's line in the index.

    Attributes:
        source: path of the recording as given.
        page: file name of its page, beside the index; None if it has none.
        duration_s: seconds that were listened to.
        events: (label, priority) of each event; a reopened event counts once.
        faults: number of faults.
        notes: sentences that a reader must know, such as why there is no page.
    """

    source: str
    page: str | None
    duration_s: float
    events: tuple[tuple[str, Priority], ...]
    faults: int
    notes: tuple[str, ...] = ()

    def chips(self) -> Iterator[tuple[Priority, str]]:
        """Yield each priority that occurs, most urgent first, with its events counted in words."""
        for priority in _PRIORITIES:
            words = _counted(label for label, of_label in self.events if of_label == priority)
            if words:
                yield priority, words


class HighestScore(NamedTuple):
    """The highest score of a label, and its window."""

    score: float
    start_s: float
    end_s: float


class EventCount(NamedTuple):
    """How many events there were, in words, and the highest priority among them; both empty if there were none."""

    words: str
    highest: str


def summarize(content: PageContent, page: str | None) -> PageSummary:
    """The line of `content` in an index, in which its page is called `page`."""
    first_spans = {span.event_id: span for span in reversed(content.events)}
    return PageSummary(
        source=content.source,
        page=page,
        duration_s=content.duration_s,
        events=tuple((span.label, content.priority_of(span)) for span in reversed(first_spans.values())),
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
        MissingExtraError: Jinja2 is not installed.
        OSError: the file cannot be written.
    """
    pieces = render(
        "page.html",
        has_script=True,
        title=PurePath(content.source).name or content.source,
        content=content,
        index=index,
        figure=figure(content),
        rate=f"{content.sample_rate_hz / 1000:g} kHz" if content.sample_rate_hz else "unknown",
        events=_event_count(content),
        models=", ".join(f"{model.name} {model.version}" for model in content.models),
        labels=_label_rows(content),
        gives_verdicts=any(label.role == "verdict" for _, label in content.labels),
        colour_stops=list(_colour_stops()),
        most_rows=MOST_MARKS,
        before_event_s=_LISTEN_BEFORE_EVENT_S,
    )
    _write(path, pieces)


def write_index(path: str | Path, pages: Sequence[PageSummary]) -> None:
    """Write the index of many recordings, in the order given.

    Raises:
        MissingExtraError: Jinja2 is not installed.
        OSError: the file cannot be written.
    """
    pieces = render(
        "index.html",
        has_script=False,
        title=f"{quantity(len(pages), 'recording')}",
        pages=pages,
        total_s=sum(page.duration_s for page in pages),
        events=_counted(label for page in pages for label, _ in page.events),
    )
    _write(path, pieces)


def _write(path: str | Path, pieces: Iterable[str]) -> None:
    with whole(path) as stream:
        stream.writelines(encode(piece) for piece in pieces)


def _event_count(content: PageContent) -> EventCount:
    events = summarize(content, None).events
    occurring = {priority for _, priority in events}
    highest = next((priority for priority in _PRIORITIES if priority in occurring), "")
    return EventCount(_counted(label for label, _ in events), highest)


def _counted(labels: Iterable[str]) -> str:
    """`cry, cry, scream` -> `2 cry, 1 scream`."""
    counts: dict[str, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    return ", ".join(f"{count} {label}" for label, count in counts.items())


def _label_rows(content: PageContent) -> list[tuple[str, ListedLabel, HighestScore | None]]:
    pairs = zip(content.labels, content.curves, strict=True)
    return [(model, label, _highest(curve)) for (model, label), curve in pairs]


def _highest(curve: ScoreCurve) -> HighestScore | None:
    if len(curve.probability) == 0:
        return None
    best = int(np.argmax(curve.probability))
    return HighestScore(float(curve.probability[best]), float(curve.start_s[best]), float(curve.end_s[best]))


def _colour_stops() -> Iterator[tuple[str, str]]:
    """Yield (offset, colour) along the colour scale, dark to bright."""
    colours = colour_map()[np.linspace(0, 254, _COLOUR_STOPS).astype(int)].tolist()
    for number, (red, green, blue) in enumerate(colours):
        yield f"{number / (_COLOUR_STOPS - 1):g}", f"rgb({red},{green},{blue})"
