"""How fast a backlog leaves the journal, of one alarm or of many, on a disk that is written and on one that refuses."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.daemon.delivery.journal_writer import JournalWriter
from device.daemon.delivery.outbox import Outbox
from device.errors import JournalError
from device.sinks.mqtt.send_queue import Held

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from device.alarms.journal.entries import Key

COUNT = 20_000
WINDOW = 20
_IDLE_S = 3.0
_BYTES = 64_000_000


class _Refusing(Journal):
    """A journal whose disk accepts nothing."""

    def append(
        self, entries: Sequence[Entry], *, delivered: Collection[Key] = (), settled: Sequence[tuple[int, int]] = ()
    ) -> dict[Key, int]:
        raise JournalError(f"the disk refuses {len(entries)} entries, {len(delivered)} and {len(settled)} notes")

    def settle(self, intervals: Sequence[tuple[int, int]]) -> None:
        raise JournalError(f"the disk refuses {len(intervals)} intervals")


def drain() -> None:
    """Print the table."""
    print(f"| {COUNT} owed changes | drained | of many = 1 | CPU once all is acknowledged |\n|---|---:|---:|---:|")
    for disk, opens in (("", Journal), (", the disk refuses", _Refusing)):
        of_many, idle = _drained(opens, changes=1)
        of_one, idle_one = _drained(opens, changes=COUNT)
        print(f"| of {COUNT} alarms{disk} | {of_many:.0f} /s | 1 | {100 * idle:.1f} % |")
        print(f"| of one alarm{disk} | {of_one:.0f} /s | {of_one / of_many:.2f} | {100 * idle_one:.1f} % |")


def _drained(opens: type[Journal], *, changes: int) -> tuple[float, float]:
    """(changes per second, share of one core while nothing is left to do)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder, "journal.db")
        with Journal(path, max_bytes=_BYTES) as journal:
            journal.append([_entry(number // changes, number % changes) for number in range(COUNT)])
        progressed = threading.Event()
        began_s = time.monotonic()
        writer = JournalWriter(
            partial(opens, path, max_bytes=_BYTES), lambda _message: progressed.set(), outbox=Outbox(WINDOW)
        )
        _acknowledge_all(writer, progressed)
        rate = COUNT / (time.monotonic() - began_s)
        spent_s = time.process_time()
        time.sleep(_IDLE_S)
        share = (time.process_time() - spent_s) / _IDLE_S
        writer.close(10.0)
    return rate, share


def _acknowledge_all(writer: JournalWriter, progressed: threading.Event) -> None:
    left = COUNT
    while left:
        progressed.wait(0.05)
        progressed.clear()
        for change in writer.to_offer(Held(), 0.0):
            writer.acknowledge(change.entry.key)
            left -= 1


def _entry(alarm: int, seq: int) -> Entry:
    alarm_id = f"0123456789ab-cry-cry-{alarm}"
    return Entry(alarm_id, seq, 1.7e9, urgent=True, alarm='{"state": "ended"}', body=json.dumps("x" * 600))
