"""The alarm that the daemon cannot raise itself: it does not answer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from device.push.owed.alarm_change import AlarmChange
from device.push.owed.notify_rule import ABSENCE

if TYPE_CHECKING:
    from device.messages import AlarmChange as ChangeKind

ABSENT_AFTER_S = 90.0
"""An update or a restart is over by then."""


class DaemonAbsence:
    """Watches whether the daemon answers.

    Args:
        open_alarm: id of the alarm that an earlier process raised and did not end; empty for none.
        now_s: monotonic.

    Attributes:
        open_alarm: id of the alarm that is open; empty for none.
    """

    def __init__(self, open_alarm: str, now_s: float) -> None:
        self.open_alarm = open_alarm
        self._answered_s = now_s

    def __repr__(self) -> str:
        return f"DaemonAbsence({self.open_alarm!r})"

    def update(self, *, answers: bool, now_s: float, utc_s: float) -> AlarmChange | None:
        """The change of the alarm, if it begins or ends now."""
        if answers:
            self._answered_s = now_s
            if not self.open_alarm:
                return None
            ended, self.open_alarm = self.open_alarm, ""
            return _change(ended, 1, utc_s, "ended", "ended", "the daemon answers again")
        silent_s = now_s - self._answered_s
        if self.open_alarm or silent_s < ABSENT_AFTER_S:
            return None
        self.open_alarm = f"absent-{utc_s:.0f}"
        why = f"auricle listen has not answered for {silent_s:.0f} s: it does not run, or hangs"
        return _change(self.open_alarm, 0, utc_s, "raised", "active", why)


def _change(
    alarm_id: str, seq: int, utc_s: float, change: ChangeKind, state: Literal["active", "ended"], why: str
) -> AlarmChange:
    return AlarmChange(
        alarm_id=alarm_id,
        seq=seq,
        utc_s=utc_s,
        change=change,
        kind="technical",
        name=ABSENCE,
        model="",
        state=state,
        priority="medium",
        acknowledged=False,
        score=None,
        detail=why,
        cause=why,
    )
