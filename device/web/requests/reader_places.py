"""The streams of events that are open, counted and bounded."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MOST_READERS = 64
"""Streams of events at once; each costs a connection and some kilobytes."""


@dataclass(slots=True)
class Readers:
    """Counts the open streams of events, and bounds them."""

    count: int = 0

    def take(self) -> ReaderPlace | None:
        """A place for one more; None if there is none."""
        if self.count >= MOST_READERS:
            return None
        self.count += 1
        return ReaderPlace(self)


@dataclass(slots=True)
class ReaderPlace:
    """The place of one stream; given back when the stream ends, however it ends."""

    readers: Readers

    async def hold(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The stream itself."""
        try:
            async with contextlib.aclosing(stream) as open_stream:  # type: ignore[type-var] # an async generator
                async for piece in open_stream:
                    yield piece
        finally:
            self.readers.count -= 1
