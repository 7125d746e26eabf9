"""The settings of `[schedule.LABEL]`: when a label raises alarms, is only logged, or is not listened for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, get_args

from device.config.alerting.week_hours import week_range
from device.config.kinds import Boolean, Choice, WeekRanges
from device.config.schema import TableSettings, key
from device.config.wording import shown
from device.messages import LabelMode

if TYPE_CHECKING:
    from device.config.alerting.week_hours import WeekRange
    from device.config.schema import Conflict


@dataclass(frozen=True, slots=True)
class ScheduleSettings(TableSettings):
    """When a label raises alarms, is only logged, or is not listened for; one without this always raises alarms.

    Attributes:
        name: name of the table: the label, of whatever model.
    """

    name: str
    alarm: tuple[str, ...] = key((), WeekRanges(), "When it raises alarms ...")
    log: tuple[str, ...] = key((), WeekRanges(), "... when it is only logged ...")
    off: tuple[str, ...] = key((), WeekRanges(), "... and when it is not listened for; its model runs even so.")
    otherwise: LabelMode = key("alarm", Choice(get_args(LabelMode)), "What it does at all other times.")
    switch: bool = key(
        default=False, kind=Boolean(), description="MQTT and Home Assistant may set what it does, until set to auto."
    )

    def ranges(self) -> tuple[tuple[LabelMode, str, WeekRange], ...]:
        """Each range: its mode, as it is written, and its minutes of the week."""
        modes: tuple[LabelMode, ...] = get_args(LabelMode)
        return tuple((mode, text, week_range(text)) for mode in modes for text in getattr(self, mode))

    def conflict(self) -> Conflict | None:
        """Report two ranges of different modes that have a minute in common."""
        for (mode, text, range_), (other_mode, other_text, other) in combinations(self.ranges(), 2):
            if range_.overlaps(other):
                beside = f"{shown(other_text)} in {shown(other_mode)} overlaps {shown(text)} in {shown(mode)}"
                return ((mode,), (other_mode,)), f"{beside}; a minute can have one of them"
        return None
