"""What the ring of scores tells afterwards: every window of a stretch of time. Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from device.daytime import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.runtime.sockets.recent_hearing import HeardItem
    from device.web.live.score_ring import Stretch

MOST_WINDOWS = 10_000
"""In one answer: more than an hour of one model's."""


def known_spans(stretches: Iterable[Stretch], from_utc_s: float, until_utc_s: float) -> list[dict[str, str]]:
    """The parts of a time that were followed without a miss, as an answer has them."""
    parts = ((max(each.from_utc_s, from_utc_s), min(each.until_utc_s, until_utc_s)) for each in stretches)
    return [{"from_utc": utc_text(begin), "until_utc": utc_text(end)} for begin, end in parts if begin <= end]


def window_rows(items: Iterable[HeardItem]) -> list[dict[str, Any]]:
    """Each window with the scores of its labels, as an answer has them; the first ones if there are too many."""
    rows = (
        {
            "model": scores.model,
            "stream": item.stream,
            "start_s": scores.start_s,
            "end_s": scores.end_s,
            "from_utc": utc_text(item.utc_of(scores.start_s), "milliseconds"),
            "until_utc": utc_text(item.utc_of(scores.end_s), "milliseconds"),
            "scores": scores.probabilities,
        }
        for item in items
        for scores in item.heard.scores
    )
    return list(itertools.islice(rows, MOST_WINDOWS))
