"""A stream of which every sample says which one it is, with events in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from device.messages import AudioBlock, Event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

RATE_HZ = 1000
UTC_S = 1740761181.4  # 2025-02-28T16:46:21.4Z
PNG = b"\x89PNG a picture"


def event_at(decided_s: float, *, number: int = 0, label: str = "cry", score: float = 0.97) -> Event:
    return Event(f"s-cry-{label}-{number}", 0, "cry", label, "begin", score, decided_s - 1.0, None, decided_s, "rule")


def level(sample: int) -> int:
    """What a sample of the test's stream is: every one in 32 s differs."""
    return (sample * 31) % 65536 - 32768


def stream(start: int, samples: int) -> npt.NDArray[np.float32]:
    counted = np.arange(start, start + samples)
    return (((counted * 31) % 65536 - 32768) / 32768.0).astype(np.float32)


def blocks(start: int, end: int, size: int = 50, rate_hz: int = RATE_HZ) -> Iterator[AudioBlock]:
    for begin in range(start, end, size):
        yield AudioBlock(stream(begin, min(size, end - begin)), rate_hz, begin)


def with_events(blocks: Iterator[AudioBlock], *events: Event) -> list[AudioBlock | Event]:
    """Each event right behind the first block that ends no sooner than its decision."""
    waiting, items = list(events), list[AudioBlock | Event]()
    for block in blocks:
        items.append(block)
        while waiting and waiting[0].decided_s * block.sample_rate_hz <= block.end_sample:
            items.append(waiting.pop(0))
    return items + waiting


def file_names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
