"""What a message on a phone says about changes of alarms. Pure: the time of day and its zone are arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, cast

from device.config.wording import listed
from device.fault_info import FAULTS
from device.push.owed.notify_rule import ABSENCE
from device.quantity import quantity
from device.runtime.verdict import span_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from device.messages import FaultKind
    from device.push.owed.alarm_change import AlarmChange
    from device.push.owed.owed_ledger import Delivery

Urgency = Literal["high", "medium", "low", "quiet"]
"""Quiet: no sound, for news that nobody needs to be woken for."""

SAY_LATE_AFTER_S = 5.0
MOST_LINES = 12
"""Lines of a summary; it says how many more there are."""

_MOST_CHARACTERS = 300  # of a sentence


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """An alarm that the reader of a message may acknowledge.

    Attributes:
        alarm_id: of the alarm.
        seq: of the change that the message is about.
        name: the label, or the fault's kind.
    """

    alarm_id: str
    seq: int
    name: str


@dataclass(frozen=True, slots=True)
class Notification:
    """A message.

    Attributes:
        title: one line.
        text: a few sentences.
        urgency: how the phone may behave.
        subject: what it is about: a later message about the same replaces it where the service can do that.
        open_alarms: that the reader may acknowledge, the first ones first.
        obsolete: receipts of earlier messages that nobody needs any more.
        repeats: nobody has answered the earlier message about the same.
        receipts: alarm id -> receipt of the message that is still in force.
    """

    title: str
    text: str
    urgency: Urgency
    subject: str
    open_alarms: tuple[OpenAlarm, ...] = ()
    obsolete: tuple[str, ...] = ()
    repeats: bool = False
    receipts: Mapping[str, str] = field(default_factory=dict)


def notification_of(delivery: Delivery, *, instance: str, utc_s: float, zone: tzinfo | None) -> Notification:
    """The message of a delivery.

    Args:
        delivery: to be worded.
        instance: name of the daemon.
        utc_s: now.
        zone: of the times in it; None for the machine's own.
    """
    newest = delivery.newest
    waiting = tuple(OpenAlarm(one.alarm_id, one.seq, one.name) for one in newest if not one.is_closing)
    closed = {one.alarm_id for one in newest if one.is_closing}
    in_force = {alarm_id: receipt for alarm_id, receipt in delivery.receipts.items() if receipt}
    kept = {alarm_id: receipt for alarm_id, receipt in in_force.items() if alarm_id not in closed}
    return Notification(
        title=_summary_title(delivery, instance) if delivery.is_summary else f"{instance}: {_headline(newest[0])}",
        text=_summary(delivery, zone) if delivery.is_summary else _text(newest[0], delivery.late_s, utc_s, zone),
        urgency=_highest([_urgency(one) for one in newest]),
        subject=f"summary-{newest[0].alarm_id}-{newest[0].seq}" if delivery.is_summary else newest[0].alarm_id,
        open_alarms=waiting,
        obsolete=tuple(in_force[alarm_id] for alarm_id in in_force if alarm_id in closed),
        repeats=all(one.change in {"reminded", "latched", "priority"} for one in delivery.changes),
        receipts=kept,
    )


def trial_notification(instance: str, name: str, *, utc_s: float, zone: tzinfo | None) -> Notification:
    """A message that shows that messages arrive."""
    text = f"Sent at {_clock_time(utc_s, zone)} to {name}: alarms reach this phone. Nothing is to be done."
    return Notification(f"{instance}: test", text, "low", f"test-{name}")


# --- one change


def _headline(change: AlarmChange) -> str:
    what = _what(change)
    match change.change:
        case "acknowledged":
            return f"{what}: acknowledged"
        case "ended":
            return f"{what}: over"
        case "latched":
            return f"{what}: not acknowledged yet"
        case "reopened":
            return f"{what} again"
        case "reminded":
            return f"{what}: nobody has acknowledged it"
    return what


def _what(change: AlarmChange) -> str:
    if change.kind == "sound":
        return change.name
    if change.name == ABSENCE:
        return "hears NOTHING: the daemon does not answer"
    info = FAULTS.get(cast("FaultKind", change.name))
    if info is None:
        return change.name
    return f"hears NOTHING: {info.words}" if info.deafens else info.words


def _text(change: AlarmChange, late_s: float, utc_s: float, zone: tzinfo | None) -> str:
    parts = [
        f"LATE by {span_text(late_s)}." if late_s > SAY_LATE_AFTER_S else "",
        f"{_clock_time(change.utc_s, zone)}: {_sentence(change)}.",
        _since(change, utc_s, zone),
        _cure(change),
    ]
    return " ".join(part for part in parts if part)


def _sentence(change: AlarmChange) -> str:
    """Why it changed, and of a new alarm what was measured."""
    if change.change in {"raised", "reopened"}:
        score = "" if change.score is None else f"score {change.score:.2f}, "
        return _cut(score + change.detail)
    return _cut(change.cause)


def _since(change: AlarmChange, utc_s: float, zone: tzinfo | None) -> str:
    """How long the alarm has been there; empty if that is unknown, or of no interest."""
    if change.is_closing or change.change == "raised" or not change.start_utc:
        return ""
    try:
        start_utc_s = datetime.fromisoformat(change.start_utc).timestamp()
    except ValueError:
        return ""
    ago = f", {span_text(utc_s - start_utc_s)} ago" if utc_s > start_utc_s else ""
    return f"It began at {_clock_time(start_utc_s, zone)}{ago}."


def _cure(change: AlarmChange) -> str:
    info = None if change.kind == "sound" or change.is_closing else FAULTS.get(cast("FaultKind", change.name))
    return "" if info is None else f"What to do: {info.cure}."


def _urgency(change: AlarmChange) -> Urgency:
    if change.is_closing:
        return "quiet"
    return "low" if change.change == "latched" else change.priority


def _highest(urgencies: Sequence[Urgency]) -> Urgency:
    order: tuple[Urgency, ...] = ("high", "medium", "low", "quiet")
    return min(urgencies, key=order.index)


# --- several changes


def _summary_title(delivery: Delivery, instance: str) -> str:
    names = listed(list(dict.fromkeys(one.name for one in delivery.newest if not one.is_closing)) or ["nothing"])
    return f"{instance}: {quantity(len(delivery.newest), 'alarm')}, {names} open"


def _summary(delivery: Delivery, zone: tzinfo | None) -> str:
    late = f"LATE by up to {span_text(delivery.late_s)}. " if delivery.late_s > SAY_LATE_AFTER_S else ""
    newest = sorted(delivery.newest, key=lambda one: one.is_closing)  # what is open first
    began = {change.alarm_id: change for change in reversed(delivery.changes)}
    lines = [_summary_line(began[one.alarm_id], one, zone) for one in newest]
    rest = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return f"{late}What happened meanwhile:\n" + "\n".join([*lines[:MOST_LINES], *rest])


def _summary_line(first: AlarmChange, newest: AlarmChange, zone: tzinfo | None) -> str:
    begin, end = _clock_time(first.utc_s, zone), _clock_time(newest.utc_s, zone)
    when = begin if begin == end else f"{begin} to {end}"
    how = _cut(newest.cause) if newest.is_closing else "OPEN, not acknowledged"
    return f"{when} {_what(newest)}: {how}"


def _cut(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _MOST_CHARACTERS else f"{flat[: _MOST_CHARACTERS - 1]}…"


def _clock_time(utc_s: float, zone: tzinfo | None) -> str:
    return f"{datetime.fromtimestamp(utc_s, UTC).astimezone(zone):%H:%M}"
