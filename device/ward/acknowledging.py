"""Says to a bed that its alarms were seen, and waits until the bed confirms it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from device.errors import ServiceError
from device.printable import printable
from device.ward.ward_process import WardFeed, read_retained

if TYPE_CHECKING:
    from device.sinks.mqtt.session_reader import Reader
    from device.ward.bed_messages import WardAlarm
    from device.ward.ward_state import BedView, Ward

CONFIRMED_WITHIN_S = 10.0
_TURN_S = 0.1


class Acknowledgement:
    """One request to one bed, sent when it is made, until the bed has confirmed it.

    Args:
        reader: that is connected; its user must be allowed to write to the topic.
        bed: as it is known now.
        topic: of the command.
        alarm_id: of one alarm; None for all that wait.
        by: who acknowledges, which the bed notes.
        now_s: monotonic.

    Raises:
        ServiceError: the bed is gone, or has no such alarm.
    """

    def __init__(
        self, reader: Reader, bed: BedView, *, topic: str, alarm_id: str | None, by: str, now_s: float
    ) -> None:
        self._reader, self._topic, self._begun_s, self._is_repeated = reader, topic, now_s, False
        self._waiting = _waiting(bed, alarm_id)
        self._command = {"person": by} if alarm_id is None else {"alarm_id": alarm_id, "person": by}
        self._number = self._publish()

    def __repr__(self) -> str:
        return f"Acknowledgement({self._topic!r}, {len(self._waiting)} alarms)"

    def confirmed(self, bed: BedView, now_s: float) -> list[str]:
        """A sentence for each alarm, once the bed has confirmed it; none before.

        Args:
            bed: as it is known now.
            now_s: monotonic.

        Raises:
            ServiceError: the broker denies the command, or the bed does not confirm it.
        """
        ids = {alarm.alarm_id for alarm in self._waiting}
        if not ids & {alarm.alarm_id for alarm in bed.alarms if not alarm.acknowledged}:
            return [
                f"{bed.name}: {printable(alarm.name)} is acknowledged ({printable(alarm.alarm_id)})"
                for alarm in self._waiting
            ]
        denial, waited_s = self._reader.denial(self._number), now_s - self._begun_s
        if denial:
            raise ServiceError(f"the broker does not let this user write to {self._topic}: {denial}")
        if waited_s > CONFIRMED_WITHIN_S:
            within = f"{CONFIRMED_WITHIN_S:g} s"
            raise ServiceError(
                f"{bed.name} has not confirmed it within {within}: may this user write to {self._topic}?"
            )
        if waited_s > CONFIRMED_WITHIN_S / 2 and not self._is_repeated:
            self._is_repeated = True
            self._command.pop("person")  # an earlier version refuses it
            self._number = self._publish()
        return []

    def _publish(self) -> int:
        try:
            return self._reader.publish(self._topic, json.dumps(self._command).encode())
        except RuntimeError as error:
            raise ServiceError(f"nothing was sent: {error}") from None


def acknowledge(reader: Reader, ward: Ward, *, topic: str, alarm_id: str | None, by: str) -> list[str]:
    """Acknowledge the open alarms of the one bed that the ward follows.

    Args:
        reader: of that bed; its user must be allowed to write to the topic.
        ward: that follows only this bed.
        topic: of the command.
        alarm_id: of one alarm; None for all.
        by: who acknowledges, which the bed notes.

    Returns:
        A sentence for each alarm.

    Raises:
        ServiceError: the bed is gone, has no such alarm, or does not confirm it.
    """
    feed = WardFeed(reader, ward)
    (bed,) = read_retained(feed, reader).beds
    asked = Acknowledgement(reader, bed, topic=topic, alarm_id=alarm_id, by=by, now_s=time.monotonic())
    while True:
        (bed,) = feed.turn(_TURN_S).beds
        done = asked.confirmed(bed, time.monotonic())
        if done:
            return done


def _waiting(bed: BedView, alarm_id: str | None) -> list[WardAlarm]:
    """The alarms that nobody has acknowledged, or the one that is named."""
    if bed.hearing == "silent":
        raise ServiceError(f"{bed.name} would not get it: {bed.why}")
    waiting = [alarm for alarm in bed.alarms if not alarm.acknowledged]
    chosen = [alarm for alarm in waiting if alarm_id in {None, alarm.alarm_id}]
    if not chosen:
        there = ", ".join(printable(alarm.alarm_id) for alarm in waiting)
        what = f"no such alarm; there are {there}" if there else "no alarm that waits for an acknowledgement"
        raise ServiceError(f"{bed.name} has {what}")
    return chosen
