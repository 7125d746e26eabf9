"""The settings of `[loudness]`: an alarm for any sound that is over a level for a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from device.config.kinds import Choice, Number, OrKeyword
from device.config.schema import TableSettings, key
from device.messages import Priority

LOWEST_DBFS, HIGHEST_DBFS = -80.0, -1.0
MOST_HYSTERESIS_DB = 18.0
"""The lowest level less this much stays above -100 dBFS, which counts as silence."""


@dataclass(frozen=True, slots=True)
class LoudnessSettings(TableSettings):
    """An alarm for any sound over a level for a time, whatever it is; none, unless a level is named.

    Attributes:
        level_dbfs: None for no such alarm.
    """

    level_dbfs: float | None = key(
        None,
        OrKeyword(Number(LOWEST_DBFS, HIGHEST_DBFS, "dBFS"), "off"),
        "Level from which on a half second counts: root mean square, before any filter, a constant offset taken off.",
    )
    for_s: float = key(2.0, Number(0.5, 600.0, "s"), "An alert wants this much sound to count ...")
    pauses_s: float = key(2.0, Number(0.0, 600.0, "s"), "... with pauses of at most this much in between, in all.")
    hysteresis_db: float = key(
        6.0, Number(0.0, MOST_HYSTERESIS_DB, "dB"), "It counts as quiet only this far below the level."
    )
    hold_s: float = key(10.0, Number(0.5, 3600.0, "s"), "It is over after this long that quiet.")
    cooldown_s: float = key(30.0, Number(0.0, 3600.0, "s"), "Loud again within this time, it is the same event.")
    priority: Priority = key("medium", Choice(get_args(Priority)), "How urgent its alert is.")

    @property
    def is_on(self) -> bool:
        """Whether there is such an alarm."""
        return self.level_dbfs is not None
