"""The main loop: one thread that owns all state and turns, whatever hangs around it.

It passes audio from the queue to the models, and their results to alarms, sinks and the state tracker. It adapts the
hop to the machine, and feeds the watchdog while the pipeline is healthy. Its parts are passed in. It reads the clocks
and the requests, and waits for nothing but the queue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.alarms.label_gate import Sifted
from device.calibration.room_watch import RoomWatch
from device.daemon.audio.audio_queue import SourceEnded
from device.daemon.delivery.sink_monitor import SinkMonitor
from device.daemon.state_tracker import SnapshotInputs
from device.messages import LOUDNESS, AudioBlock, Heard, NoAudio, Notice, OperationNote
from device.runtime.sockets.recent_hearing import RecentHearing
from device.runtime.verdict import verdict_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from device.daemon.alerting.controller import AlarmController
    from device.daemon.audio.listening import ModelRunner
    from device.daemon.audio.source_thread import SourceThread
    from device.daemon.delivery.notices import NoticeMaker
    from device.daemon.delivery.sink_monitor import NoticeSink
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
"""Period of snapshots of the state."""

SILENT_AFTER_S = 2.5
"""A microphone delivers an item every 250 ms, if only `NoAudio`; one that is silent for this long hangs."""


@dataclass(slots=True, eq=False)
class LoopParts:
    """What the loop works with; a reload replaces some of it.

    Attributes:
        runner: the models.
        source_thread: the audio source.
        notice_maker: turns results into notices.
        sinks: console and log.
        controller: alarms and their delivery.
        self_tests: None to run none.
    """

    runner: ModelRunner
    source_thread: SourceThread
    notice_maker: NoticeMaker
    sinks: Sequence[NoticeSink]
    controller: AlarmController
    self_tests: SelfTestSchedule | None = None


class MainLoop:
    """Turns until a stop is requested, or the source ends.

    Args:
        parts: what it works with.
        requests: to stop and to reload.
        tracker: tracks the daemon's state.
        health: decides whether the watchdog is fed.
        notifier: the service manager.
        clocks: both clocks.

    Attributes:
        snapshot: the newest state; None before the first.
        ended: how the source ended; None while it runs.
        room_watch: measures the room from what is heard, for whoever asks.
        recent: what was heard in the last seconds, for whoever asks.
        listeners: returns who listens in now; None where nobody can.
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
        self.room_watch = RoomWatch()
        self.recent = RecentHearing(clocks.monotonic)
        self.listeners: Callable[[], tuple[str, ...] | None] = lambda: None
        self._requests = requests
        self._health = health
        self._notifier = notifier
        self._clocks = clocks
        self._item_s = clocks.monotonic()
        self._absence_s = self._snapshot_s = float("-inf")
        self._fed_s = float("-inf")
        self._sink_monitor = SinkMonitor()
        self._manager_status: object = None

    def __repr__(self) -> str:
        return f"MainLoop({self.parts.runner!r}, {'stopping' if self._requests.stop_wanted else 'turning'})"

    def run(self, request_reload: Callable[[], None], step_reload: Callable[[], None] = lambda: None) -> None:
        """Turn to the end.

        Args:
            request_reload: called between two turns if a reload was requested; must not take long.
            step_reload: called between any two turns.
        """
        while not self._requests.stop_wanted and self.ended is None:
            self.turn()
            if self._requests.pop_reload():
                request_reload()
            step_reload()
        self.finish(self._why_it_ended())

    def _why_it_ended(self) -> str:
        if self.ended is None:
            return "stopped"
        return "end_of_file" if self.ended.error is None else "interrupted"

    def turn(self) -> None:
        """Process one item of the source, if one comes in time, then do the periodic work."""
        item = self.parts.source_thread.queue.get(TURN_S)
        if isinstance(item, SourceEnded):
            self.ended = item
        elif item is not None:
            self.process(item)
        self.tick()

    def process(self, item: AudioBlock | NoAudio) -> None:
        """Process one item of the source."""
        self._item_s = self._clocks.monotonic()
        self._health.item_received(self._item_s)
        self._process(item)

    def finish(self, reason: str) -> None:
        """End the stream, its events and the controller's part in it, and report the last results."""
        heard = self.parts.runner.finish(reason)
        sifted = self.parts.controller.finish_stream(heard)
        self._write_results(sifted)

    def report(self, *notes: OperationNote | None) -> None:
        """Write notes to the sinks; None is skipped."""
        utc_s, name = self._clocks.utc(), self.parts.source_thread.name_at(self.parts.source_thread.newest_s)
        self._write(Notice(utc_s, name, note) for note in notes if note is not None)

    def _process(self, item: AudioBlock | NoAudio) -> None:
        now_s = self._clocks.monotonic()
        heard = self.parts.runner.push(item)
        if any(scores.model != LOUDNESS for scores in heard.scores):
            self._health.window_scored(now_s)
        if any(fault.kind == "gap" for fault in heard.faults):
            self._health.gap_found(now_s)
        self.tracker.update(item, heard)
        newest_s = self.parts.source_thread.newest_s
        sifted = self.parts.controller.process(item, heard, newest_s)  # first: lights must not wait
        self._write_results(sifted)
        self.room_watch.update(item, heard)

    def _check_source(self, now_s: float) -> None:
        """Report absent audio for a source that hangs. This does not feed the watchdog, as only a restart helps."""
        source_thread, silent_s = self.parts.source_thread, now_s - self._item_s
        if (
            source_thread.waits
            or source_thread.queue.backlog_s
            or silent_s < SILENT_AFTER_S
            or now_s - self._absence_s < 1.0
        ):
            return
        self._absence_s = now_s
        reason = "what reads the microphone hangs; the service manager starts Auricle again where it watches over it"
        self._process(NoAudio(reason, source_thread.newest_s, source_thread.newest_s + silent_s))

    def tick(self) -> None:
        """The periodic work between two items."""
        now_s = self._clocks.monotonic()
        self._check_source(now_s)
        backlog_s = self.parts.source_thread.queue.backlog_s
        self.report(self.parts.runner.adapt_hop(backlog_s, now_s), self.parts.runner.reopen_failed(now_s))
        self._check_sinks(now_s)
        self._step_self_test()
        polled = self.parts.controller.poll(self.parts.source_thread.newest_s)
        self._write_results(Sifted(Heard(faults=polled.faults)))
        self.report(*polled.notes)
        self._write_results(polled.released)
        self._beat(now_s)
        self._feed_watchdog(now_s)
        if now_s - self._snapshot_s >= SNAPSHOT_S:
            self._snapshot_s = now_s
            self.snapshot = self._state(now_s)
            self._show_status(self.snapshot)
            self.parts.controller.publish_state(self.snapshot)

    def _check_sinks(self, now_s: float) -> None:
        sinks, stream_s = self.parts.sinks, self.parts.source_thread.newest_s
        self.report(self._sink_monitor.dropped_note(sinks, now_s))
        fault = self._sink_monitor.hang_fault(sinks, now_s=now_s, stream_s=stream_s)
        if fault is not None:
            self.parts.controller.report_fault(fault)

    def _step_self_test(self) -> None:
        self_tests = self.parts.self_tests
        fault = None if self_tests is None else self_tests.step(self.parts.source_thread.newest_s)
        if fault is not None:
            self.parts.controller.report_fault(fault)

    # --- notices

    def _write_results(self, sifted: Sifted) -> None:
        heard = sifted.visible
        self._keep(heard)
        if not (heard.events or heard.faults):
            return
        newest_s = self.parts.source_thread.newest_s
        at_s = [*(event.decided_s for event in heard.events), *(fault.at_s for fault in heard.faults)]
        name = self.parts.source_thread.name_at(max(at_s))
        maker, utc_s = self.parts.notice_maker, self._clocks.utc()
        self._write(maker.notices(heard, utc_s=utc_s, newest_s=newest_s, source=name, logged=sifted.logged))

    def _keep(self, heard: Heard) -> None:
        """Keep it for a few seconds, for those who ask why there was an alarm, or none."""
        parts, utc_s = self.parts, self._clocks.utc()
        stream, at_s = parts.runner.listener.stream_id, parts.source_thread.newest_s
        self.recent.add(heard, stream=stream, at_s=at_s, at_utc_s=utc_s, speed=parts.notice_maker.stream_speed)

    def _write(self, notices: Iterable[Notice]) -> None:
        written = list(notices)
        self.tracker.record(written)
        for notice in written:
            for sink in self.parts.sinks:
                sink.write(notice)

    # --- signs of life

    def _beat(self, now_s: float) -> None:
        """Keep the fail-safe output on only while a cry would be detected, which is stricter than the watchdog."""
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

    def _show_status(self, state: DaemonState) -> None:
        """Set the line of `systemctl status`, whether the daemon hears, where it changed."""
        key = state.hearing, tuple(fault.kind for fault in state.faults)
        if key != self._manager_status:
            self._manager_status = key
            self._notifier.status(verdict_of(state, state.told_utc_s))

    def _state(self, now_s: float) -> DaemonState:
        parts, source = self.parts, self.parts.source_thread.status()
        inputs = SnapshotInputs(
            source=parts.source_thread.name_at(parts.source_thread.newest_s),
            device=source.device,
            backlog_s=parts.source_thread.queue.backlog_s,
            dropped_s=parts.source_thread.queue.dropped_s,
            overruns=source.overruns,
            reopened=source.reopened,
            dropped_notices=sum(sink.dropped for sink in parts.sinks),
            models=tuple(f"{model.name} {model.version}" for model in parts.runner.models.listed),
            bundles=tuple(model.sha256 for model in parts.runner.models.listed),
            alarms=parts.controller.summary,
            sensitivities=parts.controller.sensitivities.values,
            modes=parts.controller.schedule.modes,
            hidden=parts.controller.schedule.hidden(parts.runner.listener.is_on),
            window_age_s=self._health.window_age_s(now_s),
            listening_in=self.listeners(),
            night=parts.controller.night.update(self.tracker.listened_s(parts.runner.listener)),
        )
        return self.tracker.state(parts.runner.listener, inputs, utc_s=self._clocks.utc(), now_s=now_s)
