"""What stands behind the routes: the daemon that is followed, the gate, and what the configuration says."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from device.web.classifying.classify_service import ClassifyService
    from device.web.live.daemon_link import DaemonLink
    from device.web.night.happenings import Happenings
    from device.web.night.hearing_record import HearingRecord
    from device.web.night.journal_tail import JournalTail
    from device.web.pages.now_view import PageFacts
    from device.web.server.gatekeeper import Gatekeeper

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


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that routes use.

    Attributes:
        link: to the daemon.
        tail: follows its journal.
        happenings: what its journal and its clips hold.
        hearing: when there was hearing.
        gate: decides who may do what.
        facts: what the configuration says that pages show.
        epoch: of this process, in the ids of events.
        report: writes a line to the log.
        classifying: hears recordings that are sent; None if that is off.
        readers: of streams.
    """

    link: DaemonLink
    tail: JournalTail
    happenings: Happenings
    hearing: HearingRecord
    gate: Gatekeeper
    facts: PageFacts
    epoch: str
    report: Callable[[str], None]
    classifying: ClassifyService | None = None
    readers: Readers = field(default_factory=Readers)
