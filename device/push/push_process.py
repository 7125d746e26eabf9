"""The main loop of `auricle push`: from the journal through the ledger to each service, and what phones answer.

It may crash, hang or be killed: the daemon does not wait for it, and it takes up what it owed where it stopped.
Whatever waits for a network or the daemon has a thread of its own; this loop waits for the disk alone.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from device.errors import ServiceError
from device.push.daemon_contact import DaemonContact
from device.push.delivery_lane import MOST_POLL_S, POLL_S, DeliveryLane, LaneTask
from device.push.notification import notification_of, trial_notification
from device.push.outside_watcher import OutsideWatcher
from device.push.owed.alarm_change import AlarmChange
from device.push.owed.daemon_absence import DaemonAbsence
from device.push.owed.journal_follower import JournalFollower
from device.push.owed.notify_rule import NotifyRule
from device.push.owed.owed_ledger import OwedLedger
from device.push.owed.receipt_store import ReceiptStore
from device.push.push_report import PushReport, Trouble
from device.push.services.backoff import Backoff
from device.push.trial_clock import TrialClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo
    from pathlib import Path

    from device.config.settings import Settings
    from device.push.delivery_lane import LaneResult
    from device.push.services.push_service import Acknowledgement
    from device.runtime.clocks import Clocks

TURN_S = 0.5
"""A change reaches the network at most this long after the journal has it."""

CLOSE_S = 1.5
"""How long messages that are under way are waited for at the end."""

PASSED_ON_S = 60.0
"""An acknowledgement that a service repeats is passed on to the daemon again after this time."""

_ABSENT = "absent"
_MOMENT_S = 0.05


@dataclass(frozen=True, slots=True)
class PushPlaces:
    """Where push finds its daemon, and keeps its own.

    Attributes:
        journal: of the daemon.
        receipts: its own file.
        status: the daemon's status socket.
    """

    journal: Path
    receipts: Path
    status: Path


class PushProcess:
    """Everything that `auricle push` does; a context manager.

    Args:
        settings: of the daemon's configuration.
        instance: name of the daemon.
        places: of its files and sockets.
        clocks: both.
        zone: of times in messages and of daily trials; None for the machine's own.
        write_line: receives one line about each change of affairs; from any thread.

    Raises:
        ServiceError: another process has the file of receipts, or it cannot be made.
    """

    def __init__(
        self,
        settings: Settings,
        instance: str,
        *,
        places: PushPlaces,
        clocks: Clocks,
        zone: tzinfo | None,
        write_line: Callable[[str], None],
    ) -> None:
        self._instance, self._clocks, self._zone, self._write_line = instance, clocks, zone, write_line
        self._wake = threading.Event()
        self._store = ReceiptStore(places.receipts)
        if self._store.was_damaged:
            write_line("the file of receipts was damaged and set aside; open alarms are sent again")
        rules = [NotifyRule(each) for each in settings.notify]
        self._ledger = OwedLedger(rules, self._store.load())
        self._follower = JournalFollower(places.journal, self._ledger)
        key = self._store.acknowledge_key()
        self._lanes = [
            DeliveryLane(rule, index, acknowledge_key=key, backoff=Backoff(random.random), wake=self._wake.set)
            for index, rule in enumerate(rules)
        ]
        self._trials = TrialClock(self._store, zone)
        self._absence = DaemonAbsence(self._store.note(_ABSENT), clocks.monotonic())
        self._report = PushReport(write_line)
        self._daemon = DaemonContact(places.status, self._report.as_payload, write_line)
        self._watcher = None if settings.watcher.url_file is None else OutsideWatcher(settings.watcher, self._hears)
        self._passed_on: dict[tuple[str, str], float] = {}

    def __repr__(self) -> str:
        return f"PushProcess({self._instance!r}, {self._ledger!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Keep what is known, and end; what is under way has a moment to be accepted, or it would be sent twice."""
        deadline_s = time.monotonic() + CLOSE_S
        while any(lane.is_busy for lane in self._lanes) and time.monotonic() < deadline_s:
            self._wake.wait(_MOMENT_S)
            self._wake.clear()
            for lane in self._lanes:
                self._take_result(lane)
        for lane in self._lanes:
            lane.close()
        self._save()
        self._daemon.close()
        if self._watcher is not None:
            self._watcher.close()
        self._store.close()

    def wait(self) -> None:
        """Wait until something may have happened, half a second at most."""
        self._wake.wait(TURN_S)
        self._wake.clear()

    def turn(self) -> None:
        """Do all that is due now.

        Raises:
            ServiceError: a thread has ended by a mistake of ours: a new process takes up what is owed.
        """
        self._check_threads()
        now_s = self._clocks.monotonic()
        self._follower.follow(now_s)
        self._watch_daemon(now_s)
        for lane in self._lanes:
            self._take_result(lane)
            if not lane.is_busy:
                self._start_task(lane, now_s)
        self._save()
        self._report.update(self._troubles(now_s), self._owed(), len(self._lanes))

    def _check_threads(self) -> None:
        watcher = () if self._watcher is None else (self._watcher,)
        for part in (self._daemon, *watcher, *self._lanes):
            if not part.is_alive:
                raise ServiceError(f"a thread of push has ended: {part!r}")

    # --- the daemon

    def _hears(self) -> bool:
        """Whether the daemon has said a short time ago that a cry would be detected."""
        view = self._daemon.view
        return view is not None and view.state is not None and view.state.hears and time.monotonic() - view.at_s < 30.0

    def _watch_daemon(self, now_s: float) -> None:
        view = self._daemon.view
        if view is None:
            return
        state, utc_s = view.state, self._clocks.utc()
        change = self._absence.update(answers=state is not None, now_s=now_s, utc_s=utc_s)
        if change is not None:
            self._store.set_note(_ABSENT, self._absence.open_alarm)
            self._ledger.take_own(change, now_s)
        if state is None or not state.journal:
            return
        for alarm in state.alarms:  # the journal is not written: they would come hours late
            if not alarm.acknowledged and not self._ledger.knows(alarm.alarm_id):
                cause = "no disk has this alarm: if this message is lost, so is the alarm"
                change = AlarmChange(
                    alarm_id=alarm.alarm_id,
                    seq=0,
                    utc_s=utc_s,
                    change="raised",
                    kind=alarm.kind,
                    name=alarm.name,
                    model=alarm.model,
                    state=alarm.state,
                    priority=alarm.priority,
                    acknowledged=False,
                    score=None,
                    detail=f"{alarm.detail}; {cause}",
                    cause=cause,
                )
                self._ledger.take_own(change, now_s)

    def _pass_on(self, acknowledgement: Acknowledgement, rule: str, opened_seq: int) -> None:
        """Have the daemon acknowledge; what a service repeats is passed on once a minute."""
        key, now_s = (acknowledgement.alarm_id, f"{rule} {opened_seq}"), self._clocks.monotonic()
        if now_s - self._passed_on.get(key, float("-inf")) < PASSED_ON_S:
            return
        self._passed_on = {known: at_s for known, at_s in self._passed_on.items() if now_s - at_s < PASSED_ON_S}
        self._passed_on[key] = now_s
        self._daemon.acknowledge(acknowledgement)

    # --- the services

    def _start_task(self, lane: DeliveryLane, now_s: float) -> None:
        lane.notice_corrections()
        if not lane.backoff.is_over(now_s):
            return
        utc_s, name = self._clocks.utc(), lane.rule.name
        delivery = self._ledger.next_delivery(name, utc_s=utc_s, now_s=now_s)
        if delivery is not None:
            message = notification_of(delivery, instance=self._instance, utc_s=utc_s, zone=self._zone)
            lane.start(LaneTask("deliver", message, delivery))
        elif self._trials.is_due(lane.rule.settings, utc_s):
            message = trial_notification(self._instance, name, utc_s=utc_s, zone=self._zone)
            lane.start(LaneTask("trial", message))
        elif lane.rule.settings.acknowledge and now_s >= lane.poll_at_s:
            waiting = self._ledger.waiting(name)
            lane.poll_at_s = now_s + lane.poll_pause_s
            if waiting:
                lane.start(LaneTask("poll", waiting=waiting))

    def _take_result(self, lane: DeliveryLane) -> None:
        result = lane.result()
        if result is None:
            return
        if result.task.purpose == "poll":
            self._take_answers(lane, result)
        elif result.failure is not None:
            lane.backoff.failed(result.failure, self._clocks.monotonic())
        else:
            lane.backoff.succeeded()
            if result.task.delivery is not None:
                self._ledger.accept(result.task.delivery, result.receipt)
                lane.poll_at_s = min(lane.poll_at_s, self._clocks.monotonic() + POLL_S)
            else:
                self._trials.done(lane.rule.settings, self._clocks.utc())
                self._write_line(f"{lane.rule.name}: the daily test was accepted")

    def _take_answers(self, lane: DeliveryLane, result: LaneResult) -> None:
        lane.poll_pause_s = POLL_S if result.failure is None else min(2 * lane.poll_pause_s, MOST_POLL_S)
        for found in result.acknowledgements:
            told = result.task.waiting[found.alarm_id]
            self._pass_on(found, lane.rule.name, told.opened_seq)

    # --- what is kept, and reported

    def _save(self) -> None:
        update = self._ledger.unsaved()
        if update is not None and self._store.save(update):
            self._ledger.saved()

    def _owed(self) -> int:
        return sum(self._ledger.owed_to(lane.rule.name) for lane in self._lanes)

    def _troubles(self, now_s: float) -> list[Trouble]:
        found = []
        for lane in self._lanes:
            failure, since_s = lane.backoff.failure, lane.backoff.since_s
            if failure is not None and since_s is not None:
                lasts = failure.obstacle == "refused"
                found.append(Trouble(lane.rule.name, str(failure), now_s - since_s, lasts=lasts))
        if self._follower.since_s is not None:
            found.append(Trouble("journal", self._follower.problem, now_s - self._follower.since_s))
        if self._store.problem:
            why = f"{self._store.problem}: after a restart some messages would come twice"
            found.append(Trouble("receipts", why, 0.0, lasts=True))
        watcher = self._watcher
        if watcher is not None and watcher.since_s is not None:
            found.append(Trouble("watcher", watcher.problem, now_s - watcher.since_s, lasts=watcher.refused))
        return found
