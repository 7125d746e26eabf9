"""Whether the gain suits the room: a cry is not clipped, and the room is not lost in the steps of 16 bits. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from device.findings import Finding

if TYPE_CHECKING:
    from device.calibration.room_measure import RoomLevels, SignalLevels

WANTED_PEAK_DBFS = -12.0
"""Of the played cry: an infant may be 12 dB louder than a phone."""

HIGHEST_PEAK_DBFS = -6.0
LOWEST_FLOOR_DBFS = -85.0
"""Below it lie the least steps of 16 bits."""

_NAME = "gain"
_WHERE = "in alsamixer (F4 shows capture), or in the camera's settings"
_CLIPPED_DB = 12
"""How far to go down if samples are clipped: nobody knows how far above full scale they were."""


def gain_finding(room: RoomLevels | None, signal: SignalLevels | None) -> Finding:
    """What to do about the gain."""
    if signal is not None and signal.clipped_share > 0:
        share = f"{100 * signal.clipped_share:.2g} % of the samples are clipped while the cry plays"
        return Finding(_NAME, "warning", share, f"turn the gain down by {_CLIPPED_DB} dB {_WHERE}, and measure again")
    if room is not None and room.clipped_share > 0:
        share = f"{100 * room.clipped_share:.2g} % of the samples of the room alone are clipped"
        return Finding(_NAME, "warning", share, f"turn the gain down by {_CLIPPED_DB} dB {_WHERE}, or find what knocks")
    peak = None if signal is None else signal.peak_dbfs
    if peak is not None and peak > HIGHEST_PEAK_DBFS:
        down = math.ceil(peak - WANTED_PEAK_DBFS)
        summary = f"the played cry peaks at {peak:.1f} dBFS: a louder one would be clipped"
        return Finding(_NAME, "warning", summary, f"turn the gain down by {down} dB {_WHERE}")
    if room is not None and room.floor_dbfs is not None and room.floor_dbfs < LOWEST_FLOOR_DBFS:
        up = math.floor(LOWEST_FLOOR_DBFS - room.floor_dbfs) + 10
        up = up if peak is None else min(up, math.floor(WANTED_PEAK_DBFS - peak))
        if up >= 1:
            summary = f"the room's floor is {room.floor_dbfs:.1f} dBFS, less than 16 bits resolve well"
            return Finding(_NAME, "warning", summary, f"turn the gain up by {up} dB {_WHERE}")
    if peak is None:
        return Finding(_NAME, "ok", "nothing of the room alone is clipped; the played signal would say more")
    return Finding(_NAME, "ok", f"the played cry peaks at {peak:.1f} dBFS, and nothing is clipped")
