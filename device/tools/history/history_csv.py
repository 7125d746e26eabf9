"""The changes of alarms as CSV, for programs."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from device.printable import printable
from device.tools.history.history_lines import local_time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo
    from typing import TextIO

    from device.alarms.journal.alarm_changes import AlarmChange

_COLUMNS = (
    "instance",
    "alarm_id",
    "seq",
    "local",
    "decided_utc",
    "start_utc",
    "time_quality",
    "change",
    "kind",
    "name",
    "model",
    "priority",
    "state",
    "acknowledged",
    "score",
    "cause",
    "verdict",
    "detail",
    "told",
)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet computes a cell that starts with one of these: OWASP, CSV injection."""


def write_csv(changes: Iterable[AlarmChange], zone: tzinfo | None, out: TextIO) -> None:
    """Write one row for each change below a row of names; a spreadsheet reads no cell as a formula."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for change in changes:
        own = {"local": local_time(change.entry.utc_s, zone), "told": change.delivered}
        cells = {**change.body, "alarm_id": change.entry.alarm_id, "seq": change.entry.seq, **own}
        writer.writerow([_cell(cells.get(name)) for name in _COLUMNS])


def _cell(value: object) -> object:
    """A number as it is; a text that would be a formula with an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value
    text = printable(str(value))
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
