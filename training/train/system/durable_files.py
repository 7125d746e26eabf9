"""Files that are whole or not there: written beside their place, synced, then renamed into it."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to; what was written there takes the place of `path` if the block ends without an error."""
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON, replacing what is there."""
    with replacing(path) as partial:
        partial.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV, replacing what is there."""
    with replacing(path) as partial:
        partial.write_text(_as_csv([columns, *rows]), encoding="utf-8")


def append_row(path: Path, row: Mapping[str, object]) -> None:
    """Add one line to a CSV that several processes may add to; the first one writes the columns."""
    with path.open("a+", encoding="utf-8", newline="") as lines:
        fcntl.flock(lines, fcntl.LOCK_EX)
        header = [] if lines.seek(0, os.SEEK_END) else [list(row)]
        lines.write(_as_csv([*header, list(row.values())]))


def _as_csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
