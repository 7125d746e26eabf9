"""The table puts what needs somebody first, fits 500 beds, and shows no control character of the network."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from device.ward.bed_messages import BedSoftware, WardAlarm
from device.ward.ward_state import BedView, WardView
from device.ward.ward_table import as_json, change_lines, headline, is_urgent, table_lines

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
