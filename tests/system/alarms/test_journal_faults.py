"""The journal with real failures: killed writers, full, read-only and stalled disks; and how much it writes a day."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.entries import Entry
from device.alarms.journal.reading import read_history
from device.alarms.journal.salvage import Salvage, read_wal
from device.alarms.journal.store import Journal
from device.errors import JournalError
from device.findings import Finding
from device.tools.check.journal_check import check_journal
from device.tools.check.machine_checks import check_log
from tests.device.alarms.journal.journal_files import owed_entries
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

_ROUNDS = 25
_BIG = 64_000_000
_SECONDS_A_DAY = 86_400
_ROOT = Path(__file__).resolve().parents[3]

# Commits one entry after another, marks every third as delivered, and prints each once the journal has committed.
_WRITER = """
import sys
from pathlib import Path
from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal

name, number = sys.argv[2], 0
with Journal.open(Path(sys.argv[1]), max_bytes=64_000_000) as journal:
    print("open", flush=True)
    while True:
        number += 1
        entry = Entry(f"{name}-{number}", 0, 1.7e9, number % 2 == 0, '{"state": "active"}', "b" * (number * 37 % 1500))
        journal.append([entry])
        print("kept", entry.alarm_id, flush=True)
        if number % 3 == 0:
            journal.mark_delivered([entry.key])
            print("told", entry.alarm_id, flush=True)
"""

# Submits an entry every 50 ms for 7 s; for 5 s of them no fsync returns.
_STALLED = """
import json, sys, time
from pathlib import Path
from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.daemon.delivery.journal_messages import CommitReceipt
from device.daemon.delivery.journal_writer import JournalWriter
from device.daemon.delivery.outbox import Outbox
from device.sinks.mqtt.send_queue import Held

path, flag = Path(sys.argv[1]), Path(sys.argv[2])
received, late, slowest_s, trouble = {}, {}, 0.0, False

def hear(word):
    if isinstance(word, CommitReceipt):
        received.update((entry.alarm_id, time.monotonic()) for entry in word.entries)

keeper = JournalWriter(lambda: Journal.open(path, max_bytes=64_000_000), hear, outbox=Outbox(20))
keeper.submit([Entry("first", 0, 1.7e9, True, "{}", "{}")])
while "first" not in received:
    time.sleep(0.01)
flag.touch()
submitted, begin_s = {}, time.monotonic()
while (now_s := time.monotonic()) < begin_s + 7.0:
    name = f"alarm-{len(submitted)}"
    submitted[name] = now_s
    keeper.submit([Entry(name, 0, 1.7e9, True, "{}", "{}")])
    slowest_s = max(slowest_s, time.monotonic() - now_s)
    for change in keeper.to_offer(Held(), time.monotonic()):
        if not change.is_committed:
            late.setdefault(change.entry.alarm_id, time.monotonic())
        keeper.acknowledge(change.entry.key)
    trouble = trouble or keeper.failure(time.monotonic()) is not None
    time.sleep(0.05)
closed = keeper.close(20.0)
first = submitted["alarm-0"]
print(json.dumps({
    "submitted": len(submitted), "received": len(received) - 1, "closed": closed, "slowest_s": slowest_s,
    "first_receipt_s": received["alarm-0"] - first, "first_late_s": late["alarm-0"] - first,
    "late": len(late), "trouble": trouble, "trouble_at_end": keeper.failure(time.monotonic()) is not None,
}))
"""

# The first fsync or fdatasync after the flag appears takes 5 s, and removes the flag.
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void stall(void) {
    const char *flag = getenv("STALL_FLAG");
    if (flag && unlink(flag) == 0) sleep(5);
}
int fsync(int descriptor) {
    stall();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
}
int fdatasync(int descriptor) {
    stall();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(descriptor);
}
"""


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT), **more}


def _entry(number: int, *, body_bytes: int = 600, state: str = "ended") -> Entry:
    alarm = json.dumps({"state": state, "detail": "d" * 300})
    return Entry(f"1f3a5b7c9d0e-cry-cry-{number}", 0, 1.7e9 + number, number % 2 == 0, alarm, "b" * body_bytes)


def _mount(*arguments: str) -> None:
    done = subprocess.run([program("mount"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"mount {' '.join(arguments)} failed, it needs root and a mount namespace: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A private file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    _mount("-t", "tmpfs", "-o", "size=1m", "none", str(folder))
    yield folder
    subprocess.run([program("umount"), "--lazy", str(folder)], check=True)


def _fill(folder: Path) -> Path:
    """Write until nothing fits any more."""
    junk = folder / "junk"
    with junk.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return junk


# --- killed


def _killed_writer(path: Path, name: str, after_s: float) -> tuple[set[str], set[str]]:
    """Let a writer write for this long and kill it -> the entries that it reported as (committed, delivered)."""
    command = [sys.executable, "-c", _WRITER, str(path), name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment(), cwd=_ROOT) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "open\n"
        time.sleep(after_s)
        writer.send_signal(signal.SIGKILL)
        lines = [line.split() for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    kept = {words[1] for words in lines if words[0] == "kept"}
    return kept, {words[1] for words in lines if words[0] == "told"}


def test_whenever_a_writer_is_killed_all_that_it_was_told_to_be_kept_is_there(tmp_path: Path) -> None:
    path, chance = tmp_path / "journal.db", random.Random(20261121)
    kept: set[str] = set()
    told: set[str] = set()
    for number in range(_ROUNDS):
        newly_kept, newly_told = _killed_writer(path, f"round{number}", chance.uniform(0.0, 0.25))
        kept, told = kept | newly_kept, told | newly_told
        log = read_wal(path)
        with Journal.open(path, max_bytes=_BIG) as journal:
            # A kill between a commit's header and its page resembles damage: then the file is salvaged, to be safe.
            if journal.salvage is not None:
                assert log.beyond[-1].commits
                _assert_nothing_committed_is_missing(journal.salvage, path, tmp_path / "aside.db")
            there = {entry.alarm_id for entry in journal.history(0.0)}
            owed = {entry.alarm_id for entry in owed_entries(journal)}
            assert kept <= there
            assert kept - told <= owed | _just_told(kept, told)
            assert not owed & told
    assert len(kept) > _ROUNDS


def _assert_nothing_committed_is_missing(salvaged: Salvage, path: Path, copy: Path) -> None:
    """The salvaged journal holds what SQLite recovers of the damaged one; only the commit cut in two is unreadable.

    That commit holds one row, and its checksum cannot show whether it had been whole: it counts as unreadable.
    """
    assert salvaged.set_aside is not None
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{salvaged.set_aside}{suffix}", f"{copy}{suffix}")
    recovered, held = _rows(copy), _rows(path)
    assert recovered.items() <= held.items()
    newest = max(recovered, default=0)
    assert salvaged.unreadable_rows == 0 or (salvaged.unreadable_rows == 1 and len(held) == len(recovered) == newest)


def _rows(path: Path) -> dict[int, tuple[object, ...]]:
    """All entries of a journal: ordinal -> its columns."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return {row[0]: row for row in connection.execute("SELECT ordinal, * FROM entries")}


def _just_told(kept: set[str], told: set[str]) -> set[str]:
    """The last entry of each round may be marked as delivered, its writer killed before it reported that."""
    return {name for name in kept - told if int(name.rsplit("-", 1)[1]) % 3 == 0}


# --- full


def test_on_a_full_disk_the_journal_goes_on_for_as_long_as_what_was_told_can_go(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    with Journal.open(path, max_bytes=_BIG) as journal:
        first = [_entry(number) for number in range(100)]
        journal.append(first, delivered=[entry.key for entry in first])
        _fill(small_disk)
        for number in range(100, 1500):
            journal.append([_entry(number)], delivered=[_entry(number - 1).key])
        newest = list(journal.history(0.0))
        assert newest[-1] == _entry(1499)
        assert [entry.key for entry in owed_entries(journal)] == [_entry(1499).key]
    with Journal.open(path, max_bytes=_BIG) as journal:
        assert list(journal.history(0.0)) == newest
        assert journal.salvage is None


def test_a_disk_that_is_full_of_untold_entries_refuses_and_loses_none_of_them(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    kept: list[Entry] = []
    with Journal.open(path, max_bytes=_BIG) as journal:
        journal.append([_entry(0)])
        kept.append(_entry(0))
        junk = _fill(small_disk)
        with contextlib.suppress(JournalError):
            for number in range(1, 5000):
                journal.append([_entry(number)])
                kept.append(_entry(number))
        assert 100 < len(kept) < 5000  # as far as the reserve lasts
        assert list(journal.history(0.0)) == kept
        assert journal.owed_count() == len(kept)
        with pytest.raises(JournalError, match="is full"):
            journal.append([_entry(5000)])
        junk.unlink()
        journal.append([_entry(5000)])
        assert list(journal.history(0.0)) == [*kept, _entry(5000)]
        assert journal.pruned_undelivered == 0


def test_a_journal_that_is_opened_on_a_full_disk_tells_what_it_owes(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    with Journal.open(path, max_bytes=_BIG) as journal:
        journal.append([_entry(number) for number in range(20)])
    (small_disk / "journal.db.ballast").unlink()
    junk = _fill(small_disk)
    with Journal.open(path, max_bytes=_BIG) as journal:
        assert "is full" in str(journal.refusal)
        assert len(owed_entries(journal)) == 20
        with pytest.raises(JournalError, match="is full"):
            journal.append([_entry(20)])
        junk.unlink()
        journal.append([_entry(20)])
        assert journal.refusal is None
        assert journal.owed_count() == 21


def test_no_journal_can_begin_on_a_full_disk_and_that_is_told(small_disk: Path) -> None:
    _fill(small_disk)
    with pytest.raises(JournalError, match="is full"):
        Journal.open(small_disk / "journal.db", max_bytes=_BIG)


# --- read-only


@pytest.mark.parametrize("left", ["closed", "killed", "without an index"])
def test_on_a_read_only_disk_all_is_read_and_the_next_append_after_it_is_writable_succeeds(
    small_disk: Path, tmp_path: Path, left: str
) -> None:
    entries = [_entry(number, state="active") for number in range(30)]
    with Journal.open(tmp_path / "journal.db", max_bytes=_BIG) as journal:
        journal.append(entries)
        if left != "closed":
            _copy(tmp_path, small_disk)
    if left == "closed":
        _copy(tmp_path, small_disk)
    if left == "without an index":
        (small_disk / "journal.db-shm").unlink()
    _mount("-o", "remount,ro", str(small_disk))
    with Journal.open(small_disk / "journal.db", max_bytes=_BIG) as journal:
        assert journal.refusal is not None
        assert len(journal.open_alarms()) == len(owed_entries(journal)) == 30
        for _ in range(2):
            with pytest.raises(JournalError, match="cannot be written"):
                journal.append([_entry(30)])
        assert list(journal.history(0.0)) == entries
        _mount("-o", "remount,rw", str(small_disk))
        journal.append([_entry(30)])
        assert list(journal.history(0.0)) == [*entries, _entry(30)]
        assert journal.salvage is None
    assert len(list(read_history(small_disk / "journal.db", 0.0))) == 31


@pytest.mark.parametrize("exists", [True, False], ids=["a journal", "no journal yet"])
def test_the_check_says_that_a_file_system_is_read_only_and_not_that_it_is_another_users(
    small_disk: Path, *, exists: bool
) -> None:
    path = small_disk / "journal.db"
    if exists:
        with Journal.open(path, max_bytes=_BIG) as journal:
            journal.append([_entry(0)])
    _mount("-o", "remount,ro", str(small_disk))
    finding = check_journal(path, _BIG, None)
    assert finding == Finding(
        "journal",
        "failure",
        f"the journal {path} cannot be written: the file system under {small_disk} is mounted read-only",
        f"findmnt --target {small_disk} says which one; mount it writable, or name a file on another one; "
        "a card that fails turns read-only: dmesg tells",
    )
    for log in (small_disk / "heard.jsonl", small_disk / "below" / "heard.jsonl"):
        assert check_log(log, 1000).summary == (
            f"the log {log} cannot be written: the file system under {small_disk} is mounted read-only"
        )


def _copy(source: Path, target: Path) -> None:
    for file in source.glob("journal.db*"):
        if not file.name.endswith(".ballast"):
            shutil.copy(file, target)


# --- stalled


@pytest.fixture
def stalling(tmp_path: Path) -> Path:
    """A preloaded library that delays one fsync by 5 s."""
    source, library = tmp_path / "stall.c", tmp_path / "stall.so"
    source.write_text(_SHIM)
    subprocess.run([program("gcc"), "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def test_a_disk_that_stalls_for_5_s_holds_nobody_up_and_people_are_told_from_memory(
    tmp_path: Path, stalling: Path
) -> None:
    flag = tmp_path / "stall-now"
    command = [sys.executable, "-c", _STALLED, str(tmp_path / "journal.db"), str(flag)]
    environment = _environment(LD_PRELOAD=str(stalling), STALL_FLAG=str(flag))
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=_ROOT, timeout=90)
    seen = json.loads(done.stdout)
    assert seen["slowest_s"] < 1.0  # a call of microseconds, on a machine however busy
    assert 4.5 < seen["first_receipt_s"] < 15.0
    assert 1.0 <= seen["first_late_s"] < 3.0
    assert seen["late"] > 20
    assert seen["received"] == seen["submitted"]
    assert seen["closed"]
    assert seen["trouble"]
    assert not seen["trouble_at_end"]
    assert len(list(read_history(tmp_path / "journal.db", 0.0))) == seen["submitted"] + 1


# --- wear of the card


def test_an_alarm_a_minute_writes_at_most_64_mb_a_day(tmp_path: Path) -> None:
    minutes = 120
    with Journal.open(tmp_path / "journal.db", max_bytes=4_000_000) as journal:
        for first in range(0, 3000, 100):  # full, so that each entry needs room to be made
            entries = [_entry(10**6 + first + number) for number in range(100)]
            journal.append(entries, delivered=[entry.key for entry in entries])
        before, told = _written_bytes(), _entry(0).key
        for minute in range(minutes):
            for seq, state in enumerate(["active", "active", "ended"]):  # raised, acknowledged, ended
                entry = _entry(minute, state=state)
                entry = Entry(entry.alarm_id, seq, entry.utc_s, entry.urgent, entry.alarm, entry.body)
                journal.append([entry], delivered=[told])
                told = entry.key
        a_day = (_written_bytes() - before) / (60 * minutes) * _SECONDS_A_DAY
    assert 1e6 < a_day < 64e6


def _written_bytes() -> int:
    """Bytes that the kernel counts for this process: pages sent to a disk or, in memory, bytes written."""
    counts = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return max(int(counts["write_bytes"]), int(counts["wchar"]))
