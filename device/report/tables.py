"""Events as JSON lines, scores as CSV, spans as Audacity label tracks.

Every number has six decimals, so two runs on the same input write the same bytes. Knows neither audio sources nor
clocks.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from device.report.result_files import encode, growing, whole
from device.report.spans import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from device.messages import Event, Priority, Scores
    from device.report.spans import FaultSpan

SCORE_COLUMNS = ("source", "model", "start_s", "end_s", "label", "probability")
_DECIMALS = 6
_LONGEST_NAME_BYTES = 150
_FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
_RESERVED_NAMES = frozenset({"index"})


class EventLines:
    """Events as JSON lines, one object a line; use it as a context manager.

    Lines go straight to the file and are flushed one by one: a follower (`tail -f`) sees an event when it is decided,
    and an interruption loses none of those before it.

    Args:
        path: a file, which is overwritten, or `-` for standard output.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._closing = ExitStack()
        self._stream: BinaryIO | None = self._closing.enter_context(growing(path))

    def write(self, source: str, event: Event, priority: Priority) -> None:
        """Write one event. Raises ValueError after `close`, or for a number that is not finite."""
        self.write_text(event_line(source, event, priority))

    def write_text(self, lines: str) -> None:
        """Write lines that `event_line` made, perhaps in another process."""
        stream = _open_stream(self._stream, self)
        stream.write(encode(lines))
        stream.flush()

    def close(self) -> None:
        """Finish the file; a second call does nothing."""
        self._stream = None
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self._path)!r}{'' if self._stream else ' closed'}>"


class ScoreTable:
    """Probabilities as a CSV table in long form; use it as a context manager.

    The table receives its name when it is closed without an error, because half a table cannot be distinguished from a
    complete one. After an error nothing is left of it.

    Args:
        path: a file, which is replaced, or `-` for standard output.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._closing = ExitStack()
        self._stream: BinaryIO | None = self._closing.enter_context(whole(path))
        self.write_text(_csv_lines([SCORE_COLUMNS]))

    def write(self, source: str, scores: Scores) -> None:
        """Write one row for each label of one window. Raises ValueError after `close`."""
        self.write_text(score_rows(source, scores))

    def write_text(self, rows: str) -> None:
        """Write rows that `score_rows` made, perhaps in another process."""
        _open_stream(self._stream, self).write(encode(rows))

    def close(self) -> None:
        """Finish the table and rename it; a second call does nothing."""
        self._stream = None
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream = None
        self._closing.__exit__(kind, error, traceback)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {str(self._path)!r}{'' if self._stream else ' closed'}>"


def event_line(source: str, event: Event, priority: Priority) -> str:
    """One event as a line of strict JSON, keys in a fixed order, seconds and score to six decimals.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(event_fields(source, event, priority), ensure_ascii=False, allow_nan=False) + "\n"


def event_fields(source: str, event: Event, priority: Priority) -> dict[str, Any]:
    """The members of an event's line, in their order; seconds and score to six decimals."""
    return {
        "event_id": event.event_id,
        "seq": event.seq,
        "source": source,
        "model": event.model,
        "label": event.label,
        "phase": event.phase,
        "start_s": _rounded(event.start_s),
        "end_s": None if event.end_s is None else _rounded(event.end_s),
        "onset_s": None if event.onset_s is None else _rounded(event.onset_s),
        "offset_s": None if event.offset_s is None else _rounded(event.offset_s),
        "decided_s": _rounded(event.decided_s),
        "score": _rounded(event.score),
        "priority": priority,
        "reason": event.reason,
        "verdict": event.verdict,
    }


def score_fields(source: str, scores: Scores) -> list[dict[str, Any]]:
    """One window as objects, one a label, whose members are the columns of `score_rows`; numbers to six decimals."""
    start_s, end_s = _rounded(scores.start_s), _rounded(scores.end_s)
    return [
        dict(zip(SCORE_COLUMNS, (source, scores.model, start_s, end_s, label, _rounded(probability)), strict=True))
        for label, probability in scores.probabilities.items()
    ]


def fault_fields(fault: FaultSpan) -> dict[str, Any]:
    """One fault as an object, seconds to six decimals."""
    return {
        "kind": fault.kind,
        "start_s": _rounded(fault.start_s),
        "end_s": _rounded(fault.end_s),
        "detail": fault.detail,
        "lasted": fault.lasted,
    }


def score_rows(source: str, scores: Scores) -> str:
    """One window as CSV rows (`source,model,start_s,end_s,label,probability`), numbers to six decimals."""
    start_s, end_s = _fixed(scores.start_s), _fixed(scores.end_s)
    source_cell, model_cell = text_cell(source), text_cell(scores.model)
    return _csv_lines(
        (source_cell, model_cell, start_s, end_s, text_cell(label), _fixed(probability))
        for label, probability in scores.probabilities.items()
    )


def text_cell(text: str) -> str:
    """A text as a cell that no spreadsheet takes for a formula: behind an apostrophe if it begins like one."""
    return f"'{text}" if text.startswith(_FORMULA_BEGINNINGS) else text


def label_track(events: Iterable[Event], duration_s: float) -> str:
    """Audacity label track: `start<TAB>end<TAB>label`, a line for each span, estimated seconds to six decimals.

    An event that is still open ends with the sound. Characters in a label that would break a line or a column become
    spaces.
    """
    return "".join(
        f"{_fixed(span.began_s)}\t{_fixed(span.ended_s)}\t{_one_field(span.label)}\n"
        for span in fold(events, duration_s)
    )


def page_names(sources: Sequence[str], suffix: str = ".html") -> list[str]:
    """One file name for each source, for a folder that holds all their pages or label tracks.

    Names are the sources' stems, sanitized: no separators, no control or shell characters, no
    leading dot, at most 150 bytes, never `index`; equal ones (letter case aside) are numbered `-2`, `-3`
    in the order given. The same sources in the same order give the same names.
    """
    taken: set[str] = set(_RESERVED_NAMES)
    names: list[str] = []
    for source in sources:
        name = _free_name(_sanitized_stem(source), taken)
        taken.add(name.casefold())
        names.append(name + suffix)
    return names


def _open_stream(stream: BinaryIO | None, owner: object) -> BinaryIO:
    if stream is None:
        raise ValueError(f"{owner!r} takes no more lines; write before it is closed")
    return stream


def _rounded(value: float) -> float:
    """Round to six decimals, and never to a negative zero."""
    return round(float(value), _DECIMALS) + 0.0


def _fixed(value: float) -> str:
    return f"{_rounded(value):.{_DECIMALS}f}"


def _csv_lines(rows: Iterable[Sequence[str]]) -> str:
    return "".join(map(_csv_line, rows))


def _csv_line(row: Sequence[str]) -> str:
    """One row ending in a newline; written with CR LF first, without which csv leaves a lone CR unquoted."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(row)
    return text.getvalue().removesuffix("\r\n") + "\n"


def _one_field(label: str) -> str:
    return " ".join(label.split()) or "?"


def _sanitized_stem(source: str) -> str:
    stem = Path(source.replace("\\", "/")).stem
    text = unicodedata.normalize("NFC", stem.encode("utf-8", "replace").decode("utf-8"))
    kept = re.sub(r"[^\w .,+=@()\[\]-]", "_", text)
    short = kept.encode("utf-8")[:_LONGEST_NAME_BYTES].decode("utf-8", "ignore")
    return short.strip(" .") or "recording"


def _free_name(stem: str, taken: set[str]) -> str:
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    return name
