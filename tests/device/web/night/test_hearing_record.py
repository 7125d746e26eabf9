"""The record of hearing: minutes that were followed, across restarts and days, and unknown where nobody asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.web.night.hearing_record import KEPT_DAYS, HearingRecord, HearingSpan

if TYPE_CHECKING:
    from pathlib import Path

MIDNIGHT = 1795219200.0  # 2026-11-21T00:00:00Z


def _follow(record: HearingRecord, from_s: float, minutes: int, *, hears: bool) -> None:
    for half_seconds in range(120 * minutes):
        record.add(MIDNIGHT + from_s + 0.5 * half_seconds, hears=hears)


def test_minutes_are_heard_not_heard_or_unknown(tmp_path: Path) -> None:
    record = HearingRecord(tmp_path / "heard")
    _follow(record, 120.0, 2, hears=True)
    _follow(record, 240.0, 1, hears=False)
    record.flush()
    assert record.spans(MIDNIGHT, MIDNIGHT + 360.0) == [
        HearingSpan(MIDNIGHT, MIDNIGHT + 120.0, None),
        HearingSpan(MIDNIGHT + 120.0, MIDNIGHT + 240.0, 1.0),
        HearingSpan(MIDNIGHT + 240.0, MIDNIGHT + 300.0, 0.0),
        HearingSpan(MIDNIGHT + 300.0, MIDNIGHT + 360.0, None),
    ]


def test_it_goes_on_over_midnight_and_a_restart(tmp_path: Path) -> None:
    record = HearingRecord(tmp_path / "heard")
    _follow(record, -120.0, 4, hears=True)
    record.flush()
    again = HearingRecord(tmp_path / "heard")
    _follow(again, 120.0, 1, hears=False)
    again.flush()
    shares = [(span.until_utc_s - MIDNIGHT, span.share) for span in again.spans(MIDNIGHT - 180.0, MIDNIGHT + 180.0)]
    assert shares == [(-120.0, None), (120.0, 1.0), (180.0, 0.0)]


def test_a_minute_that_was_barely_followed_stays_unknown(tmp_path: Path) -> None:
    record = HearingRecord(tmp_path / "heard")
    for second in range(5):
        record.add(MIDNIGHT + second, hears=True)
    record.flush()
    assert [span.share for span in record.spans(MIDNIGHT, MIDNIGHT + 60.0)] == [None]


def test_what_is_older_than_a_month_goes_and_damage_is_unknown(tmp_path: Path) -> None:
    record = HearingRecord(tmp_path)
    (tmp_path / "heard-2026-10-01.bin").write_bytes(bytes(1440))
    (tmp_path / "heard-2026-11-20.bin").write_bytes(b"\xff" * 1440)
    (tmp_path / "mine.txt").write_text("")
    _follow(record, 0.0, 6, hears=True)
    assert {path.name for path in tmp_path.iterdir()} == {"heard-2026-11-20.bin", "heard-2026-11-21.bin", "mine.txt"}
    assert [span.share for span in record.spans(MIDNIGHT - 120.0, MIDNIGHT)] == [None]
    assert KEPT_DAYS == 30


def test_without_a_folder_it_lives_in_memory() -> None:
    record = HearingRecord(None)
    _follow(record, 0.0, 2, hears=True)
    record.flush()
    assert [span.share for span in record.spans(MIDNIGHT, MIDNIGHT + 120.0)] == [1.0]
