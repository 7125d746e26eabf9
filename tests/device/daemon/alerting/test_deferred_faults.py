"""A fault whose listener was taken away is over once it was not found again for a while, and not before."""

from __future__ import annotations

from device.alarms.machine import FOUND_AGAIN_S
from device.daemon.alerting.deferred_faults import DeferredFaults
from device.messages import Fault

END = Fault("silence", begins=False, since_s=1.0, at_s=9.0, detail="it lasted until the audio ended")
AGAIN = Fault("silence", begins=True, since_s=10.0, at_s=12.0, detail="every sample is exactly zero")


def test_what_is_not_found_again_in_time_is_over_once() -> None:
    deferred = DeferredFaults()
    deferred.defer(END, 100.0)
    assert deferred.pop_due(99.9 + FOUND_AGAIN_S) == []
    assert deferred.pop_due(100.0 + FOUND_AGAIN_S) == [END]
    assert deferred.pop_due(1000.0) == []


def test_what_is_found_again_goes_on() -> None:
    deferred = DeferredFaults()
    deferred.defer(END, 100.0)
    deferred.cancel(AGAIN)
    assert deferred.pop_due(1000.0) == []
