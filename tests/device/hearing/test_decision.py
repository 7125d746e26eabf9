"""Decisions: each rule by a story, the laws by hypothesis."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from device.hearing.decision import Decider, OperatingPoint
from device.messages import Decision, Event, Scores

POINT = OperatingPoint(on=0.7, off=0.4, confirm_s=1.0, confirm_of_s=2.0, min_length_s=0.0, hold_s=1.5, cooldown_s=5.0)


def _decider(point: OperatingPoint = POINT, hop_s: float = 0.5) -> Decider:
    return Decider(event_prefix="s-cry-cry", model="cry", label="cry", point=point, hop_s=hop_s)


def _scores(index: int, probability: float, hop_s: float = 0.5) -> Scores:
    return Scores("cry", {"cry": probability}, index * hop_s, index * hop_s + 2.0)


def _run(
    decider: Decider, probabilities: list[float], first: int = 0, *, trusted: bool = True
) -> tuple[list[Decision], list[Event]]:
    pushed = [decider.push(_scores(first + i, p), trusted=trusted) for i, p in enumerate(probabilities)]
    return [decision for decision, _ in pushed], [event for _, event in pushed if event is not None]


def _run_at(
    decider: Decider, probabilities: list[float], hop_s: float, first_s: float = 0.0
) -> tuple[list[Decision], list[Event]]:
    starts_s = [first_s + index * hop_s for index in range(len(probabilities))]
    pairs = zip(starts_s, probabilities, strict=True)
    pushed = [decider.push(Scores("cry", {"cry": p}, start_s, start_s + 2.0)) for start_s, p in pairs]
    return [decision for decision, _ in pushed], [event for _, event in pushed if event is not None]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=30))
def test_a_decision_says_whether_its_window_may_be_trusted(windows: list[tuple[float, bool]]) -> None:
    decider = _decider()
    for index, (probability, trusted) in enumerate(windows):
        decision, _ = decider.push(_scores(index, probability), trusted=trusted)
        assert decision.trusted == trusted


def test_one_loud_window_is_not_believed() -> None:
    decisions, events = _run(_decider(), [0.1, 0.99, 0.1, 0.1, 0.1])
    assert events == []
    assert [decision.state for decision in decisions] == ["off", "pending", "pending", "pending", "pending"]
    assert "1 of the last 2 windows count, 2 must" in decisions[1].rule


def test_k_of_n_windows_begin_an_event_that_names_them() -> None:
    _, (event,) = _run(_decider(), [0.1, 0.9, 0.3, 0.8])
    assert (event.event_id, event.seq, event.phase) == ("s-cry-cry-0", 0, "begin")
    assert (event.start_s, event.end_s, event.decided_s) == (0.5, None, 3.5)
    assert event.windows == ((0.5, 0.9), (1.5, 0.8))
    assert event.score == 0.9
    assert event.reason == "2 of 4 windows at or above 0.70"


def test_windows_too_far_apart_confirm_nothing() -> None:
    _, events = _run(_decider(), [0.9, 0.1, 0.1, 0.1, 0.9, 0.1])
    assert events == []


def test_the_threshold_itself_counts() -> None:
    _, events = _run(_decider(), [0.7, 0.7])
    assert len(events) == 1


def test_between_off_and_on_an_event_goes_on() -> None:
    decisions, events = _run(_decider(), [0.9, 0.9, 0.4, 0.5, 0.4, 0.6, 0.4])
    assert len(events) == 1
    assert {decision.state for decision in decisions[1:]} == {"on"}


def test_quiet_for_the_hold_ends_it_at_the_last_window_above_off() -> None:
    decisions, (_, end) = _run(_decider(), [0.9, 0.95, 0.5, 0.1, 0.2, 0.3, 0.1])
    assert (end.phase, end.reason, end.seq) == ("end", "quiet", 1)
    assert (end.start_s, end.end_s, end.decided_s) == (0.0, 3.0, 4.5)
    assert end.score == 0.95
    assert [decision.state for decision in decisions] == ["pending", "on", "on", "holding", "holding", "off", "off"]
    assert "below off 0.40 for 3 of 3 windows" in decisions[5].rule


def test_a_pause_shorter_than_the_hold_does_not_end_it() -> None:
    _, events = _run(_decider(), [0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.9])
    assert len(events) == 1


def test_an_onset_within_the_cooldown_reopens_the_same_event() -> None:
    decider = _decider()
    _, events = _run(decider, [0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1])
    assert [(e.event_id, e.seq, e.phase) for e in events] == [
        ("s-cry-cry-0", 0, "begin"),
        ("s-cry-cry-0", 1, "end"),
        ("s-cry-cry-0", 2, "reopen"),
        ("s-cry-cry-0", 3, "end"),
    ]
    assert events[2].start_s == 3.0
    assert events[3].start_s == 0.0  # the whole event


def test_an_onset_after_the_cooldown_is_a_new_event() -> None:
    _, events = _run(_decider(), [0.9, 0.9, *[0.1] * 20, 0.9, 0.9])
    assert [(e.event_id, e.phase) for e in events] == [
        ("s-cry-cry-0", "begin"),
        ("s-cry-cry-0", "end"),
        ("s-cry-cry-1", "begin"),
    ]


def test_an_onset_after_the_audio_was_lost_is_a_new_event() -> None:
    decider = _decider()
    _run(decider, [0.9, 0.9])
    decider.close("gap", 3.0)
    _, (event,) = _run(decider, [0.9, 0.9], first=6)
    assert (event.event_id, event.phase) == ("s-cry-cry-1", "begin")


def test_a_short_sound_waits_for_its_minimum_length() -> None:
    point = replace(POINT, min_length_s=3.5)
    decisions, events = _run(_decider(point), [0.9, 0.9, 0.9, 0.9])
    assert [decision.state for decision in decisions] == ["pending", "pending", "pending", "on"]
    assert decisions[1].rule == "confirming: 2.50 s long, reported from 3.50 s on"
    assert [event.decided_s for event in events] == [3.5]


def test_a_sound_shorter_than_the_minimum_length_is_not_events() -> None:
    _, events = _run(_decider(replace(POINT, min_length_s=3.5)), [0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1])
    assert events == []


def test_a_suspected_microphone_decides_no_quiet() -> None:
    decider = _decider()
    _run(decider, [0.9, 0.9])
    decisions, events = _run(decider, [0.0] * 10, first=2, trusted=False)
    assert events == []
    assert decisions[-1].state == "holding"
    _, (end,) = _run(decider, [0.0] * 3, first=12)
    assert end.reason == "quiet"


def test_a_suspected_microphone_still_raises_alarms() -> None:
    _, events = _run(_decider(), [0.9, 0.9], trusted=False)
    assert [event.phase for event in events] == ["begin"]


def test_missing_samples_start_confirmation_afresh_and_keep_what_is_open() -> None:
    decider = _decider()
    _run(decider, [0.9])
    decider.restart()
    assert _run(decider, [0.9], first=5)[1] == []
    assert len(_run(decider, [0.9], first=6)[1]) == 1
    decider.restart()
    assert decider.is_on
    assert _run(decider, [0.1, 0.1], first=12)[1] == []


def test_what_is_open_ends_where_the_audio_ends_and_says_why() -> None:
    decider = _decider()
    _run(decider, [0.9, 0.9])
    event = decider.close("deaf", 2.25)
    assert event is not None
    assert (event.phase, event.reason, event.end_s, event.decided_s) == ("end", "deaf", 2.25, 2.25)
    assert decider.close("deaf", 2.25) is None


def test_a_file_of_one_window_is_judged_by_it_and_says_so() -> None:
    decider = _decider()
    assert _run(decider, [0.9])[1] == []
    begin, end = decider.finish(1.2)
    assert begin.reason == "1 of 1 window at or above 0.70; the file has only 1 of 4 windows"
    assert (begin.phase, begin.decided_s) == ("begin", 1.2)
    assert (end.phase, end.reason, end.end_s) == ("end", "end_of_file", 1.2)


def test_a_file_long_enough_is_not_judged_by_fewer_windows() -> None:
    decider = _decider()
    _run(decider, [0.1, 0.9])
    assert decider.finish(2.5) == []


def test_times_in_seconds_hold_at_any_hop() -> None:
    assert (POINT.needed(0.25), POINT.considered(0.25)) == (4, 8)
    assert (POINT.needed(1.0), POINT.considered(1.0)) == (1, 2)
    assert (POINT.needed(2.0), POINT.considered(2.0)) == (1, 1)
    assert replace(POINT, confirm_s=0.75).needed(0.5) == 2  # halves round up


probabilities = st.lists(st.floats(0, 1), max_size=80)
points = st.builds(
    lambda on, ratio, k, n, length, hold, cool: OperatingPoint(on, on * ratio, k, n, length, hold, cool),
    st.floats(0.05, 0.95), st.floats(0.1, 1), st.floats(0, 3), st.floats(0, 6), st.floats(0, 5), st.floats(0, 4),
    st.floats(0, 10),
)  # fmt: skip


@settings(deadline=None)
@given(point=points, values=probabilities)
def test_phases_alternate_and_sequences_count_up(point: OperatingPoint, values: list[float]) -> None:
    decider = _decider(point)
    _, events = _run(decider, values)
    events += decider.finish(len(values) * 0.5 + 2.0)
    by_id: dict[str, list[Event]] = {}
    for event in events:
        by_id.setdefault(event.event_id, []).append(event)
    for phases in by_id.values():
        assert [event.seq for event in phases] == list(range(len(phases)))
        assert [event.phase for event in phases[:1]] == ["begin"]
        assert all(event.phase == "end" for event in phases[1::2])
        assert all(event.phase == "reopen" for event in phases[2::2])
        assert len(phases) % 2 == 0
    assert [event.decided_s for event in events] == sorted(event.decided_s for event in events)


@settings(deadline=None)
@given(point=points, values=probabilities)
def test_an_onset_that_the_rule_describes_is_never_swallowed(point: OperatingPoint, values: list[float]) -> None:
    """Whenever k of the last n windows count, and long enough, the label is on afterwards."""
    decider = _decider(replace(point, min_length_s=0.0))
    k, n = point.needed(0.5), point.considered(0.5)
    since_off = 0
    for index, value in enumerate(values):
        was_on = decider.is_on
        decider.push(_scores(index, value))
        since_off = 0 if was_on else since_off + 1
        recent = values[max(0, index + 1 - min(n, since_off)) : index + 1]
        if not was_on:
            assert decider.is_on == (sum(v >= point.on for v in recent) >= k)


@settings(deadline=None)
@given(point=points, values=probabilities)
def test_every_window_has_a_decision_with_a_rule(point: OperatingPoint, values: list[float]) -> None:
    decisions, _ = _run(_decider(point), values)
    assert [decision.score for decision in decisions] == values
    assert all(decision.rule for decision in decisions)


# --- a hop that changes

HOP_S = 0.5
rehops = st.lists(st.tuples(st.floats(0, 40), st.integers(1, 4)), max_size=8)
patient_points = st.builds(
    lambda k, n, length, hold: OperatingPoint(0.5, 0.5, k, k + n, length, hold, 0.0),
    st.floats(0, 4), st.floats(0, 4), st.floats(0, 8), st.floats(0, 6),
)  # fmt: skip


def _events(point: OperatingPoint, changes: list[tuple[float, int]], *, sound: tuple[float, float]) -> list[Event]:
    """The events of a minute that holds one sound; from each moment on, the hop is a multiple of 0.5 s."""
    decider, due, factor, at_s, events = _decider(point), sorted(changes), 1, 0.0, []
    while at_s < 60:
        heard = 0.9 if sound[0] <= at_s < sound[1] else 0.1
        _, event = decider.push(Scores("cry", {"cry": heard}, at_s, at_s + 2.0))
        events += [event] if event else []
        while due and due[0][0] <= at_s:
            factor = due.pop(0)[1]
            decider.change_hop(factor * HOP_S)
        at_s += factor * HOP_S
    return events


@settings(deadline=None)
@given(point=patient_points, changes=rehops, onset_s=st.floats(4, 12))
def test_a_hop_that_changes_moves_no_confirmation_and_no_end_by_a_widened_hop(
    point: OperatingPoint, changes: list[tuple[float, int]], onset_s: float
) -> None:
    """Counted in whole windows of a hop of 2 s, one window confirmed what wants 2.75 s: 2.5 s too early."""
    constant, changed = (_events(point, each, sound=(onset_s, 32.0)) for each in ([], changes))
    assert [event.phase for event in constant] == [event.phase for event in changed] == ["begin", "end"]
    widest_s = HOP_S * max((factor for _, factor in changes), default=1)
    for event, other in zip(constant, changed, strict=True):
        assert abs(event.decided_s - other.decided_s) <= widest_s - HOP_S + 1e-6


@settings(deadline=None)
@given(point=points, values=probabilities, said=st.sets(st.integers(0, 80)), hop_s=st.sampled_from([0.1, 0.25, 0.5]))
def test_a_hop_that_is_said_again_changes_nothing(
    point: OperatingPoint, values: list[float], said: set[int], hop_s: float
) -> None:
    plain, reminded = _decider(point, hop_s), _decider(point, hop_s)
    for index, value in enumerate(values):
        if index in said:
            reminded.change_hop(hop_s)
        scores = _scores(index, value, hop_s)
        assert plain.push(scores) == reminded.push(scores)


@settings(deadline=None)
@given(point=patient_points, changes=st.lists(st.integers(1, 4), max_size=60))
def test_no_change_of_hop_keeps_a_lasting_sound_from_being_confirmed(point: OperatingPoint, changes: list[int]) -> None:
    decider, at_s = _decider(replace(point, min_length_s=0.0)), 0.0
    for factor in [*changes, *[1] * 20]:
        decider.push(Scores("cry", {"cry": 0.9}, at_s, at_s + 2.0))
        if at_s >= point.confirm_s + 4 * HOP_S:
            assert decider.is_on
        decider.change_hop(factor * HOP_S)
        at_s += factor * HOP_S


def test_one_window_at_a_widened_hop_confirms_nothing_that_wants_longer() -> None:
    decider = _decider(replace(POINT, confirm_s=2.75, confirm_of_s=4.0))
    decider.change_hop(2.0)
    decisions, events = _run_at(decider, [0.9, 0.9], 2.0)
    assert decisions[0].rule.endswith("1 of the last 1 window count, 2 must")
    assert [event.decided_s for event in events] == [4.0]


def test_a_widened_hop_counts_what_was_heard_before_it_by_its_seconds() -> None:
    decider = _decider(replace(POINT, confirm_s=3.0, confirm_of_s=3.0))
    _run(decider, [0.9] * 3)
    decider.change_hop(1.5)
    (begin,) = _run_at(decider, [0.9], 1.5, first_s=2.5)[1]
    assert (begin.start_s, begin.decided_s, begin.reason) == (0.0, 4.5, "4 of 4 windows at or above 0.70")


def test_a_hold_is_as_long_at_a_widened_hop() -> None:
    decider = _decider(replace(POINT, hold_s=3.0))
    _run(decider, [0.9, 0.9, 0.1])
    decider.change_hop(1.5)
    decisions, (end,) = _run_at(decider, [0.1, 0.1], 1.5, first_s=2.5)
    assert [decision.state for decision in decisions] == ["holding", "off"]
    assert (end.end_s, end.decided_s) == (2.5, 6.0)
