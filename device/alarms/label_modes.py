"""What each label does at a minute of the week: it raises alarms, is only logged, or is not listened for. Pure.

Hours are configured, for every day or for some days of the week; somebody may set a label otherwise, until it is set
back to `auto`. No hour counts while the time of day is uncertain: then a label raises alarms, unless somebody set it
otherwise. Knows no time zone and no clock: a day with a change to or from summer time has its local minutes as any
other.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from device.config.alerting.schedule_settings import ScheduleSettings
    from device.messages import LabelMode, ModeCause, ModeSwitch


@dataclass(frozen=True, slots=True)
class ModeNow:
    """What a label does now.

    Attributes:
        mode: what it does.
        cause: why.
        switch: what somebody set it to; None if nobody may.
    """

    mode: LabelMode
    cause: ModeCause
    switch: ModeSwitch | None = None


_DOES: Mapping[LabelMode, str] = MappingProxyType(
    {"alarm": "raises alarms", "log": "is only logged", "off": "is not listened for"}
)
_WHY: Mapping[ModeCause, str] = MappingProxyType(
    {
        "always": "as nothing is scheduled for it",
        "hours": "by the hour",
        "switch": "as it was set",
        "clock": "while the clock is not synchronized",
    }
)

ALWAYS = ModeNow("alarm", "always")
"""Of a label for which nothing is scheduled."""


def mode_words(mode: LabelMode, cause: ModeCause) -> str:
    """What a label does and why, to follow its name."""
    return f"{_DOES[mode]}, {_WHY[cause]}"


def modes_at(
    week_minute: int | None, schedule: Iterable[ScheduleSettings], switches: Mapping[str, ModeSwitch]
) -> dict[str, ModeNow]:
    """Label -> what it does, for each label that is scheduled.

    Args:
        week_minute: from local midnight of Monday; None while the time of day is uncertain.
        schedule: as configured.
        switches: label -> what somebody set it to; for those that have a switch alone.
    """
    return {each.name: _mode_at(week_minute, each, switches.get(each.name, "auto")) for each in schedule}


def _mode_at(week_minute: int | None, settings: ScheduleSettings, switch: ModeSwitch) -> ModeNow:
    if not settings.switch:
        return _by_hours(week_minute, settings, None)
    return ModeNow(switch, "switch", switch) if switch != "auto" else _by_hours(week_minute, settings, "auto")


def _by_hours(week_minute: int | None, settings: ScheduleSettings, switch: ModeSwitch | None) -> ModeNow:
    if week_minute is None:
        return ModeNow("alarm", "clock", switch)
    found = (mode for mode, _, range_ in settings.ranges() if week_minute in range_)
    return ModeNow(next(found, settings.otherwise), "hours", switch)
