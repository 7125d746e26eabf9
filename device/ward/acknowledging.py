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
    waiting = _waiting(bed, alarm_id)
    command = {"person": by} if alarm_id is None else {"alarm_id": alarm_id, "person": by}
    number = reader.publish(topic, json.dumps(command).encode())
    ids = {alarm.alarm_id for alarm in waiting}
    begun_s, is_repeated = time.monotonic(), False
    while True:
        (bed,) = feed.turn(0.1).beds
        if not ids & {alarm.alarm_id for alarm in bed.alarms if not alarm.acknowledged}:
            return [
                f"{bed.name}: {printable(alarm.name)} is acknowledged ({printable(alarm.alarm_id)})"
                for alarm in waiting
            ]
        if reader.denial(number):
            raise ServiceError(f"the broker does not let this user write to {topic}: {reader.denial(number)}")
        waited_s = time.monotonic() - begun_s
        if waited_s > CONFIRMED_WITHIN_S / 2 and not is_repeated:
            is_repeated = True
            command.pop("person")  # an earlier version refuses it
            number = reader.publish(topic, json.dumps(command).encode())
        if waited_s > CONFIRMED_WITHIN_S:
            raise ServiceError(
                f"{bed.name} has not confirmed it within {CONFIRMED_WITHIN_S:g} s: may this user write to {topic}?"
            )


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
