"""The gate behind the deciders: what reaches the alarms, what is shown, and what a change of mode in mid-sound does."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from hypothesis import given
from hypothesis import strategies as st

from device.alarms.label_gate import LabelGate
from device.messages import Decision, Event, Fault, Heard, LabelMode, Scores

if TYPE_CHECKING:
    from device.messages import Phase

BEGIN = Event("s-cry-cry-0", 0, "cry", "cry", "begin", 0.9, 3.0, None, 6.0, "3 of 4 windows")
END = replace(BEGIN, seq=1, phase="end", end_s=9.0, decided_s=14.0, reason="quiet")
REOPEN = replace(BEGIN, seq=2, phase="reopen", start_s=20.0, decided_s=22.0)
MODES: tuple[LabelMode, ...] = get_args(LabelMode)


def _gate(**modes: LabelMode) -> LabelGate:
    gate = LabelGate()
    gate.use(modes, 0.0)
    return gate


def _sift(gate: LabelGate, *events: Event) -> tuple[list[str], list[str]]:
    """Phases that are shown, and phases for the alarms."""
    sifted = gate.sift(Heard(events=list(events)))
    return [event.phase for event in sifted.visible.events], [event.phase for event in sifted.alarming]


def test_without_modes_all_is_let_through() -> None:
    heard = Heard(
        scores=[Scores("cry", {"cry": 0.9}, 0.0, 2.0)],
        decisions=[Decision("cry", "cry", "on", "on", 0.9, 0.0, 2.0)],
        events=[BEGIN, END],
        faults=[Fault("gap", begins=True, since_s=1.0, at_s=2.0, detail="missing")],
    )
    sifted = LabelGate().sift(heard)
    assert (sifted.visible, sifted.alarming, sifted.logged) == (heard, heard.events, [])


def test_what_is_only_logged_is_shown_and_raises_nothing() -> None:
    gate = _gate(cry="log")
    assert _sift(gate, BEGIN) == (["begin"], [])
    assert gate.sift(Heard(events=[END])).logged == [END]


def test_what_is_off_is_not_shown_with_its_decisions_and_scores_and_faults_are() -> None:
    fault = Fault("silence", begins=True, since_s=1.0, at_s=4.0, detail="zero")
    heard = Heard(
        scores=[Scores("cry", {"cry": 0.9, "whimper": 0.1}, 0.0, 2.0), Scores("scream", {"cry": 0.2}, 0.0, 1.0)],
        decisions=[Decision("cry", label, "on", "on", 0.9, 0.0, 2.0) for label in ("cry", "whimper")],
        events=[BEGIN],
        faults=[fault],
    )
    visible = _gate(cry="off").sift(heard).visible
    assert visible.scores == [Scores("cry", {"whimper": 0.1}, 0.0, 2.0)]
    assert [decision.label for decision in visible.decisions] == ["whimper"]
    assert (visible.events, visible.faults) == ([], [fault])


def test_other_labels_are_not_concerned() -> None:
    assert _sift(_gate(scream="off"), BEGIN, END) == (["begin", "end"], ["begin", "end"])


def test_a_mode_is_of_its_label_whatever_the_model() -> None:
    other = replace(BEGIN, model="lullaby", event_id="s-lullaby-cry-0")
    assert _sift(_gate(cry="log"), BEGIN, other) == (["begin", "begin"], [])


# --- changes in the middle of a sound


def test_an_end_has_its_verdict_as_far_as_it_is_let_through() -> None:
    """What follows a label that is off hears on; whether its verdict is told depends on the event alone."""
    end = replace(END, verdict="hungry")
    hidden = _gate(cry="off").sift(Heard(events=[BEGIN, end]))
    assert (hidden.visible.events, hidden.alarming) == ([], [])
    switched_on = _gate(cry="off")
    switched_on.sift(Heard(events=[BEGIN]))
    (raised,) = switched_on.use({"cry": "alarm"}, 7.0).alarming
    assert (raised.phase, raised.verdict) == ("begin", None)
    assert switched_on.sift(Heard(events=[end])).alarming == [end]
    switched_off = _gate()
    switched_off.sift(Heard(events=[BEGIN]))
    switched_off.use({"cry": "off"}, 7.0)
    assert switched_off.sift(Heard(events=[end])).alarming == [end]


def test_an_alarm_that_was_raised_ends_with_its_sound_whatever_the_mode_is_by_then() -> None:
    for mode in ("log", "off"):
        gate = _gate()
        assert _sift(gate, BEGIN) == (["begin"], ["begin"])
        assert gate.use({"cry": mode}, 8.0).alarming == []
        assert not gate.is_hidden(("cry", "cry"))
        assert _sift(gate, END) == (["end"], ["end"])
        assert gate.is_hidden(("cry", "cry")) == (mode == "off")


def test_a_new_onset_is_judged_by_the_mode_that_holds_then() -> None:
    gate = _gate()
    _sift(gate, BEGIN)
    gate.use({"cry": "log"}, 8.0)
    assert _sift(gate, END, REOPEN) == (["end", "reopen"], ["end"])


def test_a_sound_that_goes_on_when_alarms_are_wanted_raises_one_then() -> None:
    for before, shown in (("log", []), ("off", ["begin"])):
        gate = _gate(cry=before)  # type: ignore[arg-type]  # a mode
        _sift(gate, BEGIN)
        sifted = gate.use({"cry": "alarm"}, 300.0)
        (event,) = sifted.alarming
        assert (event.event_id, event.phase, event.start_s, event.decided_s) == ("s-cry-cry-0", "begin", 3.0, 300.0)
        assert event.reason == "3 of 4 windows; it went on when the schedule let it through"
        assert [each.phase for each in sifted.visible.events] == shown
        assert sifted.logged == []
        assert gate.use({}, 301.0).alarming == []
        assert _sift(gate, END) == (["end"], ["end"])


def test_a_sound_that_goes_on_when_it_is_no_longer_off_is_logged_then() -> None:
    gate = _gate(cry="off")
    _sift(gate, BEGIN)
    sifted = gate.use({"cry": "log"}, 300.0)
    assert (sifted.alarming, [event.phase for event in sifted.logged]) == ([], ["begin"])
    assert _sift(gate, END) == (["end"], [])


def test_a_sound_that_is_over_raises_nothing_afterwards() -> None:
    gate = _gate(cry="off")
    assert _sift(gate, BEGIN, END) == ([], [])
    assert gate.use({"cry": "alarm"}, 300.0).alarming == []


def test_a_reopening_that_was_withheld_is_let_through_as_one() -> None:
    gate = _gate(cry="log")
    _sift(gate, BEGIN, END, REOPEN)
    assert [(event.phase, event.seq) for event in gate.use({}, 30.0).alarming] == [("reopen", 2)]


_steps = st.lists(st.sampled_from(["sound", *MODES]), max_size=30)


@given(_steps)
def test_whatever_the_modes_do_no_open_sound_is_kept_from_the_alarms_and_each_gets_its_end(steps: list[str]) -> None:
    gate, mode, is_on, seq = LabelGate(), "alarm", False, 0
    alarming: list[Event] = []
    for step in steps:
        if step == "sound":
            phase: Phase = "end" if is_on else "reopen" if seq else "begin"
            alarming += gate.sift(Heard(events=[replace(BEGIN, seq=seq, phase=phase)])).alarming
            is_on, seq = not is_on, seq + 1
        else:
            mode = step
            alarming += gate.use({"cry": mode}, 0.0).alarming  # type: ignore[dict-item]  # a mode
        assert [event.phase == "end" for event in alarming] == [index % 2 == 1 for index in range(len(alarming))]
        if mode == "alarm":
            assert (len(alarming) % 2 == 1) == is_on
    assert len({event.seq for event in alarming}) == len(alarming)
