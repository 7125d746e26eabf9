"""The items of the scene are listed beside the events, and the verdict overlooks nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.demo.comparison import comparison_lines, judge
from device.demo.scene import SceneItem
from device.messages import Event, Scores

if TYPE_CHECKING:
    from device.messages import Phase

KNOCK = SceneItem(22.0, 23.0, "a knock at the door", None)
CRY = SceneItem(28.0, 42.0, "an infant crying", "cry")
QUIET = SceneItem(42.0, 60.0, "a quiet room", None)
ITEMS = (SceneItem(0.0, 22.0, "room tone", None), KNOCK, CRY, QUIET)
SCORES = [
    Scores("cry", {"cry": 0.95 if 29.5 <= end / 2 <= 43 else 0.02}, end / 2 - 2, end / 2) for end in range(4, 121)
]


def event(phase: Phase, start_s: float, decided_s: float, *, number: int = 0, label: str = "cry") -> Event:
    return Event(
        event_id=f"demo-cry-{label}-{number}",
        seq=0,
        model="cry",
        label=label,
        phase=phase,
        score=0.95,
        start_s=start_s,
        end_s=decided_s - 3 if phase == "end" else None,
        decided_s=decided_s,
        reason="quiet" if phase == "end" else "3 of 4 windows at or above 0.60",
    )


HEARD_ONCE = [event("begin", 28.0, 30.5), event("end", 28.0, 46.0)]


def row(lines: list[str], what: str) -> str:
    return next(line for line in lines if what in line)


def test_a_cry_that_is_told_once_passes() -> None:
    passed, lines = judge(ITEMS, HEARD_ONCE)
    assert passed
    assert lines == ["heard: an infant crying at 0:28.0, 2.5 s after it began, score 0.95."]


def test_a_missed_cry_fails_and_is_named() -> None:
    passed, lines = judge(ITEMS, [])
    assert not passed
    assert lines == ["MISSED: an infant crying at 0:28.0 was not heard as cry."]


def test_an_alert_for_the_knock_fails_even_if_it_lasts_into_the_cry() -> None:
    passed, lines = judge(ITEMS, [event("begin", 21.5, 24.0), event("end", 21.5, 46.0)])
    assert not passed
    assert [line.split(":")[0] for line in lines] == ["MISSED", "FALSE ALERT"]


def test_an_alert_in_the_quiet_room_fails() -> None:
    passed, lines = judge(ITEMS, [*HEARD_ONCE, event("begin", 50.0, 53.0, number=1)])
    assert not passed
    assert lines[1].startswith("FALSE ALERT: cry at 0:53.0, score 0.95")


def test_another_label_is_a_false_alert_even_during_the_cry() -> None:
    passed, lines = judge(ITEMS, [*HEARD_ONCE, event("begin", 30.0, 32.0, label="scream")])
    assert not passed
    assert lines[1].startswith("FALSE ALERT: scream at 0:32.0")


def test_one_cry_told_as_two_events_fails() -> None:
    passed, lines = judge(ITEMS, [*HEARD_ONCE, event("begin", 38.0, 40.0, number=1)])
    assert not passed
    assert lines == ["TOLD 2 TIMES: an infant crying at 0:28.0."]


def test_a_cry_that_is_reopened_while_it_lasts_passes() -> None:
    begin, end = HEARD_ONCE
    passed, lines = judge(ITEMS, [begin, event("end", 28.0, 37.0), event("reopen", 38.0, 40.0), end])
    assert passed
    assert len(lines) == 1


def test_an_event_that_is_reopened_by_the_quiet_room_fails() -> None:
    passed, lines = judge(ITEMS, [*HEARD_ONCE, event("reopen", 47.0, 49.0)])
    assert not passed
    assert lines[1].startswith("FALSE ALERT: cry at 0:49.0")


def test_the_table_stands_in_time_order_with_what_was_heard_beside_it() -> None:
    lines = comparison_lines(ITEMS, HEARD_ONCE, SCORES)
    assert lines[0].split() == ["PUT", "IN", "HEARD"]
    assert [line.split("  ")[-1] for line in lines[1:3]] == ["-", "-"]
    assert "room tone" in lines[1]
    assert "a knock" in lines[2]
    assert row(lines, "an infant crying").endswith(" 0:30.5  cry begins, score 0.95")
    after = lines[lines.index(row(lines, "an infant crying")) + 1]
    assert after.split() == ["0:46.0", "cry", "is", "over,", "0:28.0", "to", "0:43.0", "(quiet)"]
    assert row(lines, "a quiet room").endswith("-")


def test_a_false_alert_is_printed_beside_what_raised_it() -> None:
    lines = comparison_lines(ITEMS, [event("begin", 21.5, 24.0)], SCORES)
    assert "0:24.0  cry begins" in row(lines, "a knock at the door")


def test_every_item_is_a_row_also_if_nothing_was_detected() -> None:
    lines = comparison_lines(ITEMS, [], [])
    assert [line[-1] for line in lines[1:5]] == ["-"] * 4


def test_lanes_mark_each_second_under_its_time() -> None:
    lines = comparison_lines(ITEMS, HEARD_ONCE, SCORES)
    ruler = row(lines, "0:50")
    start = ruler.index("0:00")
    lane = {
        name: next(line for line in lines if line.startswith(name))[start:] for name in ("cry put in", "score", "alert")
    }
    assert lane["cry put in"] == "." * 28 + "#" * 14 + "." * 18
    assert lane["alert"] == "." * 30 + "#" * 16 + "." * 14
    assert lane["score"] == " " + "_" * 28 + "#" * 14 + "_" * 17
    assert ruler.index("0:30") == start + 30


def test_an_event_that_never_ends_is_marked_to_the_end() -> None:
    lines = comparison_lines(ITEMS, HEARD_ONCE[:1], SCORES)
    assert row(lines, "alert ").endswith("#" * 30)


def test_a_longer_recording_takes_wider_cells() -> None:
    long = (SceneItem(0.0, 600.0, "a long night", None),)
    lines = comparison_lines(long, [], [Scores("cry", {"cry": 0.5}, 598.0, 600.0)])
    assert len(row(lines, "cry put in")) == 14 + 60
    assert row(lines, "5:00")


def test_plain_lines_are_ascii_and_others_draw_bars() -> None:
    assert all(line.isascii() for line in comparison_lines(ITEMS, HEARD_ONCE, SCORES))
    assert any("█" in line for line in comparison_lines(ITEMS, HEARD_ONCE, SCORES, plain=False))


def test_every_label_that_is_scored_has_its_lanes() -> None:
    both = [Scores("cry", {"cry": 0.1, "laugh": 0.2}, 0.0, 2.0)]
    lines = comparison_lines(ITEMS, [], both)
    assert any(line.startswith("laugh put in") for line in lines)
