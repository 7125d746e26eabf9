"""The first screen: does it hear, what is on now, what may be done about it. Pure.

It says first whether it hears; a state that is missing or too old counts as not hearing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from device.alarms.label_modes import mode_words
from device.fault_info import FAULTS
from device.runtime.verdict import span_text
from device.web.pages.rendering import rendered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from device.runtime.daemon_state import AlarmStatus, DaemonState
    from device.web.live.moments import Moment

PAUSES_S = (600, 1800, 3600)
FRAGMENTS = ("verdict", "listeners", "alarms", "signals", "facts")
"""The parts of the first screen that change while it is open."""

_SILENT_DAEMON = "check whether it runs: auricle status, or the light of its machine"


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the configuration says that pages show.

    Attributes:
        instance: name of the daemon.
        zone: of the times that are shown; None for the machine's own.
        longest_pause_s: that the daemon allows.
    """

    instance: str
    zone: tzinfo | None
    longest_pause_s: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it hears.

    Attributes:
        hears: a cry would be detected now.
        title: the answer.
        why: one sentence about it.
        cure: what to do; empty if nothing is to be done.
    """

    hears: bool
    title: str
    why: str
    cure: str


@dataclass(frozen=True, slots=True)
class ShownAlarm:
    """An open alarm, in words.

    Attributes:
        alarm_id: of it.
        title: what is on.
        priority: high, medium or low.
        when: since when, and whether it is over.
        why: the rule that decided, or the measured value.
        cure: what to do about a fault; empty for a sound.
        acknowledged: somebody has seen it.
    """

    alarm_id: str
    title: str
    priority: str
    when: str
    why: str
    cure: str
    acknowledged: bool


def now_values(moment: Moment, facts: PageFacts, now_utc_s: float) -> dict[str, Any]:
    """The values of the templates of the first screen."""
    state = moment.state
    return {
        "verdict": _verdict(moment, now_utc_s),
        "alarms": [] if state is None else list(_alarms(state, facts, now_utc_s)),
        "is_known": state is not None,
        "listeners": () if state is None else state.listening_in or (),
        "paused_until": _paused_until(state, facts),
        "pauses": [(seconds, seconds // 60, seconds <= facts.longest_pause_s) for seconds in PAUSES_S],
        "longest_min": round(facts.longest_pause_s / 60, 1),
        "facts": [] if state is None else list(_facts(state, facts)),
        "at": clock_text(moment.utc_s, facts.zone),
    }


def now_fragments(moment: Moment, facts: PageFacts, now_utc_s: float, *, may_command: bool) -> dict[str, str]:
    """The parts of the first screen that change, as HTML."""
    values = now_values(moment, facts, now_utc_s)
    return {name: rendered(f"{name}.html", **values, may_command=may_command) for name in FRAGMENTS}


def clock_text(utc_s: float, zone: tzinfo | None) -> str:
    """`03:02` in a zone."""
    return datetime.fromtimestamp(utc_s, UTC).astimezone(zone).strftime("%H:%M")


def day_text(utc_s: float, zone: tzinfo | None) -> str:
    """`27 Nov, 22:10` in a zone."""
    return datetime.fromtimestamp(utc_s, UTC).astimezone(zone).strftime("%-d %b, %H:%M")


def label_text(name: str) -> str:
    """A label in words: `hungry_cry` -> `Hungry cry`."""
    return name.replace("_", " ").replace("-", " ").capitalize()


def _verdict(moment: Moment, now_utc_s: float) -> Verdict:
    state = moment.state
    if state is None:
        return Verdict(False, "Hears NOTHING, as far as is known", moment.problem, _SILENT_DAEMON)
    if state.hearing:
        return Verdict(True, "It hears", "; ".join([_level(state), *_silenced(state)]), "")
    deafening = [fault for fault in state.faults if FAULTS[fault.kind].deafens]
    if not deafening:
        return Verdict(False, "Hears NOTHING yet", "it is starting, and listens in a moment", "")
    first = min(deafening, key=lambda fault: fault.since_utc_s)
    for_s = max(0.0, now_utc_s - first.since_utc_s)
    why = f"{FAULTS[first.kind].words}, for {span_text(for_s)}"
    return Verdict(False, "Hears NOTHING", f"{why}: {first.detail}", FAULTS[first.kind].cure)


def _silenced(state: DaemonState) -> Iterator[str]:
    """What raises no alarms now, though it would be heard."""
    for label in state.labels:
        if label.mode != "alarm":
            yield f"{label_text(label.label)} {mode_words(label.mode, label.mode_cause)}"


def _level(state: DaemonState) -> str:
    if state.level_dbfs is None:
        return "the room is silent"
    loud = "loud" if state.level_dbfs > -30 else "quiet" if state.level_dbfs < -55 else "some sound"
    return f"{loud} in the room"


def _alarms(state: DaemonState, facts: PageFacts, now_utc_s: float) -> Iterator[ShownAlarm]:
    since = {(label.model, label.label): label.since_utc_s for label in state.labels}
    faults = {fault.kind: fault.since_utc_s for fault in state.faults}
    for alarm in state.alarms:
        is_sound = alarm.kind == "sound"
        begun = since.get((alarm.model, alarm.name)) if is_sound else _of_fault(faults, alarm)
        yield ShownAlarm(
            alarm_id=alarm.alarm_id,
            title=label_text(alarm.name) if is_sound else _fault_title(alarm),
            priority=alarm.priority,
            when=_when(alarm, begun, facts, now_utc_s),
            why=alarm.detail,
            cure="" if is_sound else _cure(alarm),
            acknowledged=alarm.acknowledged,
        )


def _of_fault(faults: Mapping[Any, float], alarm: AlarmStatus) -> float | None:
    return faults.get(alarm.name)


def _fault_title(alarm: AlarmStatus) -> str:
    info = {str(kind): info for kind, info in FAULTS.items()}.get(alarm.name)
    words = alarm.name if info is None else info.words
    return words[:1].upper() + words[1:]


def _cure(alarm: AlarmStatus) -> str:
    info = {str(kind): info for kind, info in FAULTS.items()}.get(alarm.name)
    return "" if info is None else info.cure


def _when(alarm: AlarmStatus, begun_utc_s: float | None, facts: PageFacts, now_utc_s: float) -> str:
    if alarm.state != "active":
        return "over, and nobody has seen it yet"
    if begun_utc_s is None:
        return "now"
    minutes = int(max(0.0, now_utc_s - begun_utc_s) // 60)
    ago = "less than a minute" if minutes < 1 else span_text(60.0 * minutes).removesuffix(" 0 s")
    return f"since {clock_text(begun_utc_s, facts.zone)}, {ago}"


def _paused_until(state: DaemonState | None, facts: PageFacts) -> str:
    if state is None or not state.paused:
        return ""
    return "a while" if state.paused_until_utc_s is None else clock_text(state.paused_until_utc_s, facts.zone)


def _facts(state: DaemonState, facts: PageFacts) -> Iterator[tuple[str, str]]:
    yield "microphone", state.device or state.source
    if state.listened is not None:
        yield "heard of the last seconds", f"{int(state.listened * 100)} %"
    if state.broker is not None:
        owed = f", {state.owed} not delivered yet" if state.owed else ""
        yield "broker", f"{state.broker}{owed}" + (f": {state.broker_reason}" if state.broker_reason else "")
    for label in state.labels:
        if label.mode_cause != "always":
            yield label_text(label.label), mode_words(label.mode, label.mode_cause)
    if state.listening_in is not None:
        yield "listened in", f"by {', '.join(state.listening_in)}" if state.listening_in else "by nobody now"
    yield "alarms are kept", f"NO: {state.journal}" if state.journal else "yes"
    yield "running since", day_text(state.told_utc_s - state.uptime_s, facts.zone)
