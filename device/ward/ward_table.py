"""The ward as a table for a terminal, as JSON, and as lines of what has changed. Pure."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from device.daytime import within_years
from device.printable import excerpt, printable
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from device.ward.bed_messages import WardAlarm
    from device.ward.ward_state import BedView, Hearing, WardView

ALL_IN_FULL = 20
"""Up to so many beds have a line each; of more, those that hear and have nothing to say share lines."""

STATE_WORDS: Mapping[Hearing, str] = {"silent": "SILENT", "deaf": "DEAF", "unknown": "unknown", "hears": "hears"}
ORDER: tuple[Hearing, ...] = ("silent", "deaf", "unknown", "hears")
"""The worst first."""

_COLOURS: Mapping[Hearing, int] = {"silent": 31, "deaf": 31, "unknown": 33, "hears": 32}
_WIDTH, _TEXT_CHARACTERS = 100, 90
_LONGEST_NIGHT_S = 25 * 3600.0  # from noon to noon, where a clock was set back


def table_lines(view: WardView, *, now_utc: str, colour: bool = False) -> Iterator[str]:
    """Lines of text: who hears, which alarms are open, which certificates expire.

    Args:
        view: of the ward.
        now_utc: as it is shown, as `2026-11-21T02:14:07Z`.
        colour: with a terminal's escape sequences.
    """
    yield f"{now_utc}  {headline(view)}"
    if view.trouble:
        yield f"NOT CONNECTED: {printable(view.trouble)}"
    if view.unreadable:
        yield f"{quantity(view.unreadable, 'message')} could not be read"
    yield from _bed_lines(view.beds, now_utc_s=datetime.fromisoformat(now_utc).timestamp(), colour=colour)
    yield from _alarm_lines(view.beds)
    yield from _certificate_lines(view.beds)


def headline(view: WardView) -> str:
    """How many beds hear, and how many alarms nobody has acknowledged."""
    counts = Counter(bed.hearing for bed in view.beds)
    words = {"silent": "silent", "deaf": "deaf", "unknown": "not known", "hears": "hearing"}
    parts = [f"{counts[hearing]} {words[hearing]}" for hearing in ORDER if counts[hearing]]
    alarms = sum(not alarm.acknowledged for bed in view.beds for alarm in bed.alarms)
    owed = f"{quantity(alarms, 'alarm')} not acknowledged" if alarms else "no alarm waits"
    return f"{quantity(len(view.beds), 'bed')}: {', '.join(parts) or 'none is known'}; {owed}"


def as_json(view: WardView) -> str:
    """The ward as one line of JSON; docs/ward.md shows its members."""
    return json.dumps(dataclasses.asdict(view), ensure_ascii=True, separators=(",", ":"))


def change_lines(before: WardView | None, after: WardView) -> Iterator[str]:
    """One line for each bed or alarm that differs from before; None before the first view."""
    if (before.trouble if before else "") != after.trouble:
        yield f"NOT CONNECTED: {printable(after.trouble)}" if after.trouble else "connected"
    known = {bed.name: bed for bed in before.beds} if before else {}
    for bed in after.beds:
        was = known.pop(bed.name, None)
        if was is None or (was.hearing, was.why) != (bed.hearing, bed.why):
            yield f"{bed.name}: {STATE_WORDS[bed.hearing]}" + (f", {_short(bed.why)}" if bed.why else "")
        yield from _alarm_changes(was, bed)
        if bed.certificate and (was is None or was.certificate != bed.certificate):
            yield f"{bed.name}: certificate: {_short(bed.certificate)}"
    for name in known:
        yield f"{name}: no longer on the broker"


def has_alarms(bed: BedView) -> bool:
    """Whether alarms are open there."""
    return bool(bed.alarms or bed.omitted)


def by_age(each: tuple[BedView, WardAlarm]) -> tuple[bool, str, str]:
    """Sort key of alarms: those that nobody has acknowledged first, the oldest of them at the top."""
    bed, alarm = each
    return alarm.acknowledged, alarm.start_utc or "", bed.name


def night_share(bed: BedView, now_utc_s: float) -> float | None:
    """The share of the night, since the bed's last noon, in which a bed has listened; None if nobody knows.

    Of a bed that is silent, all the time that has passed since it last said so counts as not listened to.
    """
    night = bed.night
    if night is None or bed.hearing == "unknown":
        return None
    elapsed_s = night.elapsed_s
    if bed.hearing == "silent":
        elapsed_s = max(elapsed_s, now_utc_s - (moment_s(night.since_utc) or now_utc_s))
        if elapsed_s > _LONGEST_NIGHT_S:
            return 0.0  # that night is over
    return night.listened_s / elapsed_s if elapsed_s else None


def moment_s(utc: str | None) -> float | None:
    """UTC seconds of a moment as a bed writes it; None for none, and for one that is no day of any calendar."""
    try:
        return None if utc is None else within_years(datetime.fromisoformat(utc).timestamp())
    except (ValueError, OverflowError):
        return None


def is_urgent(before: WardView | None, after: WardView) -> bool:
    """Whether somebody should look: a bed fell silent or deaf, or an alarm is new and not acknowledged."""
    if before is None:
        return False
    was = {bed.name: bed for bed in before.beds}
    return any(_is_worse(was.get(bed.name), bed) for bed in after.beds)


def _is_worse(was: BedView | None, bed: BedView) -> bool:
    known = {alarm.alarm_id for alarm in was.alarms} if was else set()
    is_new = any(alarm.alarm_id not in known and not alarm.acknowledged for alarm in bed.alarms)
    return is_new or (bed.hearing in {"silent", "deaf"} and (was is None or was.hearing != bed.hearing))


def _alarm_changes(was: BedView | None, bed: BedView) -> Iterator[str]:
    known = {alarm.alarm_id: alarm for alarm in was.alarms} if was else {}
    for alarm in bed.alarms:
        earlier = known.pop(alarm.alarm_id, None)
        if earlier is None or _told_apart(earlier) != _told_apart(alarm):
            yield f"{bed.name}: {_about(alarm)} {_condition(alarm)}, {alarm.priority}; {_seen(alarm)}"
    for alarm in known.values():
        yield f"{bed.name}: {_about(alarm)} is over"


def _told_apart(alarm: WardAlarm) -> tuple[object, ...]:
    return alarm.state, alarm.priority, alarm.acknowledged, alarm.acknowledged_by


def _bed_lines(beds: Sequence[BedView], *, now_utc_s: float, colour: bool) -> Iterator[str]:
    if not beds:
        return
    ordered = sorted(beds, key=lambda bed: (ORDER.index(bed.hearing), not has_alarms(bed), bed.name))
    quiet = [bed for bed in ordered if bed.hearing == "hears" and not has_alarms(bed) and not bed.certificate]
    shown = ordered if len(beds) <= ALL_IN_FULL else [bed for bed in ordered if bed not in quiet]
    width = max(len("BED"), *(len(bed.name) for bed in beds))
    if shown:
        yield ""
        yield f"{'BED':<{width}}  {'STATE':<7}  {'LISTENED':>8}  {'NIGHT':>7}  WHY"
    for bed in shown:
        state = f"{STATE_WORDS[bed.hearing]:<7}"
        state = f"\x1b[{_COLOURS[bed.hearing]}m{state}\x1b[0m" if colour else state
        what = bed.why or _software(bed)
        shares = f"{_percent(bed.listened):>8}  {_percent(night_share(bed, now_utc_s)):>7}"
        yield f"{bed.name:<{width}}  {state}  {shares}  {_short(what)}".rstrip()
    if len(shown) < len(beds):
        yield ""
        names = " ".join(bed.name for bed in quiet)
        yield from textwrap.wrap(f"hear, and have no alarm: {names}", _WIDTH, break_on_hyphens=False)


def _software(bed: BedView) -> str:
    if bed.software is None:
        return ""
    return f"auricle {bed.software.version} with {', '.join(bed.software.models)}"


def _alarm_lines(beds: Sequence[BedView]) -> Iterator[str]:
    alarms = sorted(((bed, alarm) for bed in beds for alarm in bed.alarms), key=by_age)
    if alarms:
        width = max(len("BED"), *(len(bed.name) for bed, _ in alarms))
        yield ""
        yield f"{'SINCE':<20}  {'BED':<{width}}  {'PRIORITY':<8}  {'ACKNOWLEDGED':<20}  ALARM"
    for where, alarm in alarms:
        since = "-" if alarm.start_utc is None else f"{alarm.start_utc[:19]}Z"
        seen = _seen(alarm) if alarm.acknowledged else "NO"
        about = f"{_about(alarm)} {_condition(alarm)}: {_short(alarm.detail)}  {excerpt(alarm.alarm_id, 64)}"
        yield f"{since:<20}  {where.name:<{width}}  {alarm.priority:<8}  {seen:<20}  {about}"
    for bed in beds:
        if bed.omitted:
            yield f"{bed.name} has {quantity(bed.omitted, 'further alarm')} that it does not name"


def _certificate_lines(beds: Sequence[BedView]) -> Iterator[str]:
    expiring = [bed for bed in beds if bed.certificate]
    if expiring:
        yield ""
        yield "CERTIFICATES THAT EXPIRE"
    for bed in expiring:
        yield f"{bed.name}  {_short(bed.certificate)}"


def _about(alarm: WardAlarm) -> str:
    return excerpt(alarm.name, 40) + (f" ({excerpt(alarm.model, 40)})" if alarm.model else "")


def _condition(alarm: WardAlarm) -> str:
    return "goes on" if alarm.state == "active" else "waits"


def _seen(alarm: WardAlarm) -> str:
    if not alarm.acknowledged:
        return "not acknowledged"
    return f"by {excerpt(alarm.acknowledged_by, 40)}" if alarm.acknowledged_by else "yes"


def _percent(share: Any) -> str:
    return "-" if share is None else f"{int(share * 1000 + 1e-6) / 10:.1f} %"


def _short(text: str) -> str:
    return excerpt(text, _TEXT_CHARACTERS)
