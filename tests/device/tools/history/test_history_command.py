"""`auricle history`: a line for each alarm, a row for each change."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.daytime import utc_text
from device.errors import JournalError
from device.tools.history.history_command import HistoryOptions, show_history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NIGHT_S = datetime(2026, 11, 21, 1, 0, tzinfo=UTC).timestamp()  # 02:00 in Berlin
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


def entry(seq: int, change: str, at_s: float, *, alarm_id: str = "s-cry-cry-0", **body: object) -> Entry:
    usual = {
        "instance": "anna", "change": change, "kind": "sound", "name": "cry", "model": "cry", "priority": "high",
        "state": "active", "acknowledged": False, "score": 0.97, "detail": "3 of 4 windows", "cause": "heard",
        "start_utc": utc_text(NIGHT_S - 3, "milliseconds"), "time_quality": "synchronized",
    }  # fmt: skip
    return Entry(alarm_id, seq, at_s, urgent=True, alarm="{}", body=json.dumps({**usual, **body}))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path)}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """The journal of a running daemon."""
    (tmp_path / "auricle" / "anna").mkdir(parents=True)
    with Journal.open(tmp_path / "auricle" / "anna" / "alarms.db", max_bytes=4_000_000) as writing:
        yield writing


def shown(environment: dict[str, str], **options: object) -> list[str]:
    out = io.StringIO()
    assert show_history(HistoryOptions(**options), out, environment=environment, now_utc_s=NOW.timestamp()) == 0  # type: ignore[arg-type]
    return out.getvalue().splitlines()


def test_an_alarm_is_one_line_with_how_long_it_was_and_who_saw_it(
    journal: Journal, environment: dict[str, str], tmp_path: Path
) -> None:
    entries = [
        entry(0, "raised", NIGHT_S),
        entry(1, "reminded", NIGHT_S + 120),
        entry(2, "acknowledged", NIGHT_S + 130, acknowledged=True, cause="acknowledged by button"),
        entry(3, "ended", NIGHT_S + 200, state="ended", cause="quiet"),
    ]
    journal.append(entries)
    journal.mark_delivered([entry.key for entry in entries])
    (tmp_path / "anna.toml").write_text(f'[alarms]\ntime_zone = "Europe/Berlin"\n[journal]\nfile = "{journal.path}"\n')
    heading, line = shown(environment, config=str(tmp_path / "anna.toml"))
    assert heading.split() == ["local", "time", "UTC", "priority", "what"]
    assert line == (
        "2026-11-21 01:59:57  2026-11-21T00:59:57Z  high      cry (cry), 3 min 23 s, ended: quiet; 3 of 4 windows; "
        "acknowledged by button after 2 min 10 s"
    )


def test_what_goes_on_what_is_latched_and_what_nobody_was_told_of_says_so(
    journal: Journal, environment: dict[str, str]
) -> None:
    journal.append(
        [
            entry(0, "raised", NIGHT_S),
            entry(0, "raised", NIGHT_S, alarm_id="b-broker-0", name="broker", model="", start_utc=None),
            entry(1, "latched", NIGHT_S + 9, state="latched", cause="interrupted"),
        ]
    )
    _, first, second = shown(environment, instance="anna")
    assert "cry (cry), 12 s, then Auricle was interrupted; nobody has acknowledged it" in first
    assert "acknowledgement not noted: 2 of 2 changes" in first
    assert "broker, goes on" in second


def test_only_what_happened_since_is_shown_and_what_a_wrong_clock_told_in_between(
    journal: Journal, environment: dict[str, str]
) -> None:
    journal.append(
        [
            entry(0, "raised", 1000.0, alarm_id="long-ago", time_quality="unsynchronized"),
            entry(0, "raised", NIGHT_S - 90_000, alarm_id="before"),
            entry(0, "raised", 2000.0, alarm_id="doubtful", time_quality="unsynchronized"),
            entry(0, "raised", NIGHT_S, alarm_id="then"),
        ]
    )
    rows = list(csv.DictReader(shown(environment, as_csv=True)))
    assert [row["alarm_id"] for row in rows] == ["doubtful", "then"]
    assert len(shown(environment)) == 3
    assert shown(environment, since="2026-11-21T05:00+00:00") == ["nothing was alarmed about since then"]


def test_csv_holds_every_change_and_no_formula(journal: Journal, environment: dict[str, str]) -> None:
    journal.append([entry(0, "raised", NIGHT_S, cause='=HYPERLINK("x")', detail="-1 of 2, @sum\nand more", score=-0.0)])
    (row,) = csv.DictReader(shown(environment, as_csv=True))
    assert row["cause"] == '\'=HYPERLINK("x")'
    assert row["detail"].startswith("'-1 of 2")
    assert (row["told"], row["acknowledged"], row["change"]) == ("no", "no", "raised")
    assert not any(cell.startswith(("=", "+", "@")) for cell in row.values())


def test_two_daemons_are_told_apart(journal: Journal, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "auricle" / "ben").mkdir()
    journal.append([entry(0, "raised", NIGHT_S)])
    with Journal.open(tmp_path / "auricle" / "ben" / "alarms.db", max_bytes=4_000_000) as other:
        other.append([entry(0, "raised", NIGHT_S, alarm_id="t", instance="ben")])
    assert [line.split("  ")[-1].split(":")[0].strip() for line in shown(environment)[1:]] == ["anna", "ben"]


def test_where_no_journal_is_kept_that_is_said(environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal is kept here"):
        shown(environment)
    with pytest.raises(JournalError, match="there is no journal at"):
        shown(environment, instance="ben")
    (tmp_path / "off.toml").write_text('[journal]\nfile = "off"\n')
    with pytest.raises(JournalError, match="keeps no journal"):
        shown(environment, config=str(tmp_path / "off.toml"))
