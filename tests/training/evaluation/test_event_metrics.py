"""Each figure of a report, counted by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from device.hearing.decision import OperatingPoint
from tests.training.conftest import change_scored
from training.evaluation import event_metrics
from training.evaluation.detectors import FLOAT, INT8, System
from training.statistics import poisson_rate, roc_auc, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from training.evaluation.runner import ScoredScene

    Make = Callable[..., ScoredScene]

POINT = OperatingPoint(on=0.6, off=0.3, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=5.0, cooldown_s=10.0)
OWN, EXACT = System(INT8, 2.0, POINT), System(FLOAT, 2.0, POINT)


def report(scored: Sequence[ScoredScene], systems: Sequence[System] = (OWN,)) -> dict[str, Any]:
    return event_metrics.report(scored, systems, snr_db=20.0, seed=1)


def row(rows: Sequence[dict[str, Any]], **named: object) -> dict[str, Any]:
    (found,) = [one for one in rows if all(one[name] == value for name, value in named.items())]
    return found


@pytest.fixture
def cries(make_scored: Make) -> list[ScoredScene]:
    """Four cries of three infants in donateacry: one doubtful one is missed, one is decided late."""

    def cry(number: int, subject: str, level: float, **changed: Any) -> ScoredScene:
        alarms_s = (4.5 + changed.pop("delay_s"),) if "delay_s" in changed else ()
        named = {"name": f"donateacry/{number}.wav", "set": "donateacry", "kind": "cry|hungry", "subject": subject}
        return make_scored(**named, is_event=True, level=level, alarms_s=alarms_s, **changed)

    return [
        cry(0, "a", 0.9, delay_s=2.0, sample_rate_hz=8_000),
        cry(1, "a", 0.8, delay_s=3.0),
        cry(2, "b", 0.7, delay_s=4.5),
        cry(3, "c", 0.2, doubtful=True),
    ]


@pytest.fixture
def others(make_scored: Make) -> list[ScoredScene]:
    """Five other clips, of which a cat raises an alert and one background does."""
    return [
        make_scored(name="esc50/cat/1.wav", kind="cat", subject="cat-1", level=0.75, alarms_s=(6.0,)),
        make_scored(name="esc50/cat/2.wav", kind="cat", subject="cat-2", level=0.2),
        make_scored(name="esc50/dog/1.wav", subject="dog-1", level=0.2, background_alarms=1),
        make_scored(name="speech/a.wav", set="speech", kind="speech|adult|x", subject="s-1", level=0.1),
        make_scored(name="speech/b.wav", set="speech", kind="speech|adult|y", subject="s-1", level=0.0),
    ]


@pytest.fixture
def streams(make_scored: Make) -> list[ScoredScene]:
    """Half an hour of loops with two alarms, a quarter of music with none, a quarter of speech with one."""
    usual = {"snr_db": None, "start_s": 0.0}
    loops = make_scored(
        name="ambient/l", set="ambient", kind="ambient|fan", duration_s=1800.0, alarms_s=(3, 9), **usual
    )
    music = make_scored(name="ambient/m", set="ambient", kind="music|flute", duration_s=900.0, **usual)
    speech = make_scored(name="speech:x", set="speech", kind="speech|adult", duration_s=900.0, alarms_s=(5,), **usual)
    return [loops, music, speech]


def test_recall_counts_clips_and_tells_its_interval(cries: list[ScoredScene], others: list[ScoredScene]) -> None:
    found = row(report([*cries, *others])["systems"][0]["cries"], source="donateacry", doubtful="with")
    assert (found["found"], found["clips"], found["subjects"], found["recall"]) == (3, 4, 3, 0.75)
    interval = wilson(3, 4)
    assert (found["recall_low"], found["recall_high"]) == pytest.approx((interval.low, interval.high), abs=1e-5)
    assert found["recall_by_subject_low"] < 0.75 < found["recall_by_subject_high"]


def test_without_the_doubtful_clips_a_source_is_told_again(cries: list[ScoredScene], others: list[ScoredScene]) -> None:
    rows = report([*cries, *others])["systems"][0]["cries"]
    found = row(rows, source="donateacry", doubtful="without")
    assert (found["found"], found["clips"], found["recall"], found["doubtful_clips"]) == (3, 3, 1.0, 0)
    assert not [one for one in rows if one["source"] == "donateacry 8 kHz" and one["doubtful"] == "without"]


def test_auc_ranks_every_source_against_the_same_other_clips(
    cries: list[ScoredScene], others: list[ScoredScene]
) -> None:
    rows = report([*cries, *others])["systems"][0]["cries"]
    negatives = [0.75, 0.2, 0.2, 0.1, 0.0]
    assert row(rows, source="donateacry", doubtful="with")["auc"] == pytest.approx(
        roc_auc([0.9, 0.8, 0.7, 0.2], negatives), abs=1e-5
    )
    half = row(rows, source="donateacry 8 kHz")
    assert half["auc"] == 1.0
    assert half["half_of"] == "donateacry"


def test_without_other_clips_there_is_no_auc(cries: list[ScoredScene]) -> None:
    assert row(report(cries)["systems"][0]["cries"], source="donateacry", doubtful="with")["auc"] is None


def test_babycrys_recordings_are_told_apart(make_scored: Make) -> None:
    scored = [
        make_scored(set="babycry", subject=f"babycry:{name}", is_event=True, alarms_s=(6.0,) * found)
        for name, found in (("margot", 1), ("margot", 1), ("Louise", 0))
    ]
    rows = report(scored)["systems"][0]["cries"]
    assert [(one["source"], one["found"], one["clips"]) for one in rows] == [
        ("babycry Louise", 0, 1),
        ("babycry margot", 2, 2),
    ]


def test_recall_is_told_for_each_level_over_the_background(cries: list[ScoredScene]) -> None:
    drowned = [change_scored(one, snr_db=0.0, alarms_s=()) for one in cries]
    rows = report([*cries, *drowned])["systems"][0]["noise"]
    assert row(rows, source="donateacry", snr_db=20.0)["recall"] == 0.75
    assert row(rows, source="donateacry", snr_db=0.0) == row(rows, source="donateacry", snr_db=0.0) | {
        "found": 0,
        "clips": 4,
    }


def test_only_the_first_level_counts_for_the_figures(cries: list[ScoredScene]) -> None:
    drowned = [change_scored(one, snr_db=0.0, alarms_s=()) for one in cries]
    found = row(report([*cries, *drowned])["systems"][0]["cries"], source="donateacry", doubtful="with")
    assert (found["found"], found["clips"]) == (3, 4)


def test_a_delay_is_counted_from_the_onset_and_a_missed_cry_is_never_in_time(cries: list[ScoredScene]) -> None:
    found = row(report(cries)["systems"][0]["delay"], source="all")
    assert (found["found"], found["in_time"], found["clips"]) == (3, 2, 4)
    assert found["in_time_of_found"] == pytest.approx(2 / 3, abs=1e-5)
    assert found["in_time_of_all"] == 0.5
    assert found["median_s"] == 3.0
    assert found["p95_s"] == pytest.approx(4.35)


def test_a_source_that_was_never_heard_has_no_delay(make_scored: Make) -> None:
    found = row(report([make_scored(is_event=True)])["systems"][0]["delay"], source="esc50")
    assert (found["found"], found["median_s"], found["in_time_of_found"]) == (0, None, None)


def test_missed_cries_are_named(cries: list[ScoredScene]) -> None:
    missed = report(cries)["systems"][0]["missed"]
    assert missed == [{"file": "donateacry/3.wav", "doubtful": True, "level": 0.2}]


def test_other_clips_are_counted_by_set_and_class_the_worst_first(others: list[ScoredScene]) -> None:
    found = report(others)["systems"][0]["others"]
    assert (found["all"]["found"], found["all"]["clips"], found["all"]["share"]) == (1, 5, 0.2)
    assert [(one["set"], one["found"], one["clips"]) for one in found["sets"]] == [("esc50", 1, 3), ("speech", 0, 2)]
    assert [(one["kind"], one["found"], one["clips"]) for one in found["kinds"]] == [
        ("esc50: cat", 1, 2),
        ("esc50: dog", 0, 1),
        ("speech: speech adult", 0, 2),
    ]
    assert found["raised"] == [{"file": "esc50/cat/1.wav", "kind": "esc50: cat", "level": 0.75}]


def test_the_set_of_other_clips_is_listed(others: list[ScoredScene]) -> None:
    listed = report(others)["others"]
    assert (listed["clips"], listed["subjects"]) == (5, 4)
    assert listed["sets"] == {"esc50": 3, "speech": 2}
    assert listed["kinds"] == {"esc50: cat": 2, "esc50: dog": 1, "speech: speech adult": 2}
    assert listed["files_sha256"] == report(others[::-1])["others"]["files_sha256"]
    assert listed["files_sha256"] != report(others[1:])["others"]["files_sha256"]


def test_false_alarms_are_counted_by_the_hour_of_each_sound(streams: list[ScoredScene]) -> None:
    hours = report(streams)["systems"][0]["hours"]
    rates = {one["sound"]: (one["alarms"], one["hours"], one["per_hour"]) for one in hours["sounds"]}
    assert rates == {"ambient": (2, 0.5, 4.0), "music": (0, 0.25, 0.0), "speech": (1, 0.25, 4.0), "all": (3, 1.0, 3.0)}
    exact = poisson_rate(3, 1.0)
    total = row(hours["sounds"], sound="all")
    assert (total["per_hour_low"], total["per_hour_high"]) == pytest.approx((exact.low, exact.high), abs=1e-5)
    assert [one["recording"] for one in hours["raised"]] == ["ambient/l", "speech:x"]


def test_what_a_background_raises_alone_counts_for_no_clip(others: list[ScoredScene]) -> None:
    margins = report(others)["systems"][0]["margins"]
    assert margins == {"hours": 0.0125, "events": 1}


def test_faults_are_counted_by_kind(make_scored: Make) -> None:
    scored = [make_scored(faults=("silence", "clipping")), make_scored(faults=("silence",))]
    assert report(scored)["systems"][0]["faults"] == {"clipping": 1, "silence": 2}


def test_what_int8_costs_is_float_minus_int8_in_points(cries: list[ScoredScene], others: list[ScoredScene]) -> None:
    exact = [change_scored(one, system=FLOAT) for one in [*cries, *others]]
    worse = [change_scored(cries[0], alarms_s=(), level=0.0), *cries[1:], *others]
    costs = report([*worse, *exact], (OWN, EXACT))["int8_cost"]
    found = row(costs, source="donateacry", doubtful="with")
    assert found["recall_points"] == 25.0
    assert found["auc_points"] > 0
    assert row(costs, source=event_metrics.EVERY_LEVEL)["recall_points"] == 25.0
    drowned = [change_scored(one, snr_db=0.0) for one in [*cries, *exact] if one.scene.is_event]
    costs = report([*worse, *exact, *drowned], (OWN, EXACT))["int8_cost"]
    assert row(costs, source=event_metrics.EVERY_LEVEL, scenes=8)["recall_points"] == 12.5
    assert report([*cries, *others])["int8_cost"] == []


def test_what_was_aimed_at_is_judged_by_what_was_reached(
    cries: list[ScoredScene], others: list[ScoredScene], streams: list[ScoredScene]
) -> None:
    aims = {one["what"]: one for one in report([*cries, *others, *streams])["aims"]}
    assert aims["recall, donateacry"]["reached"] == 0.75
    assert not aims["recall, donateacry"]["met"]
    assert "recall, donateacry 8 kHz" not in aims
    assert aims["recall, donateacry, without doubtful clips"]["met"]
    assert not aims["share of other clips that raise an alert"]["met"]
    assert not aims["false alarms an hour"]["met"]
    assert not aims["share of found cries decided within 4 s"]["met"]
    quiet = [change_scored(one, alarms_s=()) for one in streams]
    assert {one["what"]: one["met"] for one in report([*cries, *quiet])["aims"]}["false alarms an hour"]


def test_equal_scored_give_equal_reports(cries: list[ScoredScene], others: list[ScoredScene]) -> None:
    assert report([*cries, *others]) == report([*cries, *others])
