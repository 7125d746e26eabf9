"""`--since`: times of day and dates, in the zone of the configuration."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from device.errors import ConfigError
from device.tools.history.since_time import since_time

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, "2026-11-20T06:30:00+00:00"),
        ("22:00", "2026-11-20T21:00:00+00:00"),
        ("7:15", "2026-11-21T06:15:00+00:00"),
        ("07:31", "2026-11-20T06:31:00+00:00"),
        ("2026-11-20T22:00", "2026-11-20T21:00:00+00:00"),
        ("2026-11-20T22:00Z", "2026-11-20T22:00:00+00:00"),
        ("2026-11-20", "2026-11-19T23:00:00+00:00"),
    ],
)
def test_a_time_of_day_names_the_last_such_moment_in_the_zone(text: str | None, expected: str) -> None:
    assert since_time(text, NOW, BERLIN) == datetime.fromisoformat(expected)


@pytest.mark.parametrize("text", ["25:00", "22.00", "yesterday", "", "22:00:00:00"])
def test_a_text_that_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no time"):
        since_time(text, NOW, BERLIN)
