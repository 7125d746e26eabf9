"""An alert is explained, and so is silence."""

from __future__ import annotations

from dataclasses import replace

from device.messages import Decision, Event, Fault, Heard, Scores
from device.report.explain import Explainer


def _heard(start_s: float, score: float, state: str = "off", rule: str = "off: below on") -> Heard:
    end_s = start_s + 2.0
    return Heard(
        scores=[Scores("cry", {"cry": score}, start_s, end_s)],
        decisions=[Decision("cry", "cry", state, rule, score, start_s, end_s)],  # type: ignore[arg-type]  # a state
    )


def _event(phase: str, seq: int, end_s: float | None, decided_s: float) -> Event:
    reason = "quiet" if phase == "end" else "2 of 4 windows at or above 0.70"
    return Event("s-cry-cry-0", seq, "cry", "cry", phase, 0.9, 4.0, end_s, decided_s, reason)  # type: ignore[arg-type]


def test_only_windows_that_hold_the_second_are_shown() -> None:
    explainer = Explainer(5.0)
    for start_s in (2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5):
        explainer.heard(_heard(start_s, 0.1))
    shown = [line for line in explainer.lines("a.wav", 20.0) if "window" in line]
    assert [line.split()[1] for line in shown] == ["3.50", "4.00", "4.50", "5.00"]


def test_silence_names_the_surest_window_and_its_rule() -> None:
    explainer = Explainer(5.0)
    explainer.heard(_heard(4.0, 0.2))
    explainer.heard(_heard(4.5, 0.65, "pending", "confirming: 1 of the last 4 windows count, 2 must"))
    text = "\n".join(explainer.lines("a.wav", 20.0))
    assert "cry/cry: no alert; surest was 0.650, kept from an alert by: confirming: 1 of the last 4" in text


def test_an_alert_names_its_event_and_both_rules() -> None:
    explainer = Explainer(5.0)
    explainer.heard(_heard(4.5, 0.9, "on", "on"))
    explainer.heard(Heard(events=[_event("begin", 0, None, 6.5), _event("end", 1, 9.0, 12.0)]))
    text = "\n".join(explainer.lines("a.wav", 20.0))
    assert "cry/cry: an alert, 0.900 at its highest" in text
    assert "event s-cry-cry-0 from 4.00 to 9.00 s, decided at 6.50 s" in text
    assert "begun by: 2 of 4 windows at or above 0.70; ended by: quiet" in text


def test_an_alert_names_its_verdict_if_there_is_one() -> None:
    explainer = Explainer(5.0)
    explainer.heard(_heard(4.5, 0.9, "on", "on"))
    end = replace(_event("end", 1, 9.0, 12.0), verdict="hungry")
    explainer.heard(Heard(events=[_event("begin", 0, None, 6.5), end]))
    assert "    verdict: hungry" in list(explainer.lines("a.wav", 20.0))


def test_an_alert_that_is_over_explains_no_later_second() -> None:
    explainer = Explainer(15.0)
    explainer.heard(_heard(14.0, 0.1))
    explainer.heard(Heard(events=[_event("begin", 0, None, 6.5), _event("end", 1, 9.0, 12.0)]))
    assert "no alert" in "\n".join(explainer.lines("a.wav", 20.0))


def test_a_deaf_microphone_is_part_of_the_explanation() -> None:
    explainer = Explainer(5.0)
    explainer.heard(Heard(faults=[Fault("silence", begins=True, since_s=4.0, at_s=6.5, detail="all zero")]))
    text = "\n".join(explainer.lines("a.wav", 20.0))
    assert "fault silence, 4.00 to 20.00 s: all zero" in text
    assert "was in no scored window" in text


def test_a_fault_that_is_over_is_not_part_of_it() -> None:
    explainer = Explainer(9.0)
    explainer.heard(_heard(8.0, 0.1))
    faults = [
        Fault("silence", begins=begins, since_s=2.0, at_s=at_s, detail="")
        for begins, at_s in ((True, 4.5), (False, 6.0))
    ]
    explainer.heard(Heard(faults=faults))
    assert "fault" not in "\n".join(explainer.lines("a.wav", 20.0))


def test_a_label_that_raises_nothing_shows_its_scores() -> None:
    explainer = Explainer(1.0)
    explainer.heard(Heard(scores=[Scores("lung", {"normal": 0.8}, 0.0, 2.0)]))
    assert "0.800  its role raises nothing" in "\n".join(explainer.lines("a.wav", 20.0))


def test_a_measured_level_is_explained_and_is_no_scored_window() -> None:
    explainer = Explainer(5.2)
    rule = "off: -52.0 dBFS is below on -30.0 dBFS"
    decision = Decision("loudness", "loud", "off", rule, 0.48, 5.0, 5.5)
    explainer.heard(Heard(scores=[Scores("loudness", {"loud": 0.48}, 5.0, 5.5)], decisions=[decision]))
    text = "\n".join(explainer.lines("a.wav", 20.0))
    assert "was in no scored window" in text
    assert f"loudness/loud: no alert; surest was 0.480, kept from an alert by: {rule}" in text
