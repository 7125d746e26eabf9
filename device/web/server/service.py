"""What stands behind the routes: the daemon that is followed, the gate, and what the configuration says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from device.web.requests.reader_places import Readers

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.web.classifying.classify_service import ClassifyService
    from device.web.live.daemon_link import DaemonLink
    from device.web.night.happenings import Happenings
    from device.web.night.hearing_record import HearingRecord
    from device.web.night.journal_tail import JournalTail
    from device.web.pages.now_view import PageFacts
    from device.web.requests.gatekeeper import Gatekeeper


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
        lets_listen: whether accounts with the right may listen in.
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
    lets_listen: bool = False
