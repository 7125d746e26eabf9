"""A process and its descendants as /proc shows them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from benchmarks.soak.growth import Reading

_READINGS = 6  # for one reading: a recording that is open for a moment is no leak
_READING_EVERY_S = 0.02


def read(pid: int, progress: float) -> Reading:
    """Measure a process and its descendants; each count is the lowest of several readings."""
    counts = [_counts(pid)]
    for _ in range(_READINGS - 1):
        time.sleep(_READING_EVERY_S)
        counts.append(_counts(pid))
    threads, files, processes, zombies = (min(each) for each in zip(*counts, strict=True))
    pss_kib = sum(memory_kib(each, "Pss") for each in family(pid))
    return Reading(progress, memory_kib(pid, "Rss"), pss_kib, threads, files, processes, zombies)


def family(pid: int) -> list[int]:
    """A process and all its descendants, those that ended included."""
    found = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def _counts(pid: int) -> tuple[int, int, int, int]:
    """Threads, files of the first, processes and zombies."""
    processes = family(pid)
    zombies = sum(_is_zombie(each) for each in processes)
    threads = sum(_entries(f"/proc/{each}/task") for each in processes)
    return threads, _entries(f"/proc/{pid}/fd"), len(processes) - zombies, zombies


def _entries(folder: str) -> int:
    try:
        return len(os.listdir(folder))  # noqa: PTH208 - counted, not walked: some may be gone by then
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its descendants so far, in steps of 10 ms; of children that ended, if waited for."""
    ticks = 0
    for each in family(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_kib(pid: int, kind: str = "Rss") -> int:
    """Resident memory of a process, or its share of it (Pss); 0 for one that is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{kind}:")), 0)
