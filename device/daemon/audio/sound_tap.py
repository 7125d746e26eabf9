"""The sound of a source as people who listen in receive it; nothing is kept while nobody does.

The source's thread passes each block to the queue of the main loop as before, and adds a reference to it here. It never
waits and converts nothing: whoever takes the sound does, in a thread of its own. What is not taken in time is dropped,
oldest first.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.resample import Resampler
from device.messages import AudioBlock
from device.runtime.sockets.sound_socket import SOUND_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from device.daemon.audio.source_thread import Source
    from device.messages import NoAudio

    Float32 = npt.NDArray[np.float32]

MOST_BLOCKS = 20
"""One second of a microphone's blocks."""

_FULL_SCALE = 32768


class SoundTap:
    """Holds the newest blocks while it is open."""

    def __init__(self) -> None:
        self._blocks: deque[AudioBlock] = deque(maxlen=MOST_BLOCKS)
        self._is_open = False
        self._resampler: Resampler | None = None
        self._next_sample = 0

    def __repr__(self) -> str:
        return f"SoundTap({'open' if self._is_open else 'shut'}, {len(self._blocks)} blocks)"

    def wrap(self, source: Source) -> Source:
        """The source to read in place of this one."""
        return _TappedSource(source, self)

    def add(self, item: AudioBlock | NoAudio) -> None:
        """Hold a block while somebody listens; from the source's thread."""
        if self._is_open and isinstance(item, AudioBlock):
            self._blocks.append(item)

    # --- for the thread that takes

    def open(self) -> None:
        """Hold blocks from now on; idempotent."""
        self._is_open = True

    def shut(self) -> None:
        """Hold nothing any more; idempotent."""
        self._is_open = False
        self._blocks.clear()
        self._resampler = None

    def take(self) -> bytes:
        """The sound since the last call, or the newest second of it: as `sound_socket` says."""
        taken = []
        while self._blocks:
            taken.append(self._pcm(self._blocks.popleft()))
        return b"".join(taken)

    def _pcm(self, block: AudioBlock) -> bytes:
        """A block at the rate that is sent; the filter begins anew after a gap."""
        resampler, is_next = self._resampler, block.start_sample == self._next_sample and not block.after_gap
        before = b""
        if resampler is None or not is_next or resampler.from_hz != block.sample_rate_hz:
            before = b"" if resampler is None else _int16(resampler.finish())
            resampler = self._resampler = Resampler(block.sample_rate_hz, SOUND_RATE_HZ)
        self._next_sample = block.end_sample
        return before + _int16(resampler.push(block.samples))


class _TappedSource:
    """A source whose items are also added to a tap."""

    def __init__(self, source: Source, tap: SoundTap) -> None:
        self._source = source
        self._tap = tap

    def __repr__(self) -> str:
        return repr(self._source)

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """As those of the source."""
        for item in self._source.blocks():
            self._tap.add(item)
            yield item

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def _int16(samples: Float32) -> bytes:
    """float32 (n,) in [-1, 1] -> 2 n bytes; samples that had 16 bits are as they were."""
    scaled = np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
    return scaled.astype("<i2").tobytes()
