"""The moment that `--since` names: a time of day, or an ISO date and time. Reads no clock."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.printable import printable

if TYPE_CHECKING:
    from datetime import tzinfo

DEFAULT_SPAN = timedelta(hours=24)

_TIME_OF_DAY = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


def since_time(text: str | None, now: datetime, zone: tzinfo | None) -> datetime:
    """The moment that a text names, with a zone.

    Args:
        text: `22:00` for the latest moment before `now` with that time of day, or an ISO date and time; None for
            `DEFAULT_SPAN` before `now`.
        now: with a zone.
        zone: of a text that names none; None for the machine's own.

    Raises:
        ConfigError: the text is no time.
    """
    if text is None:
        return now - DEFAULT_SPAN
    local = now.astimezone(zone)
    if (clock := _TIME_OF_DAY.fullmatch(text)) is not None:
        today = local.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0, tzinfo=None)
        moments = (_in_zone(today - timedelta(days=days), zone) for days in (0, 1))
        return next(moment for moment in moments if moment <= now)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{printable(text)!r} is no time; 22:00 is one, or 2026-11-21T22:00") from None
    return moment if moment.tzinfo is not None else _in_zone(moment, zone)


def _in_zone(naive: datetime, zone: tzinfo | None) -> datetime:
    """The moment when clocks in that zone show this time."""
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)
