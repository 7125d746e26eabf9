"""The changes of alarms as text for people: one line for each alarm."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from device.daytime import utc_text
from device.fault_info import WHY_LOST
from device.printable import printable
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import tzinfo

    from device.alarms.journal.alarm_changes import AlarmChange


def history_lines(changes: Iterable[AlarmChange], zone: tzinfo | None) -> Iterator[str]:
    """A heading and one line for each alarm, in the order of their first changes."""
    alarms: dict[str, list[AlarmChange]] = {}
    for change in changes:
        alarms.setdefault(change.entry.alarm_id, []).append(change)
    if not alarms:
        yield "nothing was alarmed about since then"
        return
    instances = {str(of_alarm[0].body.get("instance", "")) for of_alarm in alarms.values()}
    yield f"{'local time':<19}  {'UTC':<20}  {'priority':<8}  what"
    for of_alarm in alarms.values():
        yield _line(of_alarm, zone, names_instance=len(instances) > 1)


def local_time(utc_s: float, zone: tzinfo | None) -> str:
    """Date and time in a zone, to the second; None for the machine's own zone."""
    return datetime.fromtimestamp(utc_s, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _line(changes: list[AlarmChange], zone: tzinfo | None, *, names_instance: bool) -> str:
    first, last = changes[0], changes[-1]
    start_utc_s = _timestamp(first.body.get("start_utc")) or first.entry.utc_s
    about = _text(first, "name") + (f" ({_text(first, 'model')})" if first.body.get("model") else "")
    instance = f"{_text(first, 'instance')}: " if names_instance else ""
    parts = [
        f"{instance}{about}, {_duration(changes, start_utc_s)}",
        _verdict(changes),
        _text(first, "detail"),
        *_acknowledgements(changes),
        *_doubts(changes),
    ]
    what = "; ".join(part for part in parts if part)
    return f"{local_time(start_utc_s, zone):<19}  {utc_text(start_utc_s)}  {last.body.get('priority', '')!s:<8}  {what}"


def _duration(changes: list[AlarmChange], start_utc_s: float) -> str:
    last = changes[-1]
    end = next((change for change in reversed(changes) if change.body.get("change") in {"latched", "ended"}), None)
    if end is None or last.body.get("state") == "active":
        return "goes on"
    latched = _latched(changes)
    if latched is None:
        return f"{_span(_over_utc_s(end) - start_utc_s)}, ended: {_cause(end)}"
    then = f"{_span(_over_utc_s(latched) - start_utc_s)}, then {_cause(latched)}"
    if last.body.get("state") == "latched":
        return f"{then}; nobody has acknowledged it"
    return f"{then}; ended {_span(end.entry.utc_s - latched.entry.utc_s)} later: {_cause(end)}"


def _over_utc_s(change: AlarmChange) -> float:
    """When the sound ended, if the change says so, or when the change was decided."""
    return _timestamp(change.body.get("end_utc")) or change.entry.utc_s


def _latched(changes: list[AlarmChange]) -> AlarmChange | None:
    """The change by which the alarm was latched, and has stayed so until it ended; None if it did not stay."""
    latched: AlarmChange | None = None
    for change in changes:
        if change.body.get("change") in {"raised", "reopened"}:
            latched = None
        elif change.body.get("change") == "latched":
            latched = change
    return latched


def _verdict(changes: list[AlarmChange]) -> str:
    """What a model said the sound was when it ended for good; empty where none did."""
    verdict: object = None
    for change in changes:
        if change.body.get("change") in {"raised", "reopened"}:
            verdict = None
        verdict = change.body.get("verdict") or verdict
    return f"verdict {printable(str(verdict))}" if verdict else ""


def _acknowledgements(changes: list[AlarmChange]) -> Iterator[str]:
    for change in changes:
        if change.body.get("change") == "acknowledged":
            after = _span(change.entry.utc_s - changes[0].entry.utc_s)
            yield f"{_text(change, 'cause')} after {after}"


def _doubts(changes: list[AlarmChange]) -> Iterator[str]:
    undelivered = sum(not change.delivered for change in changes)
    if undelivered:
        yield f"acknowledgement not noted: {undelivered} of {quantity(len(changes), 'change')}"
    qualities = {str(change.body.get("time_quality")) for change in changes}
    if "stepped" in qualities:
        yield "the clock jumped meanwhile"
    elif "unsynchronized" in qualities:
        yield "by a clock that was not synchronized"


def _span(seconds: float) -> str:
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s" if whole else "less than 1 s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole // 60 % 60} min"


def _timestamp(text: object) -> float | None:
    """Seconds since 1970 of an ISO date and time; None if it is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else None
    except ValueError:
        return None


def _cause(change: AlarmChange) -> str:
    cause = _text(change, "cause")
    return WHY_LOST.get(cause, cause)


def _text(change: AlarmChange, name: str) -> str:
    return printable(str(change.body.get(name, "")))
