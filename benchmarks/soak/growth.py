"""Decides whether one run of the daemon was flat: the slope of its memory, and what it left open."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from device.runtime.daemon_state import DaemonState

WARM_UP = 0.25
"""Share of a run that is not judged: one-time allocations are done by then."""

SETTLED_KIB = 2048
"""The allocator's own variation over a whole run, in a process of 60 MB: up to 1.5 MB."""

_ENDS_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A process and all its descendants at one moment.

    Attributes:
        progress: of the run: hours of sound, or reopenings.
        rss_kib: resident memory of the process alone.
        pss_kib: memory of all of them, shared pages counted once.
        threads: of all of them.
        files: open descriptors of the process alone.
        processes: number that run.
        zombies: number that ended and were not reaped.
    """

    progress: float
    rss_kib: int
    pss_kib: int
    threads: int
    files: int
    processes: int
    zombies: int


@dataclass(slots=True)
class SoakRun:
    """One daemon from its start to its end, measured from outside.

    Attributes:
        name: of the kind of run.
        unit: of the progress.
        transient_files: files that are open at most moments but not at all: the recording that is played.
        readings: oldest first.
        state: the last status it reported.
        stopped_within_s: seconds from SIGTERM to its exit.
        exit_code: of the process; None before its end.
    """

    name: str
    unit: str
    transient_files: int = 0
    readings: list[Reading] = field(default_factory=list)
    state: DaemonState | None = None
    stopped_within_s: float = 0.0
    exit_code: int | None = None

    @property
    def settled(self) -> list[Reading]:
        """The readings that are judged: those after the warm-up."""
        begins = WARM_UP * self.readings[-1].progress if self.readings else 0.0
        return [reading for reading in self.readings if reading.progress >= begins]

    @property
    def kib_per_unit(self) -> float:
        """Growth of the resident memory (Theil-Sen: the median of the slopes between all pairs of readings)."""
        pairs = combinations(self.settled, 2)
        slopes = [
            (later.rss_kib - earlier.rss_kib) / (later.progress - earlier.progress)
            for earlier, later in pairs
            if later.progress > earlier.progress
        ]
        return median(slopes) if slopes else 0.0

    def complaints(self) -> list[str]:
        """A sentence for each figure that was not flat; empty if all were."""
        settled = self.settled
        if len(settled) < 8:
            return [f"only {len(settled)} readings: too short a run to be judged"]
        third = len(settled) // 3
        early, late = settled[:third], settled[-third:]
        return [
            *self._memory_complaints(settled),
            *self._count_complaints(early, late),
            *(["a process was left unreaped"] if min(reading.zombies for reading in late) else []),
            *self._end_complaints(),
        ]

    def _memory_complaints(self, settled: Sequence[Reading]) -> Iterator[str]:
        span = settled[-1].progress - settled[0].progress
        grown_kib = self.kib_per_unit * span
        if grown_kib > SETTLED_KIB:
            yield f"resident memory grew by {grown_kib:.0f} KiB, {self.kib_per_unit:.1f} KiB per {self.unit}"
        highest_kib = max(reading.rss_kib for reading in settled)
        if highest_kib > settled[0].rss_kib + 2 * SETTLED_KIB:
            yield f"resident memory rose from {settled[0].rss_kib} to {highest_kib} KiB"

    def _count_complaints(self, early: Sequence[Reading], late: Sequence[Reading]) -> Iterator[str]:
        """Counts vary; if nothing leaks, they fall at some moments to their earlier minimum."""
        for name, spare in (("threads", 0), ("files", self.transient_files), ("processes", 0)):
            before = min(getattr(reading, name) for reading in early)
            after = min(getattr(reading, name) for reading in late)
            if after > before + spare:
                yield f"{before} {name} became {after}"

    def _end_complaints(self) -> Iterator[str]:
        if self.exit_code:
            yield f"the daemon ended with exit code {self.exit_code}"
        if self.stopped_within_s > _ENDS_WITHIN_S:
            yield f"the daemon took {self.stopped_within_s:.1f} s to end"


def table(runs: Sequence[SoakRun]) -> str:
    """A row for each run."""
    titles = (
        "life", "lived", "events", "faults", "gaps", "windows scored", "RSS at start, end, most (KiB)",
        "growth (KiB)", "PSS of all (KiB)", "threads", "files", "processes", "verdict",
    )  # fmt: skip
    rows = [titles, tuple("---" for _ in titles), *(_row(run) for run in runs)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(run: SoakRun) -> tuple[str, ...]:
    first, last, state = run.settled[0], run.readings[-1], run.state
    if state is None:
        raise RuntimeError(f"life {run.name} has no status")
    return (
        run.name,
        f"{last.progress:.2f} {run.unit}s",
        *(str(count) for count in (state.events, state.faults_told, state.gaps)),
        f"{state.windows_scored} of {state.windows_due}",
        f"{first.rss_kib}, {last.rss_kib}, {max(reading.rss_kib for reading in run.settled)}",
        f"{run.kib_per_unit:.2f} per {run.unit}",
        str(last.pss_kib),
        *(f"{first_of}, {last_of}" for first_of, last_of in _ends(first, last)),
        "grew" if run.complaints() else "flat",
    )


def _ends(first: Reading, last: Reading) -> Iterator[tuple[int, int]]:
    for name in ("threads", "files", "processes"):
        yield getattr(first, name), getattr(last, name)
