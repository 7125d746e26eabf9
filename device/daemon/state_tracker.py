"""Tracks a daemon's current state: open faults, active labels, levels and counts.

Fed with audio, results and notices, it builds a `DaemonState`. Knows no socket and no sink; the clocks are arguments.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from device.alarms.label_modes import ALWAYS
from device.fault_info import DEAFENING, FOUND_BY_DAEMON
from device.hearing.level import Level
from device.messages import LOUDNESS, AudioBlock, Event, Fault
from device.runtime.daemon_state import AlarmStatus, DaemonState, FaultStatus, LabelStatus, installed_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from device.alarms.label_modes import ModeNow
    from device.daemon.alerting.alarm_summary import AlarmSummary
    from device.hearing.listener import Listener
    from device.messages import Alarm, FaultKind, Heard, NightShare, NoAudio, Notice

MOST_ALARMS = 50
"""The most alarms in a state, the most urgent first; every kind of fault and a few models make fewer."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is fixed while a daemon runs."""

    instance: str
    started_utc_s: float
    started_s: float  # monotonic


@dataclass(slots=True)
class _Counts:
    events: int = 0
    faults: int = 0
    gaps: int = 0
    windows_before: int = 0  # of listeners that were replaced
    due_before: int = 0
    listened_before_s: float = 0.0
    reloads: int = 0


@dataclass(frozen=True, slots=True)
class SnapshotInputs:
    """The parts of a state that the tracker does not follow itself, read from their owners for each snapshot."""

    source: str
    device: str
    backlog_s: float
    dropped_s: float
    overruns: int
    reopened: int
    dropped_notices: int
    models: tuple[str, ...]
    alarms: AlarmSummary
    sensitivities: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    modes: Mapping[str, ModeNow] = field(default_factory=dict)
    hidden: frozenset[tuple[str, str]] = frozenset()
    bundles: tuple[str, ...] = ()
    window_age_s: float | None = None
    listening_in: tuple[str, ...] | None = None
    night: NightShare | None = None


class StateTracker:
    """Tracks one daemon.

    Args:
        identity: name and start of the daemon.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._level = Level()
        self._rate_hz: int | None = None
        self._scores: dict[tuple[str, str], float] = {}
        self._since_utc_s: dict[tuple[str, str], float] = {}
        self._faults: dict[tuple[FaultKind, str], FaultStatus] = {}
        self._counts = _Counts()
        self._last_event = ""
        self._reload_refused = ""
        self._begun = False

    @property
    def is_deaf(self) -> bool:
        """Whether a fault is open under which a cry might be missed."""
        return self.is_open(*DEAFENING)

    @property
    def hears(self) -> bool:
        """Whether a cry would be detected now."""
        return self._begun and not self.is_deaf

    def is_open(self, *kinds: FaultKind) -> bool:
        """Whether a fault of one of these kinds is open."""
        return any(kind in kinds for kind, _ in self._faults)

    def update(self, item: AudioBlock | NoAudio, heard: Heard) -> None:
        """Update from an item of the source and the listener's results for it."""
        if isinstance(item, AudioBlock):
            self._level.push(item.samples, item.sample_rate_hz)
            self._rate_hz = item.sample_rate_hz
        elif item.at_s - item.since_s > 1.0:
            self._level.forget()
        self._counts.gaps += sum(fault.kind == "gap" for fault in heard.faults)
        for scores in heard.scores:
            self._begun = self._begun or scores.model != LOUDNESS  # that is no sign that a cry would be detected
            self._scores.update({(scores.model, label): value for label, value in scores.probabilities.items()})

    def record(self, notices: Iterable[Notice]) -> None:
        """Update from the notices that are written to the sinks."""
        for notice in notices:
            if isinstance(notice.content, Event):
                self._record_event(notice, notice.content)
            elif isinstance(notice.content, Fault):
                self._record_fault(notice, notice.content)

    def replace_listener(self, listener: Listener) -> None:
        """Add up the counts of a listener that has ended, and reset what belongs to it alone."""
        total = listener.coverage.total
        self._counts.windows_before += total.scored
        self._counts.due_before += total.due
        self._counts.listened_before_s += total.listened_s
        self._scores.clear()
        self._since_utc_s.clear()
        self._faults = {key: fault for key, fault in self._faults.items() if key[0] in FOUND_BY_DAEMON}

    def record_reload(self, *, refused: str = "") -> None:
        """Count a reload that is over; `refused` says why it changed nothing."""
        self._counts.reloads += 1
        self._reload_refused = refused

    def listened_s(self, listener: Listener) -> float:
        """Seconds that were listened to since the start, by listeners that were replaced too."""
        return self._counts.listened_before_s + listener.coverage.total.listened_s

    def state(self, listener: Listener, inputs: SnapshotInputs, *, utc_s: float, now_s: float) -> DaemonState:
        """A snapshot of the daemon."""
        total, counts = listener.coverage.total, self._counts
        return DaemonState(
            instance=self._identity.instance,
            version=installed_version(),
            pid=os.getpid(),
            started_utc_s=self._identity.started_utc_s,
            told_utc_s=utc_s,
            uptime_s=now_s - self._identity.started_s,
            source=inputs.source,
            device=inputs.device,
            hearing=self.hears,
            sample_rate_hz=self._rate_hz,
            level_dbfs=self._level.rms_dbfs,
            peak_dbfs=self._level.peak_dbfs,
            hop_s=listener.hop_s,
            configured_hop_s=listener.configured_hop_s,
            listened=listener.coverage.listened if total.elapsed_s else None,
            windows=listener.coverage.windows if total.elapsed_s else None,
            backlog_s=inputs.backlog_s,
            labels=tuple(
                self._label_status(key, on=on and key not in inputs.hidden, inputs=inputs)
                for key, on in listener.is_on.items()
            ),
            faults=tuple(self._faults.values()),
            alarms=tuple(_alarm_status(alarm) for alarm in inputs.alarms.alarms[:MOST_ALARMS]),
            paused=inputs.alarms.paused,
            paused_until_utc_s=utc_s + inputs.alarms.paused_for_s if inputs.alarms.paused else None,
            owed=inputs.alarms.owed,
            broker=inputs.alarms.broker,
            broker_reason=inputs.alarms.broker_reason,
            journal=inputs.alarms.journal,
            events=counts.events,
            faults_told=counts.faults,
            gaps=counts.gaps,
            overruns=inputs.overruns,
            reopened=inputs.reopened,
            windows_scored=counts.windows_before + total.scored,
            windows_due=counts.due_before + total.due,
            dropped_s=inputs.dropped_s,
            dropped_notices=inputs.dropped_notices,
            last_event=self._last_event,
            models=inputs.models,
            bundles=inputs.bundles,
            reloads=counts.reloads,
            reload_refused=self._reload_refused,
            commands_rejected=inputs.alarms.commands_rejected,
            push=inputs.alarms.push,
            window_age_s=inputs.window_age_s,
            delivered=inputs.alarms.delivered,
            delivered_late=inputs.alarms.delivered_late,
            listening_in=inputs.listening_in,
            night=inputs.night,
        )

    def _label_status(self, key: tuple[str, str], *, on: bool, inputs: SnapshotInputs) -> LabelStatus:
        since_utc_s = self._since_utc_s.get(key) if on else None
        score = None if key in inputs.hidden else self._scores.get(key)
        sensitivity, now = inputs.sensitivities.get(key, (0, 0)), inputs.modes.get(key[1], ALWAYS)
        return LabelStatus(*key, on, score, since_utc_s, *sensitivity, now.mode, now.cause, now.switch)

    def _record_event(self, notice: Notice, event: Event) -> None:
        key = event.model, event.label
        if event.phase == "end":
            self._since_utc_s.pop(key, None)
        else:
            self._counts.events += event.phase == "begin"
            self._since_utc_s[key] = notice.since_utc_s
        self._last_event = f"{event.label} {event.phase} ({event.score:.2f}, {event.reason})"

    def _record_fault(self, notice: Notice, fault: Fault) -> None:
        self._counts.faults += fault.begins
        if fault.kind == "gap":
            return
        if fault.begins:
            self._faults[fault.kind, fault.model] = FaultStatus(fault.kind, notice.since_utc_s, fault.detail)
        else:
            self._faults.pop((fault.kind, fault.model), None)


def _alarm_status(alarm: Alarm) -> AlarmStatus:
    return AlarmStatus(
        alarm_id=alarm.alarm_id,
        kind=alarm.kind,
        name=alarm.name,
        model=alarm.model,
        priority=alarm.priority,
        state=alarm.state,
        acknowledged=alarm.acknowledged,
        detail=alarm.detail,
    )
