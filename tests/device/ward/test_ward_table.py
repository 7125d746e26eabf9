"""The table puts what needs somebody first, fits 500 beds, and shows no control character of the network."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from device.ward.bed_messages import BedNight, BedSoftware, WardAlarm
from device.ward.ward_state import BedView, WardView
from device.ward.ward_table import as_json, change_lines, headline, is_urgent, night_share, table_lines

NOW = "2026-11-21T02:14:07Z"
ALARM = WardAlarm("a-1", 0, "sound", "cry", "cry", "active", "high", False, "2 of 3", "2026-11-21T02:00:00.000Z", NOW)


def bed(name: str, **other: Any) -> BedView:
    return replace(BedView(name, "hears", "", 1.0, (), 0, "", None), **other)


def view(*beds: BedView, trouble: str = "", unreadable: int = 0) -> WardView:
    return WardView(trouble, beds, unreadable)


def lines(shown: WardView, *, colour: bool = False) -> list[str]:
    return list(table_lines(shown, now_utc=NOW, colour=colour))


def test_silent_and_deaf_beds_come_first_and_the_oldest_alarm_that_nobody_has_seen_before_younger_and_seen_ones() -> (
    None
):
    seen = replace(ALARM, alarm_id="a-0", acknowledged=True, acknowledged_by="Nora (mqtt)", start_utc=None)
    later = replace(ALARM, alarm_id="a-2", start_utc="2026-11-21T02:05:00.000Z")
    shown = view(
        bed("anna", alarms=(seen, later)),
        bed("ben", hearing="deaf", why="microphone: no sound"),
        bed("carla", hearing="silent", why="offline", alarms=(ALARM,)),
        bed("dora", software=BedSoftware("0.1.0", ("cry 2.0.0",))),
    )
    table = lines(shown)
    order = [line.split()[0] for line in table if line.split() and line.split()[0] in {"anna", "ben", "carla", "dora"}]
    assert order == ["carla", "ben", "anna", "dora"]
    assert "auricle 0.1.0 with cry 2.0.0" in table[table.index("") + 5]
    assert [line.split()[-1] for line in table if line.endswith(("a-0", "a-1", "a-2"))] == ["a-1", "a-2", "a-0"]
    assert "by Nora (mqtt)" in table[-1]
    assert headline(shown) == "4 beds: 1 silent, 1 deaf, 2 hearing; 2 alarms not acknowledged"


def test_five_hundred_beds_fit_on_a_screen_and_each_is_named() -> None:
    beds = [bed(f"bed-{number}") for number in range(500)]
    beds[77] = bed("bed-77", hearing="silent", why="offline")
    beds[401] = bed("bed-401", alarms=(ALARM,))
    table = lines(view(*beds))
    assert len(table) < 60
    assert max(map(len, table)) <= 120
    words = " ".join(table).split()
    assert all(words.count(f"bed-{number}") >= 1 for number in range(500))
    assert [line.split()[0] for line in table[3:5]] == ["bed-77", "bed-401"]


def test_what_the_ward_itself_lacks_and_what_expires_is_said() -> None:
    table = lines(view(bed("anna", certificate="anna.crt expires"), trouble="nothing listens", unreadable=3))
    assert table[1:3] == ["NOT CONNECTED: nothing listens", "3 messages could not be read"]
    assert table[-2:] == ["CERTIFICATES THAT EXPIRE", "anna  anna.crt expires"]
    assert "further alarm" in "\n".join(lines(view(bed("anna", omitted=2))))


def test_no_control_character_reaches_the_terminal() -> None:
    bad = "\x1b[2J\u202e\n"
    alarm = replace(ALARM, alarm_id=bad, name=bad, model=bad, detail=bad, acknowledged=True, acknowledged_by=bad)
    hostile = bed("anna", hearing="deaf", why=bad, alarms=(alarm,), certificate=bad)
    versions = bed("ben", software=BedSoftware(bad, (bad,)))
    shown = view(hostile, versions, trouble=bad)
    assert all(line.isprintable() for line in [*lines(shown), *change_lines(None, shown), as_json(shown)])


def test_colour_is_of_the_terminal_alone() -> None:
    assert "\x1b[31mSILENT" in "\n".join(lines(view(bed("anna", hearing="silent")), colour=True))


def test_each_change_is_a_line_and_what_stays_is_none() -> None:
    first = view(bed("anna"), bed("ben"))
    assert list(change_lines(None, first)) == ["anna: hears", "ben: hears"]
    assert list(change_lines(first, first)) == []
    second = view(bed("anna", alarms=(ALARM,), certificate="expires"), trouble="gone")
    assert list(change_lines(first, second)) == [
        "NOT CONNECTED: gone",
        "anna: cry (cry) goes on, high; not acknowledged",
        "anna: certificate: expires",
        "ben: no longer on the broker",
    ]
    third = view(bed("anna", hearing="silent", why="offline", certificate="expires"))
    assert list(change_lines(second, third)) == ["connected", "anna: SILENT, offline", "anna: cry (cry) is over"]


def test_the_bell_rings_for_a_bed_that_falls_silent_and_for_a_new_alarm_alone() -> None:
    quiet, alarmed = view(bed("anna")), view(bed("anna", alarms=(ALARM,)))
    silent = view(bed("anna", hearing="silent"))
    assert is_urgent(quiet, alarmed)
    assert is_urgent(quiet, silent)
    assert not is_urgent(alarmed, alarmed)
    assert not is_urgent(silent, quiet)
    assert not is_urgent(None, silent), "the first table is looked at anyway"


def test_json_holds_everything() -> None:
    document = json.loads(as_json(view(bed("anna", alarms=(ALARM,)))))
    assert document["beds"][0]["alarms"][0]["alarm_id"] == "a-1"


NIGHT = BedNight("2026-11-20T11:00:00.000Z", 54_000.0, 52_000.0)  # said 7 s before `NOW_UTC_S` would have it
NOW_UTC_S = datetime.fromisoformat(NOW).timestamp()


def test_the_night_of_a_bed_that_hears_is_as_it_says_and_one_that_is_silent_misses_more_and_more() -> None:
    assert night_share(bed("anna", night=NIGHT), NOW_UTC_S) == 52_000 / 54_000
    silent = bed("anna", hearing="silent", night=NIGHT)
    shares = [night_share(silent, NOW_UTC_S + hours * 3600) for hours in (0, 1, 8, 9.7, 24 * 9)]
    assert shares[0] == pytest.approx(52_000 / (15 * 3600 + 14 * 60 + 7))
    assert shares[:4] == sorted(shares[:4], reverse=True)  # type: ignore[type-var]
    assert shares[-1] == 0.0, "that night is over"


@pytest.mark.parametrize("night", [None, BedNight(NIGHT.since_utc, 0.0, 0.0)])
def test_a_night_that_nobody_knows_is_none(night: BedNight | None) -> None:
    assert night_share(bed("anna", night=night), NOW_UTC_S) is None
    assert night_share(bed("anna", hearing="unknown", night=NIGHT), NOW_UTC_S) is None


def test_a_moment_of_no_calendar_costs_no_table() -> None:
    hostile = bed("anna", hearing="silent", night=BedNight("2026-99-99T99:99:99.000Z", 100.0, 50.0))
    assert any(line.startswith("anna") and " 50.0 %" in line for line in lines(view(hostile)))


def test_the_table_shows_the_night_rounded_down() -> None:
    shown = lines(view(bed("anna", night=BedNight(NIGHT.since_utc, 100_000.0, 99_999.0))))
    assert shown[3].split()[:6] == ["anna", "hears", "100.0", "%", "99.9", "%"]
