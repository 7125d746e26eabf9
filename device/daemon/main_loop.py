"""The main loop: one thread owns all state and turns, whatever hangs around it.

It takes sound from the queue, lets it be heard, hands on what is to be told, keeps the hop to what the
machine can do, and feeds the watchdog while the pipeline moves. What it stands on is handed in; it
reads the clocks and its two flags, and waits for nothing but the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from device.daemon.audio.audio_queue import SourceEnded
from device.daemon.state_tracker import SnapshotInputs
from device.messages import AudioBlock, Fault, Heard, NoAudio, Notice, OperationNote
from device.runtime.verdict import verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from device.daemon.alerting.controller import AlarmController
    from device.daemon.audio.listening import ModelRunner
    from device.daemon.audio.source_thread import SourceThread
    from device.daemon.delivery.notices import NoticeMaker
    from device.daemon.self_test_schedule import SelfTestSchedule
    from device.daemon.signals import Requests
    from device.daemon.state_tracker import StateTracker
    from device.daemon.watchdog import PipelineHealth
    from device.runtime.clocks import Clocks
    from device.runtime.daemon_state import DaemonState
    from device.runtime.systemd_notify import Notifier

TURN_S = 0.25
"""The loop turns at least this often."""

SNAPSHOT_S = 0.5
SILENT_AFTER_S = 2.5
"""A microphone says something every 250 ms, if only that it hears nothing; one that does not cannot say why."""

DROPPED_TOLD_EVERY_S = 60.0
"""To tell of dropped lines is a line that can be dropped."""

HUNG_AFTER_S = 10.0
"""A console or a disk that takes no line for this long is told of, elsewhere."""


class NoticeSink(Protocol):
    """A way to people that never waits."""

    name: str

    @property
    def dropped(self) -> int:
        """Notices that were dropped, since the start."""

    def write(self, notice: Notice) -> None:
        """Take a notice; never waits."""

    def stuck_for_s(self, now_s: float) -> float:
        """How long it has been busy with one notice."""

    def close(self, deadline_s: float) -> bool:
        """Tell what it holds within the time, and end; whether all was told."""


@dataclass(slots=True, eq=False)
class LoopParts:
    """What the loop stands on; a reload replaces some of it."""

    runner: ModelRunner
    source_thread: SourceThread
    notice_maker: NoticeMaker
    sinks: Sequence[NoticeSink]
    controller: AlarmController
    self_tests: SelfTestSchedule | None = None


class MainLoop:
    """Turns until it is asked to stop, or the source ends.

    Args:
        parts: what it stands on.
        tracker: what is the case.
        health: what feeds the watchdog.
        notifier: the service manager.
        clocks: both.
    """

    def __init__(
        self,
        parts: LoopParts,
        *,
        requests: Requests,
        tracker: StateTracker,
        health: PipelineHealth,
        notifier: Notifier,
        clocks: Clocks,
    ) -> None:
        self.parts = parts
        self.tracker = tracker
        self.snapshot: DaemonState | None = None
        self.ended: SourceEnded | None = None
        self._requests = requests
        self._health = health
        self._notifier = notifier
        self._clocks = clocks
        self._spoke_s = clocks.monotonic()
        self._missed_s = self._snapshot_s = float("-inf")
        self._fed_s = float("-inf")
        self._dropped = 0
        self._dropped_told_s = float("-inf")
        self._hung_since_s: float | None = None
        self._manager_told: object = None

    def __repr__(self) -> str:
        return f"MainLoop({self.parts.runner!r}, {'stopping' if self._requests.stop_wanted else 'turning'})"

    def run(self, reload: Callable[[], None]) -> None:
        """Turn until told otherwise; `reload` is called where that was wanted."""
        while not self._requests.stop_wanted and self.ended is None:
            self.turn()
            if self._requests.pop_reload():
                reload()
        self.finish(self._why_it_ended())

    def _why_it_ended(self) -> str:
        if self.ended is None:
            return "stopped"
        return "end_of_file" if self.ended.error is None else "interrupted"

    def turn(self) -> None:
        """Take one item, or none, and look around."""
        item = self.parts.source_thread.queue.get(TURN_S)
        if isinstance(item, SourceEnded):
            self.ended = item
        elif item is not None:
            self.process(item)
        self.tick()

    def process(self, item: AudioBlock | NoAudio) -> None:
        """One block of sound, or the word that there is none."""
        self._spoke_s = self._clocks.monotonic()
        self._health.item_received(self._spoke_s)
        self._take(item)

    def finish(self, reason: str) -> None:
        """What is open ends; the last word is told."""
        heard = self.parts.runner.finish(reason)
        self.parts.controller.finish_stream(heard)
        self._tell_heard(heard)

    def report(self, *happenings: OperationNote | None) -> None:
        """Tell what the daemon did, or what was done to it."""
        utc_s, name = self._clocks.utc(), self.parts.source_thread.name_at(self.parts.source_thread.newest_s)
        self._tell(Notice(utc_s, name, happening) for happening in happenings if happening is not None)

    def _take(self, item: AudioBlock | NoAudio) -> None:
        now_s = self._clocks.monotonic()
        heard = self.parts.runner.push(item)
        if heard.scores:
            self._health.window_scored(now_s)
        if any(fault.kind == "gap" for fault in heard.faults):
            self._health.gap_found(now_s)
        self.tracker.update(item, heard)
        self.parts.controller.process(item, heard, self.parts.source_thread.newest_s)  # first: lights wait for nothing
        self._tell_heard(heard)

    def _miss_source(self, now_s: float) -> None:
        """A source that hangs is told of for it; nothing here cures it, so the watchdog is not fed by this."""
        source_thread, silent_s = self.parts.source_thread, now_s - self._spoke_s
        if (
            source_thread.waits
            or source_thread.queue.backlog_s
            or silent_s < SILENT_AFTER_S
            or now_s - self._missed_s < 1.0
        ):
            return
        self._missed_s = now_s
        reason = "what reads the microphone hangs; the service manager starts Auricle again where it watches over it"
        self._take(NoAudio(reason, source_thread.newest_s, source_thread.newest_s + silent_s))

    def tick(self) -> None:
        """All that is looked after between two blocks."""
        now_s = self._clocks.monotonic()
        self._miss_source(now_s)
        backlog_s = self.parts.source_thread.queue.backlog_s
        self.report(self.parts.runner.adapt_hop(backlog_s, now_s), self.parts.runner.reopen_failed(now_s))
        self.report(self._lines_dropped(now_s))
        self._check_sinks(now_s)
        self._try_itself()
        said = self.parts.controller.poll(self.parts.source_thread.newest_s)
        self._tell_heard(Heard(faults=said.faults))
        self.report(*said.notes)
        self._show_that_all_is_well(now_s)
        self._feed_watchdog(now_s)
        if now_s - self._snapshot_s >= SNAPSHOT_S:
            self._snapshot_s = now_s
            self.snapshot = self._state(now_s)
            self._tell_manager(self.snapshot)
            self.parts.controller.publish_state(self.snapshot)

    def _try_itself(self) -> None:
        self_tests = self.parts.self_tests
        fault = None if self_tests is None else self_tests.step(self.parts.source_thread.newest_s)
        if fault is not None:
            self.parts.controller.report_fault(fault)

    # --- telling

    def _tell_heard(self, heard: Heard) -> None:
        if not (heard.events or heard.faults):
            return
        newest_s = self.parts.source_thread.newest_s
        at_s = [*(event.decided_s for event in heard.events), *(fault.at_s for fault in heard.faults)]
        name = self.parts.source_thread.name_at(max(at_s))
        self._tell(self.parts.notice_maker.notices(heard, utc_s=self._clocks.utc(), newest_s=newest_s, source=name))

    def _tell(self, notices: Iterable[Notice]) -> None:
        kept = list(notices)
        self.tracker.record(kept)
        for notice in kept:
            for sink in self.parts.sinks:
                sink.write(notice)

    def _check_sinks(self, now_s: float) -> None:
        """A console or a log that hangs is a fault, raised once: its readers learn nothing until it ends."""
        hung = [sink.name for sink in self.parts.sinks if sink.stuck_for_s(now_s) > HUNG_AFTER_S]
        newest_s = self.parts.source_thread.newest_s
        if hung and self._hung_since_s is None:
            since_s = self._hung_since_s = newest_s - HUNG_AFTER_S
            detail = f"the {' and the '.join(hung)} accepted no line for {HUNG_AFTER_S:.0f} s"
            self._raise_delivery_fault(since_s, detail, begins=True)
        elif not hung and self._hung_since_s is not None:
            since_s, self._hung_since_s = self._hung_since_s, None
            self._raise_delivery_fault(since_s, "every line is accepted again", begins=False)

    def _raise_delivery_fault(self, since_s: float, detail: str, *, begins: bool) -> None:
        at_s = self.parts.source_thread.newest_s
        self.parts.controller.report_fault(Fault("delivery", begins=begins, since_s=since_s, at_s=at_s, detail=detail))

    def _lines_dropped(self, now_s: float) -> OperationNote | None:
        dropped = sum(sink.dropped for sink in self.parts.sinks)
        self._dropped = min(self._dropped, dropped)  # a reload's sinks count from 0
        if dropped <= self._dropped or now_s - self._dropped_told_s < DROPPED_TOLD_EVERY_S:
            return None
        fresh, self._dropped, self._dropped_told_s = dropped - self._dropped, dropped, now_s
        return OperationNote("dropped", f"{fresh} lines could not be told in time")

    # --- what others see

    def _show_that_all_is_well(self, now_s: float) -> None:
        """The fail-safe output tells more than the watchdog is told: that a cry would be heard."""
        if self.tracker.hears and self._health.is_healthy(now_s, explained=False):
            self.parts.controller.beat()

    def _feed_watchdog(self, now_s: float) -> None:
        watchdog_s = self._notifier.watchdog_s
        if watchdog_s is None or now_s - self._fed_s < watchdog_s / 4:
            return
        explained = self.tracker.is_open("microphone", "classifier")
        if self._health.is_healthy(now_s, explained=explained) and not self.parts.controller.is_hung:
            self._fed_s = now_s
            self._notifier.watchdog()

    def _tell_manager(self, state: DaemonState) -> None:
        """What `systemctl status` shows: whether it hears; said again only where that changed."""
        key = state.hearing, tuple(fault.kind for fault in state.faults)
        if key != self._manager_told:
            self._manager_told = key
            self._notifier.status(verdict_of(state, state.told_utc_s))

    def _state(self, now_s: float) -> DaemonState:
        parts, source = self.parts, self.parts.source_thread.status()
        around = SnapshotInputs(
            source=parts.source_thread.name_at(parts.source_thread.newest_s),
            device=source.device,
            backlog_s=parts.source_thread.queue.backlog_s,
            dropped_s=parts.source_thread.queue.dropped_s,
            overruns=source.overruns,
            reopened=source.reopened,
            dropped_notices=sum(sink.dropped for sink in parts.sinks),
            models=tuple(f"{model.name} {model.version}" for model in parts.runner.models.listed),
            alarms=parts.controller.summary,
        )
        return self.tracker.state(parts.runner.listener, around, utc_s=self._clocks.utc(), now_s=now_s)
