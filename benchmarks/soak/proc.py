"""A process and its descendants as /proc shows them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from benchmarks.soak.growth import Reading

_LOOKS = 6  # at threads and files for one reading: a recording that is open just now is no leak
_LOOK_S = 0.02


def read(pid: int, progress: float) -> Reading:
    """Look at a process and its descendants; what comes and goes is counted at its fewest."""
    looks = [_look(pid)]
    for _ in range(_LOOKS - 1):
        time.sleep(_LOOK_S)
        looks.append(_look(pid))
    threads, files, processes, zombies = (min(counts) for counts in zip(*looks, strict=True))
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


def _look(pid: int) -> tuple[int, int, int, int]:
    """Threads, files of the first, processes and zombies."""
    everyone = family(pid)
    zombies = sum(_is_zombie(each) for each in everyone)
    threads = sum(_entries(f"/proc/{each}/task") for each in everyone)
    return threads, _entries(f"/proc/{pid}/fd"), len(everyone) - zombies, zombies


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


def memory_kib(pid: int, kind: str = "Rss") -> int:
    """Resident memory of a process, or its share of it (Pss); 0 for one that is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{kind}:")), 0)
