"""Formats the time of day as it is written everywhere: UTC, ISO 8601, with a Z."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal


def utc_text(utc_s: float, timespec: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Seconds since 1970-01-01 UTC -> `2026-11-21T02:14:07Z`, or with milliseconds; truncated, not rounded."""
    moment = datetime.fromtimestamp(utc_s, UTC)
    return f"{moment.replace(tzinfo=None).isoformat(timespec=timespec)}Z"
