"""A level of sound as text, the same in each tool's output."""

from __future__ import annotations


def level_text(level_dbfs: float | None, peak_dbfs: float | None) -> str:
    """Level and peak as text; None is digital silence, which has no level."""
    if level_dbfs is None:
        return "no signal"
    return f"{level_dbfs:.1f} dBFS" + ("" if peak_dbfs is None else f", peak {peak_dbfs:.1f} dBFS")
