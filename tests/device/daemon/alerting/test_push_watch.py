"""The daemon's view of push: silence and reported trouble are faults, where somebody is to be notified."""

from __future__ import annotations

from device.commands import PushReport
from device.daemon.alerting.faults.push_watch import CLEAR_AFTER_S, SILENT_AFTER_S, PushWatch


def _report(fault: str = "", owed: int = 0) -> PushReport:
    return PushReport(owed, 2, fault, "auricle")


def test_silence_is_no_fault_unless_somebody_is_to_be_notified() -> None:
    watch = PushWatch(0.0)
    assert watch.update(10_000.0, is_wanted=False) is None
    assert watch.summary(10_000.0) is None


def test_a_process_that_does_not_report_is_a_fault_until_it_does() -> None:
    watch = PushWatch(0.0)
    assert watch.update(0.0, is_wanted=True) is None
    assert watch.summary(1.0) == "auricle push has not reported yet"
    assert watch.update(SILENT_AFTER_S - 1.0, is_wanted=True) is None
    begin = watch.update(SILENT_AFTER_S, is_wanted=True)
    assert begin is not None
    assert (begin.kind, begin.begins) == ("push", True)
    assert begin.detail == "auricle push has not reported for 60 s: it does not run, or hangs"
    assert watch.summary(SILENT_AFTER_S) == "NOT running: auricle push has not reported for 60 s"
    assert watch.update(69.0, is_wanted=True) is None
    watch.receive(_report(), 70.0)
    assert watch.update(70.0, is_wanted=True) is None
    watch.receive(_report(), 70.0 + CLEAR_AFTER_S)
    end = watch.update(70.0 + CLEAR_AFTER_S, is_wanted=True)
    assert end is not None
    assert (end.begins, end.detail.startswith("alarms reach phones again")) == (False, True)
    assert watch.summary(85.0) == "2 rules, nothing is owed"


def test_what_push_reports_is_the_faults_sentence() -> None:
    watch = PushWatch(0.0)
    watch.receive(_report("phone: ntfy.sh refuses the token (HTTP 401)", owed=1), 1.0)
    begin = watch.update(1.0, is_wanted=True)
    assert begin is not None
    assert begin.detail == "phone: ntfy.sh refuses the token (HTTP 401)"
    assert watch.summary(1.0) == ("2 rules, 1 change of an alarm is owed; phone: ntfy.sh refuses the token (HTTP 401)")


def test_a_reload_that_asks_for_push_gives_it_time_to_start_and_one_that_drops_it_ends_the_fault() -> None:
    watch = PushWatch(0.0)
    assert watch.update(1000.0, is_wanted=False) is None
    assert watch.update(1000.0, is_wanted=True) is None
    begin = watch.update(1000.0 + SILENT_AFTER_S, is_wanted=True)
    assert begin is not None
    assert begin.begins
    assert watch.update(1061.0, is_wanted=False) is None
    end = watch.update(1061.0 + CLEAR_AFTER_S, is_wanted=False)
    assert end is not None
    assert not end.begins
