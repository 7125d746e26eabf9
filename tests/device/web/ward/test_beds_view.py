"""The screen of a ward says the worst first, and never more than is known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from device.ward.bed_messages import BedNight, BedSoftware, WardAlarm
from device.ward.ward_state import BedView, WardView
from device.web.ward.beds_view import MOST_IN_FULL, share_text, ward_fragments, ward_values

NOW_UTC_S = datetime(2026, 11, 21, 2, 30, tzinfo=UTC).timestamp()


def alarm(alarm_id: str = "a", start: str | None = "2026-11-21T02:14:04.850Z", **other: Any) -> WardAlarm:
    members: dict[str, Any] = {
        "alarm_id": alarm_id,
        "seq": 0,
        "kind": "sound",
        "name": "cry",
        "model": "cry",
        "state": "active",
        "priority": "high",
        "acknowledged": False,
        "detail": "2 of 3 windows",
        "start_utc": start,
        "decided_utc": "2026-11-21T02:14:07.350Z",
    }
    return WardAlarm(**{**members, **other})


def bed(name: str, hearing: Any = "hears", **other: Any) -> BedView:
    members: dict[str, Any] = {
        "why": "" if hearing == "hears" else f"{name} has a reason",
        "listened": 1.0,
        "alarms": (),
        "omitted": 0,
        "certificate": "",
        "software": BedSoftware("0.1.0", ("cry 2.0.0",)),
    }
    return BedView(name=name, hearing=hearing, **{**members, **other})


def values(*beds: BedView, trouble: str = "", may_command: bool = True) -> dict[str, Any]:
    view = WardView(trouble, beds, 0)
    return ward_values(view, zone=UTC, now_utc_s=NOW_UTC_S, may_command=may_command)


def test_all_is_well_only_if_each_bed_hears_and_no_alarm_waits_and_the_broker_is_there() -> None:
    assert (values(bed("a"), bed("b"))["is_well"], values(bed("a"), bed("b"))["title"]) == (True, "All 2 beds hear")
    assert values(bed("a", alarms=(alarm(acknowledged=True),)))["is_well"]
    for beds, trouble in (
        ((), ""),
        ((bed("a"),), "nothing listens"),
        ((bed("a"), bed("b", "silent")), ""),
        ((bed("a", "unknown"),), ""),
        ((bed("a", alarms=(alarm(),)),), ""),
    ):
        assert not values(*beds, trouble=trouble)["is_well"], (beds, trouble)


def test_alarms_that_wait_stand_apart_from_those_that_were_seen_the_oldest_first() -> None:
    old, new = alarm("old", "2026-11-20T23:00:00.000Z"), alarm("new")
    seen = alarm("seen", "2026-11-20T20:00:00.000Z", acknowledged=True, acknowledged_by="Nora (mqtt)")
    shown = values(bed("a", alarms=(new,)), bed("b", alarms=(seen, old)))
    assert [each.key for each in shown["owed"]] == ["b old", "a new"]
    assert [(each.bed, each.by) for each in shown["seen"]] == [("b", "Nora (mqtt)")]
    assert [(each.since, each.lasts) for each in shown["owed"]] == [
        ("20 Nov, 23:00", "3 h 30 min"),
        ("02:14", "15 min"),
    ]


def test_silent_and_deaf_beds_say_why_before_the_others_and_many_of_them_share_a_grid() -> None:
    beds = [bed("a"), bed("b", "deaf"), bed("c", "silent"), bed("d", "unknown"), bed("e", alarms=(alarm(),))]
    groups = values(*beds)["groups"]
    assert [[each.name for each in group.beds] for group in groups] == [["c"], ["b"], ["d"], ["e"], ["a"]]
    assert [group.in_full for group in groups] == [True, True, False, False, False]
    (many,) = values(*(bed(f"n{number}", "silent") for number in range(MOST_IN_FULL + 1)))["groups"]
    assert not many.in_full


@pytest.mark.parametrize(
    "start", [None, "2026-99-99T99:99:99.000Z", "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"]
)
def test_a_moment_that_is_none_costs_the_ward_no_screen(start: str | None) -> None:
    shown = values(bed("a", alarms=(alarm(start=start),)))
    assert "cry" in ward_fragments(shown)["alarms"].lower()


def test_a_viewer_has_no_button_and_nobody_has_one_for_a_bed_that_would_not_get_it() -> None:
    waiting = bed("a", alarms=(alarm(),))
    assert "<button" in ward_fragments(values(waiting))["alarms"]
    assert "<button" not in ward_fragments(values(waiting, may_command=False))["alarms"]
    assert "<button" not in ward_fragments(values(bed("a", "silent", alarms=(alarm(),))))["alarms"]


def test_what_fewest_beds_run_stands_first() -> None:
    shown = values(bed("a"), bed("b"), bed("c", software=BedSoftware("0.0.9", ("cry 1.0.0",))))
    assert [names for _, names in shown["software"]] == [["c"], ["a", "b"]]


def test_a_share_is_never_rounded_up() -> None:
    assert [share_text(share) for share in (1.0, 0.9999, 0.29, 0.0, None)] == ["100 %", "99 %", "29 %", "0 %", "-"]


def test_beds_that_missed_much_of_the_night_are_named_the_worst_first_and_each_stands_in_the_table() -> None:
    nights = {"a": 1.0, "b": 0.9, "c": 0.5, "d": 0.96}
    beds = [
        bed(name, night=BedNight("2026-11-20T12:00:00.000Z", 40_000.0, share * 40_000))
        for name, share in nights.items()
    ]
    shown = values(*beds, bed("e"))
    assert shown["short_nights"] == [("c", "50 %"), ("b", "90 %")]
    assert [row[3] for row in shown["rows"]] == ["100 %", "90 %", "50 %", "96 %", "-"]
    fragments = ward_fragments(shown)
    assert "50 % listened to" in fragments["behind"]
    assert "96 %" in fragments["figures"]
    assert "Missed much" not in ward_fragments(values(bed("a")))["behind"]
