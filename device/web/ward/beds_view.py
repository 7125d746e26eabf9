"""The screen of a ward: which beds do not hear and why, which alarms wait, what runs where. Pure.

What is worst stands first. Alarms that nobody has acknowledged stand above all, the oldest first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from device.quantity import quantity
from device.ward.ward_table import ORDER, STATE_WORDS, by_age, has_alarms, moment_s, night_share
from device.web.pages.now_view import label_text
from device.web.pages.rendering import rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import tzinfo

    from device.ward.bed_messages import WardAlarm
    from device.ward.ward_state import BedView, Hearing, WardView

FRAGMENTS = ("verdict", "alarms", "beds", "seen", "behind", "figures", "news")
"""The parts of the screen that change while it is open; each is the template `ward_NAME.html`."""

MOST_IN_FULL = 40
"""So many beds of one kind each say why; of more, the reasons would hide the names."""

SHORT_NIGHT = 0.95
"""A bed that has listened to less of the night is named."""

_NAME_WIDTHS = ((6, "short"), (12, "medium"), (20, "long"))
_TITLES: Mapping[Hearing, str] = {
    "silent": "Silent: nothing is known of them",
    "deaf": "Deaf: a cry would not be noticed",
    "unknown": "Not known yet",
    "hears": "Hear",
}


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An open alarm, in words.

    Attributes:
        key: name of the bed and id of the alarm, as the button sends them.
        bed: name.
        title: what is on.
        priority: high, medium or low.
        since: clock time, and day if that is not today.
        lasts: for how long.
        condition: whether it goes on.
        detail: the rule that decided, or the measured value.
        by: who acknowledged it; empty if nobody did, `somebody` if that is unknown.
        is_reachable: its bed would get an acknowledgement.
    """

    key: str
    bed: str
    title: str
    priority: str
    since: str
    lasts: str
    condition: str
    detail: str
    by: str
    is_reachable: bool


@dataclass(frozen=True, slots=True)
class ShownBeds:
    """Beds of one kind.

    Attributes:
        hearing: of all of them.
        title: in words.
        beds: the worst first.
        in_full: whether each says why, or they share a dense grid.
    """

    hearing: Hearing
    title: str
    beds: tuple[BedView, ...]
    in_full: bool


def ward_values(
    view: WardView,
    *,
    zone: tzinfo | None,
    now_utc_s: float,
    may_command: bool,
    own_certificates: Sequence[str] = (),
    news: Sequence[str] = (),
) -> dict[str, Any]:
    """The values of the templates of the screen.

    Args:
        view: of the ward.
        zone: of the times that are shown; None for the machine's own.
        now_utc_s: of the ages of alarms.
        may_command: whoever looks may acknowledge.
        own_certificates: what is to be said of the certificates of this page itself.
        news: what has changed lately, for screen readers.
    """
    alarms = [(bed, alarm) for bed in view.beds for alarm in bed.alarms]
    shown = [_shown_alarm(bed, alarm, zone, now_utc_s) for bed, alarm in sorted(alarms, key=by_age)]
    return {
        "title": _title(view),
        "is_well": not view.trouble and _is_well(view),
        "why": _why(view),
        "owed": [alarm for alarm in shown if not alarm.by],
        "seen": [alarm for alarm in shown if alarm.by],
        "omitted": [(bed.name, quantity(bed.omitted, "further alarm")) for bed in view.beds if bed.omitted],
        "groups": list(_groups(view.beds)),
        "width": _width(view.beds),
        "rows": [
            (bed, STATE_WORDS[bed.hearing], share_text(bed.listened), share_text(night_share(bed, now_utc_s)))
            for bed in view.beds
        ],
        "short_nights": _short_nights(view.beds, now_utc_s),
        "software": _software(view.beds),
        "certificates": [*(("this page", each) for each in own_certificates), *_certificates(view.beds)],
        "unreadable": quantity(view.unreadable, "message") if view.unreadable else "",
        "may_command": may_command,
        "news": news,
        "at": _clock(now_utc_s, zone, now_utc_s),
    }


def ward_fragments(values: Mapping[str, Any]) -> dict[str, str]:
    """The parts of the screen that change, as HTML."""
    return {name: rendered(f"ward_{name}.html", **values) for name in FRAGMENTS}


def share_text(share: float | None) -> str:
    """A share in whole per cent, rounded down: what was missed is never rounded away."""
    return "-" if share is None else f"{int(share * 100 + 1e-6)} %"


def _title(view: WardView) -> str:
    if not view.beds:
        return "No bed is known"
    waits = sum(not alarm.acknowledged for bed in view.beds for alarm in bed.alarms)
    bad = Counter(bed.hearing for bed in view.beds)
    parts = [f"{bad[hearing]} {words}" for hearing, words in _SHORT.items() if bad[hearing]]
    if waits:
        parts.insert(0, f"{quantity(waits, 'alarm')} {'waits' if waits == 1 else 'wait'}")
    if parts:
        return ", ".join(parts)
    return "The bed hears" if len(view.beds) == 1 else f"All {len(view.beds)} beds hear"


_SHORT: Mapping[Hearing, str] = {"silent": "silent", "deaf": "deaf", "unknown": "not known"}


def _why(view: WardView) -> str:
    if view.trouble:
        return f"the ward is not connected to the broker: {view.trouble}"
    if not view.beds:
        return "no daemon has said anything below this topic, or this user may not read it"
    hearing = sum(bed.hearing == "hears" for bed in view.beds)
    seen = sum(alarm.acknowledged for bed in view.beds for alarm in bed.alarms)
    parts = [f"{hearing} of {quantity(len(view.beds), 'bed')} {'hears' if len(view.beds) == 1 else 'hear'}"]
    if seen:
        parts.append(f"{quantity(seen, 'open alarm')} acknowledged")
    return "; ".join(parts)


def _is_well(view: WardView) -> bool:
    owed = any(not alarm.acknowledged for bed in view.beds for alarm in bed.alarms)
    return bool(view.beds) and not owed and all(bed.hearing == "hears" for bed in view.beds)


def _groups(beds: Iterable[BedView]) -> Iterator[ShownBeds]:
    """By what is known of them, the worst first; those that hear and have something to say apart from the others."""
    by_hearing = defaultdict(list)
    for bed in beds:
        by_hearing[bed.hearing, has_alarms(bed)].append(bed)
    for hearing in ORDER:
        if hearing != "hears":
            both = [*by_hearing[hearing, True], *by_hearing[hearing, False]]
            if both:
                yield ShownBeds(
                    hearing, _TITLES[hearing], tuple(both), in_full=hearing != "unknown" and len(both) <= MOST_IN_FULL
                )
    if by_hearing["hears", True]:
        yield ShownBeds("hears", "Hear, with an open alarm", tuple(by_hearing["hears", True]), in_full=False)
    if by_hearing["hears", False]:
        yield ShownBeds("hears", _TITLES["hears"], tuple(by_hearing["hears", False]), in_full=False)


def _width(beds: Sequence[BedView]) -> str:
    """Of a tile, by the longest name."""
    longest = max((len(bed.name) for bed in beds), default=0)
    return next((width for most, width in _NAME_WIDTHS if longest <= most), "longest")


def _shown_alarm(bed: BedView, alarm: WardAlarm, zone: tzinfo | None, now_utc_s: float) -> ShownAlarm:
    start_utc_s = moment_s(alarm.start_utc)
    what = label_text(alarm.name)
    return ShownAlarm(
        key=f"{bed.name} {alarm.alarm_id}",
        bed=bed.name,
        title=what if alarm.kind == "sound" or not alarm.model else f"{what} ({alarm.model})",
        priority=alarm.priority,
        since="unknown" if start_utc_s is None else _clock(start_utc_s, zone, now_utc_s),
        lasts="" if start_utc_s is None else _lasts(now_utc_s - start_utc_s),
        condition="goes on" if alarm.state == "active" else "is over, and waits to be seen",
        detail=alarm.detail,
        by=(alarm.acknowledged_by or "somebody") if alarm.acknowledged else "",
        is_reachable=bed.hearing in {"hears", "deaf"},
    )


def _clock(utc_s: float, zone: tzinfo | None, now_utc_s: float) -> str:
    """`02:14`, with the day before it if that is another one than now."""
    moment, now = (datetime.fromtimestamp(each, UTC).astimezone(zone) for each in (utc_s, now_utc_s))
    return moment.strftime("%H:%M" if moment.date() == now.date() else "%-d %b, %H:%M")


def _lasts(for_s: float) -> str:
    minutes = int(max(0.0, for_s) // 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 24 * 60 else quantity(minutes // (24 * 60), "day")


def _short_nights(beds: Iterable[BedView], now_utc_s: float) -> list[tuple[str, str]]:
    """Beds that have missed much of the night, and the share that they listened to; the least first."""
    shares = ((night_share(bed, now_utc_s), bed.name) for bed in beds)
    short = sorted((share, name) for share, name in shares if share is not None and share < SHORT_NIGHT)
    return [(name, share_text(share)) for share, name in short]


def _software(beds: Iterable[BedView]) -> list[tuple[str, list[str]]]:
    """What runs, and at which beds; what fewest have first, as that is what somebody forgot."""
    running = defaultdict(list)
    for bed in beds:
        if bed.software is None:
            running["not said"].append(bed.name)
        else:
            running[f"auricle {bed.software.version} with {', '.join(bed.software.models)}"].append(bed.name)
    return sorted(running.items(), key=lambda each: (len(each[1]), each[0]))


def _certificates(beds: Iterable[BedView]) -> Iterator[tuple[str, str]]:
    return ((bed.name, bed.certificate) for bed in beds if bed.certificate)
