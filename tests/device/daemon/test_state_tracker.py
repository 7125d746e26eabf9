"""The state tracker: the state that follows from audio, results and notices."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest

from device.alarms.label_modes import ModeNow
from device.daemon.alerting.alarm_summary import AlarmSummary
from device.daemon.state_tracker import Identity, SnapshotInputs, StateTracker
from device.hearing.decision import OperatingPoint
from device.hearing.listener import Listener
from device.hearing.listening_model import ListeningLabel, ListeningModel
from device.hearing.spec import FeatureSpec
from device.messages import AudioBlock, Event, Fault, FaultKind, Heard, NoAudio, Notice, OperationNote, Scores

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from device.messages import Phase
    from device.runtime.daemon_state import DaemonState

NOON_S = 1_700_000_000.0
SPEC = FeatureSpec(16000, 32000, 1024, 1024, 500, n_mels=16)
POINT = OperatingPoint(on=0.5, off=0.5, confirm_s=1.0, confirm_of_s=1.0, min_length_s=0.0, hold_s=1.0, cooldown_s=3.0)
INPUTS = SnapshotInputs(
    source="nursery",
    device="USB PnP Sound Device",
    backlog_s=0.25,
    dropped_s=1.5,
    overruns=3,
    reopened=2,
    dropped_notices=4,
    models=("cry 1.0.0",),
    alarms=AlarmSummary(alarms=(), paused=True, owed=7, broker="lost", journal="the disk is full"),
)


class Loud:
    """A network whose scores are always high."""

    probabilities = np.array([0.75], np.float32)

    def classify(self, _features: Sequence[npt.NDArray[np.float32]]) -> Loud:
        return self


def _listener() -> Listener:
    return Listener([ListeningModel("cry", (ListeningLabel("cry", "alarm", POINT),), (SPEC,), Loud())], stream_id="s")


def _tracker() -> StateTracker:
    return StateTracker(Identity("anna", NOON_S - 100, 900.0))


def _state(tracker: StateTracker, listener: Listener | None = None) -> DaemonState:
    return tracker.state(listener or _listener(), INPUTS, utc_s=NOON_S, now_s=1000.0)


def _fault(kind: FaultKind, *, begins: bool = True, model: str = "", at_s: float = 10.0) -> Notice:
    return Notice(NOON_S, "nursery", Fault(kind, begins, at_s - 3.0, at_s, f"it is {kind}", model=model))


def _event(phase: Phase, decided_s: float = 10.0, utc_s: float = NOON_S) -> Notice:
    event = Event("s-cry-cry-0", 0, "cry", "cry", phase, 0.9, decided_s - 3.0, None, decided_s, "3 of 4 windows")
    return Notice(utc_s, "nursery", event, "high")


def _hears(tracker: StateTracker) -> None:
    """A window is scored."""
    block = AudioBlock(np.full(800, 0.1, np.float32), 16000, 0)
    tracker.update(block, Heard(scores=[Scores("cry", {"cry": 0.25}, 0.0, 2.0)]))


def test_before_the_first_window_nothing_is_heard() -> None:
    tracker = _tracker()
    state = _state(tracker)
    assert not state.hearing
    assert (state.sample_rate_hz, state.level_dbfs, state.listened, state.windows) == (None, None, None, None)
    _hears(tracker)
    assert _state(tracker).hearing


def test_what_never_changes_and_what_is_told_by_others_stands_as_it_is() -> None:
    state = _state(_tracker())
    assert (state.instance, state.pid, state.started_utc_s, state.told_utc_s) == (
        "anna",
        os.getpid(),
        NOON_S - 100,
        NOON_S,
    )
    assert state.uptime_s == 100.0
    assert (state.source, state.device, state.models) == ("nursery", "USB PnP Sound Device", ("cry 1.0.0",))
    assert (state.backlog_s, state.dropped_s, state.overruns, state.reopened, state.dropped_notices) == (
        0.25,
        1.5,
        3,
        2,
        4,
    )


def test_how_it_stands_with_alarms_is_told_as_it_is() -> None:
    state = _state(_tracker())
    assert (state.alarms, state.paused, state.owed, state.broker, state.journal) == (
        (),
        True,
        7,
        "lost",
        "the disk is full",
    )


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_a_cry_would_be_heard_under_no_fault_but_those_that_deafen_nobody(kind: FaultKind) -> None:
    tracker = _tracker()
    _hears(tracker)
    tracker.record([_fault(kind)])
    deafening = kind not in {"clipping", "gap", "journal", "broker", "delivery", "self_test", "push", "certificate"}
    assert _state(tracker).hearing is not deafening
    assert tracker.is_deaf is deafening
    tracker.record([_fault(kind, begins=False)])
    assert _state(tracker).hearing


def test_an_open_fault_is_shown_with_when_it_began_until_it_is_over() -> None:
    tracker = _tracker()
    tracker.record([_fault("silence"), _fault("clipping")])
    assert [(fault.kind, fault.since_utc_s, fault.detail) for fault in _state(tracker).faults] == [
        ("silence", NOON_S - 3.0, "it is silence"),
        ("clipping", NOON_S - 3.0, "it is clipping"),
    ]
    assert tracker.is_open("microphone", "clipping")
    assert not tracker.is_open("microphone")
    tracker.record([_fault("silence", begins=False)])
    assert [fault.kind for fault in _state(tracker).faults] == ["clipping"]
    assert _state(tracker).faults_told == 2


def test_of_two_models_that_fail_one_that_recovers_leaves_the_other_failing() -> None:
    tracker = _tracker()
    _hears(tracker)
    tracker.record([_fault("classifier", model="cry"), _fault("classifier", model="lung")])
    tracker.record([_fault("classifier", model="lung", begins=False)])
    assert [fault.kind for fault in _state(tracker).faults] == ["classifier"]
    assert not _state(tracker).hearing
    tracker.record([_fault("classifier", model="cry", begins=False)])
    assert _state(tracker).hearing


def test_gaps_are_counted_however_few_are_told() -> None:
    tracker = _tracker()
    gap = Fault("gap", begins=True, since_s=1.0, at_s=1.1, detail="")
    for _ in range(30):
        tracker.update(AudioBlock(np.zeros(800, np.float32), 16000, 0), Heard(faults=[gap]))
    tracker.record([Notice(NOON_S, "nursery", gap)])
    state = _state(tracker)
    assert (state.gaps, state.faults, state.faults_told) == (30, (), 1)


def test_events_are_counted_and_the_last_one_is_shown() -> None:
    tracker = _tracker()
    tracker.record([_event("begin"), _event("end"), _event("reopen"), _event("end"), _event("begin")])
    state = _state(tracker)
    assert state.events == 2
    assert state.last_event == "cry begin (0.90, 3 of 4 windows)"


def test_a_label_is_on_since_its_sound_began_and_has_its_newest_score() -> None:
    tracker, listener = _tracker(), _listener()
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * 16000).astype(np.float32)
    block = AudioBlock(noise, 16000, 0)
    heard = listener.push(block)
    tracker.update(block, heard)
    tracker.record([_event("begin", decided_s=10.0)])
    (label,) = _state(tracker, listener).labels
    assert (label.model, label.label, label.on, label.score) == ("cry", "cry", True, 0.75)
    assert label.since_utc_s == NOON_S - 3.0
    listener.finish("stopped")
    tracker.record([_event("end")])
    (label,) = _state(tracker, listener).labels
    assert (label.on, label.since_utc_s) == (False, None)


def test_the_level_is_that_of_the_last_second_and_none_where_nothing_comes() -> None:
    tracker = _tracker()
    tracker.update(AudioBlock(np.full(800, 0.1, np.float32), 16000, 0), Heard())
    state = _state(tracker)
    assert state.level_dbfs == pytest.approx(-20.0, abs=0.01)
    assert state.peak_dbfs == pytest.approx(-20.0, abs=0.01)
    assert state.sample_rate_hz == 16000
    tracker.update(NoAudio("unplugged", 0.05, 0.3), Heard())
    assert _state(tracker).level_dbfs is not None
    tracker.update(NoAudio("unplugged", 0.05, 1.3), Heard())
    assert _state(tracker).level_dbfs is None


def test_figures_are_the_listeners_and_sums_run_on_where_it_is_replaced() -> None:
    tracker, first, second = _tracker(), _listener(), _listener()
    noise = np.random.default_rng(0).normal(0, 0.1, 12 * 16000).astype(np.float32)
    first.push(AudioBlock(noise, 16000, 0))
    state = _state(tracker, first)
    assert state.listened == pytest.approx(1.0)
    assert (state.windows, state.windows_scored, state.windows_due) == (1.0, 21, 21)
    assert (state.hop_s, state.configured_hop_s) == (0.5, 0.5)
    tracker.record([_fault("silence"), _event("begin")])
    tracker.replace_listener(first)
    state = _state(tracker, second)
    assert (state.windows_scored, state.windows_due, state.listened) == (21, 21, None)
    assert (state.faults, state.labels[0].score, state.events) == ((), None, 1)
    second.push(AudioBlock(noise, 16000, 0))
    second.change_hop(1.0)
    state = _state(tracker, second)
    assert (state.windows_scored, state.windows_due, state.hop_s) == (42, 42, 1.0)


def test_what_the_daemon_does_is_neither_an_event_nor_a_fault() -> None:
    tracker = _tracker()
    tracker.record([Notice(NOON_S, "nursery", OperationNote("hop", "a window every 1 s"))])
    state = _state(tracker)
    assert (state.events, state.faults_told, state.last_event) == (0, 0, "")


def test_a_reload_is_counted_and_why_it_was_refused_is_shown_until_the_next() -> None:
    tracker = _tracker()
    assert (_state(tracker).reloads, _state(tracker).reload_refused) == (0, "")
    tracker.record_reload(refused="no such file")
    assert (_state(tracker).reloads, _state(tracker).reload_refused) == (1, "no such file")
    tracker.record_reload()
    assert (_state(tracker).reloads, _state(tracker).reload_refused) == (2, "")


def test_that_sound_is_measured_is_no_sign_that_a_cry_would_be_heard() -> None:
    tracker, block = _tracker(), AudioBlock(np.full(800, 0.1, np.float32), 16000, 0)
    tracker.update(block, Heard(scores=[Scores("loudness", {"loud": 0.8}, 0.0, 0.5)]))
    assert not _state(tracker).hearing
    _hears(tracker)
    assert _state(tracker).hearing


def test_the_mode_of_a_label_is_told_and_what_is_hidden_is_neither_on_nor_scored() -> None:
    tracker = _tracker()
    _hears(tracker)
    inputs = replace(INPUTS, modes={"cry": ModeNow("off", "switch", "off")}, hidden=frozenset({("cry", "cry")}))
    (label,) = tracker.state(_listener(), inputs, utc_s=NOON_S, now_s=1000.0).labels
    assert (label.mode, label.mode_cause, label.switch, label.score, label.on) == ("off", "switch", "off", None, False)
    (usual,) = _state(tracker).labels
    assert (usual.mode, usual.mode_cause, usual.switch, usual.score) == ("alarm", "always", None, 0.25)
