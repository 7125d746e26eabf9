"""Why there was an alert, or none, as `--explain` says it; and where nothing is known, that is said with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from device.messages import Event, Fault, Heard
from device.report.explain import Explainer
from device.web.live.circumstances import CircumstanceRecord, Circumstances
from device.web.live.hindsight import Hindsight, Question, hindsight_json, known_spans
from device.web.live.moments import Moment
from device.web.live.score_ring import ScoreRing
from tests.device.web.live.heard_night import HOP_S, NOON_S, window

if TYPE_CHECKING:
    from device.runtime.daemon_state import DaemonState
    from device.runtime.sockets.recent_hearing import HeardItem

PENDING = "confirming: 0.65 is below on 0.70; 1 of the last 4 windows count, 2 must"


def _event(phase: str, seq: int, decided_s: float, end_s: float | None = None) -> Event:
    reason = "quiet" if phase == "end" else "2 of 4 windows at or above 0.70"
    return Event("s-cry-cry-0", seq, "cry", "cry", phase, 0.9, 100.0, end_s, decided_s, reason)  # type: ignore[arg-type]


def _ring(changed: dict[int, HeardItem], count: int = 800) -> ScoreRing:
    ring = ScoreRing()
    for number in range(1, count + 1):
        ring.add(NOON_S + number * HOP_S, [changed.get(number, window(number))], daemon=1)
    return ring


def _asked(ring: ScoreRing, at_s: float, record: CircumstanceRecord | None = None, now_s: float = 1e6) -> Hindsight:
    return Question(ring, record or CircumstanceRecord(), NOON_S + at_s, NOON_S + now_s).answer()


def _night_with_an_alert() -> dict[int, HeardItem]:
    """Its event is told at 104 s, and ends at 300 s."""
    begun = {208: window(208, 0.9, state="on", rule="begin", events=(_event("begin", 0, 104.0),))}
    on = {number: window(number, 0.9, state="on", rule="on") for number in range(209, 597)}
    ended = {600: window(600, 0.1, rule="ended", events=(_event("end", 1, 300.0, 298.0),))}
    return {**begun, **on, **ended}


def test_silence_names_the_surest_window_and_what_kept_it_from_an_alert() -> None:
    found = _asked(_ring({201: window(201, 0.65, state="pending", rule=PENDING)}), 100.0)
    assert found.explanation is not None
    (label,) = found.explanation.labels
    assert label.verdict == f"no alert; surest was 0.650, kept from an alert by: {PENDING}"
    assert [each.end_s for each in label.windows] == [100.5, 101.0, 101.5, 102.0]


def test_it_is_word_for_word_what_a_replay_explains() -> None:
    changed = _night_with_an_alert()
    explainer = Explainer(150.0)
    for number in range(1, 801):
        explainer.heard(changed.get(number, window(number)).heard)
    assert _asked(_ring(changed), 150.0).explanation == explainer.explanation(400.0)


def test_an_alert_is_known_minutes_after_its_beginning_and_before_its_end() -> None:
    found = _asked(_ring(_night_with_an_alert()), 250.0)
    told = hindsight_json(found)
    assert told["is_known"]
    (label,) = told["labels"]
    assert label["verdict"].startswith("an alert, 0.900")
    assert (label["event"]["opened_by"], label["event"]["closed_by"]) == ("2 of 4 windows at or above 0.70", "quiet")
    assert (label["event"]["from_utc"], told["at_s"]) == ("2023-11-14T22:15:00.000Z", 250.0)


def test_an_alert_whose_beginning_the_page_has_not_seen_is_no_silence() -> None:
    ring, changed = ScoreRing(), _night_with_an_alert()
    for number in range(400, 500):
        ring.add(NOON_S + number * HOP_S, [changed[number]], daemon=1)
    found = _asked(ring, 220.0)
    assert found.explanation is not None
    assert found.explanation.labels[0].verdict == "an alert; its beginning came before what this page knows"


def test_an_alert_from_before_a_gap_in_what_is_known_does_not_reach_beyond_it() -> None:
    ring, changed = ScoreRing(), _night_with_an_alert()
    for number in [*range(200, 300), *range(700, 750)]:
        ring.add(NOON_S + number * HOP_S, [changed.get(number, window(number))], daemon=1)
    found = _asked(ring, 360.0)
    assert found.explanation is not None
    assert found.explanation.labels[0].span is None
    assert found.explanation.labels[0].verdict.startswith("no alert; surest was 0.100")


@pytest.mark.parametrize(
    ("at_s", "why"),
    [
        (-100.0, "the page had just been started"),
        (60.0, "the page did not ask the daemon in time, and missed what it heard"),
        (150.0, "no daemon runs"),
        (1000.0, "it is still to come"),
    ],
)
def test_where_nothing_is_known_the_reason_is_said(at_s: float, why: str) -> None:
    ring = ScoreRing()
    for number in [*range(1, 100), *range(150, 200)]:
        ring.add(NOON_S + number * HOP_S, [window(number)], daemon=1)
    ring.miss("no daemon runs")
    found = _asked(ring, at_s, now_s=500.0)
    assert (found.why_unknown, found.explanation) == (why, None)
    assert not hindsight_json(found)["is_known"]


def test_a_microphone_that_was_gone_for_long_is_the_explanation() -> None:
    fault = Fault("microphone", begins=True, since_s=5.0, at_s=7.0, detail="it was unplugged")
    ring = _ring({14: replace(window(14), heard=Heard(faults=[fault]))}, count=14)
    ring.add(NOON_S + 4000.0, [], daemon=1)
    found = _asked(ring, 3000.0)
    assert found.explanation is not None
    assert found.explanation.in_no_window
    assert [(each.kind, each.lasted) for each in found.explanation.faults] == [("microphone", True)]


def test_samples_that_are_missing_are_the_explanation() -> None:
    gap = Fault("gap", begins=True, since_s=100.0, at_s=101.0, detail="1.000 s of sound are missing")
    found = hindsight_json(_asked(_ring({203: window(203, faults=(gap,))}), 100.5))
    assert [(each["kind"], each["detail"]) for each in found["faults"]] == [("gap", "1.000 s of sound are missing")]


def test_a_schedule_and_a_pause_are_said_beside_the_rules(state: DaemonState) -> None:
    record = CircumstanceRecord()
    label = replace(state.labels[0], mode="log", mode_cause="hours")
    record.add(NOON_S + 90.0, Circumstances.of(Moment(1, 0.0, replace(state, labels=(label,), paused=True))))
    assert len(_asked(_ring({}), 100.0, record).circumstances) == 2
    assert _asked(_ring({}), 50.0, record).circumstances == ()


def test_the_surest_moments_near_it_are_apart_from_each_other() -> None:
    loud = {number: window(number, 0.5 + number / 10_000) for number in (300, 301, 302, 400, 500, 600, 799)}
    found = _asked(_ring(loud), 200.0)
    assert [moment.score for moment in found.surest] == [0.5799, 0.56, 0.55]
    assert [round(moment.at_utc_s - NOON_S, 1) for moment in found.surest] == [398.5, 299.0, 249.0]


def test_a_time_that_is_known_in_parts_is_told_in_parts() -> None:
    ring = ScoreRing()
    for number in [*range(1, 5), *range(20, 30)]:
        ring.add(NOON_S + number * HOP_S, [window(number)], daemon=1)
    spans = known_spans(ring.stretches, NOON_S + 1.0, NOON_S + 12.0)
    assert [(each["from_utc"][-4:], each["until_utc"][-4:]) for each in spans] == [(":21Z", ":22Z"), (":30Z", ":32Z")]
