"""What a measured room means, in sentences: what is well, what is not, and what to do. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.calibration.card_figures import expected_false_alarms, expected_misses
from device.calibration.gain_advice import gain_finding
from device.calibration.room_measure import CRY, dbfs
from device.config.wording import bracketed, listed
from device.fault_info import FAULTS
from device.findings import Finding
from device.printable import printable
from device.quantity import quantity
from device.report.markup import clock
from device.synthesis.room_signal import PIP_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.calibration.card_figures import ExpectedFalseAlarms, ExpectedMisses
    from device.calibration.room_measure import RoomLevels, RoomMeasure, SignalLevels
    from device.calibration.sensitivity_rows import MeasuredLabel

SHORT_S = 300.0
"""A room heard for less says little about a night."""

NEAR_THE_ROOM_DB = 10.0
"""A cry that stands out less is missed more often; by how much is in the model's card."""

HUM_MATTERS_DB = 10.0
"""A hum from so far below the room's level on is worth looking for."""

_LOUDER = "turn the player up, put it where the child's head lies, and play the signal again to its end"
_NEARER = "put the microphone nearer to the cot and away from what makes noise, and measure again"


def room_findings(measure: RoomMeasure) -> list[Finding]:
    """All findings, in the order in which to read them."""
    return [*_findings(measure)]


def _findings(measure: RoomMeasure) -> Iterator[Finding]:
    yield from _fault_findings(measure)
    if measure.room is not None:
        yield _room_finding(measure.room)
        yield _hum_finding(measure, measure.room)
    if measure.room is not None or measure.signal is not None:
        yield gain_finding(measure.room, measure.signal)
    if measure.is_played:
        yield _signal_finding(measure)
    if measure.signal is not None:
        yield _distance_finding(measure.signal)
    for label in measure.labels:
        if label.now.cry is not None:
            yield _cry_finding(label)
        if measure.room is not None:
            yield _alone_finding(label, measure.room.heard_s)
    yield from _expectations(measure)


def _fault_findings(measure: RoomMeasure) -> Iterator[Finding]:
    kinds = {fault.kind: fault for fault in measure.faults if fault.begins and FAULTS[fault.kind].deafens}
    for kind, fault in kinds.items():
        summary = f"the microphone did not hear meanwhile ({kind}): {fault.detail}"
        yield Finding("microphone", "failure", summary, "run auricle check, mend that, and measure again")


def _room_finding(room: RoomLevels) -> Finding:
    if room.typical_dbfs is None or room.floor_dbfs is None or room.loud_dbfs is None:
        return Finding("room", "failure", "digital silence: no sound at all", "run auricle check, which says why")
    summary = (
        f"{clock(room.heard_s, 0)} heard: {room.typical_dbfs:.1f} dBFS half of the time, over {room.floor_dbfs:.1f} in "
        f"90 % of the seconds, over {room.loud_dbfs:.1f} in 10 %"
    )
    if room.heard_s < SHORT_S:
        return Finding("room", "warning", summary, "measure ten minutes: a short one says little about a night")
    return Finding("room", "ok", summary)


def _hum_finding(measure: RoomMeasure, room: RoomLevels) -> Finding:
    if measure.hum is None:
        return Finding("hum", "ok", "no hum of the mains stands out")
    level, lines = dbfs(measure.hum.power), listed([f"{line:g}" for line in measure.hum.lines_hz])
    summary = f"the mains hum at {measure.hum.mains_hz:g} Hz (lines at {lines} Hz), {level:.1f} dBFS"
    if room.typical_dbfs is None or level is None or level < room.typical_dbfs - HUM_MATTERS_DB:
        return Finding("hum", "ok", f"{summary}: far below the room")
    cure = "move the microphone's cable away from power cables and adapters, or try another power supply"
    return Finding("hum", "warning", summary, cure)


def _signal_finding(measure: RoomMeasure) -> Finding:
    signal = measure.signal
    if signal is None:
        summary = f"its pips are not to be found in {clock(measure.played_s, 0)} of sound"
        return Finding("signal", "failure", summary, _LOUDER)
    counted = f"{signal.pips.counted} of {len(PIP_HZ)} pips stand out"
    summary = f"{counted}, the first at {clock(signal.pips.start_s, 1)}"
    if not signal.is_whole:
        return Finding("signal", "warning", f"{summary}, and the sound ends before the cry does", _LOUDER)
    return Finding("signal", "ok", summary)


def _distance_finding(signal: SignalLevels) -> Finding:
    if signal.cry_dbfs is None or signal.over_room_db is None:
        return Finding("distance", "warning", "the played cry is no louder than the room", f"{_LOUDER}; or {_NEARER}")
    summary = f"the played cry arrives at {signal.cry_dbfs:.1f} dBFS, {round(signal.over_room_db):d} dB over the room"
    if signal.over_room_db < NEAR_THE_ROOM_DB:
        return Finding("distance", "warning", summary, f"{_NEARER}; a phone is quieter than most infants")
    return Finding("distance", "ok", summary)


def _cry_finding(label: MeasuredLabel) -> Finding:
    """Whether the played cry is found as configured, and which sensitivities find it."""
    now, name = label.now, printable(label.label)
    as_configured = f"at sensitivity {label.configured}, as configured"
    if now.cry == "found" and now.delay_s is not None:
        summary = f"the played cry is found {now.delay_s:.1f} s after it began {as_configured}; {_found_at(label)}"
        return Finding(name, "ok", summary)
    if now.cry == "on before":
        summary = f"an alert was on before the played cry began, {as_configured}"
        return Finding(name, "warning", summary, "let it be quiet for a minute, and play the signal again")
    if label.finding:
        key = f"sensitivity = {label.recommended} in {bracketed(('model', label.model, 'label', label.label))}"
        summary = f"the played cry would be missed {as_configured}; {_found_at(label)}"
        return Finding(name, "failure", summary, f"{_NEARER}; or set {key}")
    highest = "" if label.cry_highest is None else f"; its highest score is {label.cry_highest:.2f}"
    summary = f"the played cry would be missed at every sensitivity{highest}"
    return Finding(name, "failure", summary, f"{_LOUDER}; or {_NEARER}")


def _found_at(label: MeasuredLabel) -> str:
    """The sensitivities that find the cry; a more sensitive one misses it only if an alert was on before."""
    low, high = min(label.finding), max(label.finding)
    if len(label.finding) == high - low + 1 > 2:
        return f"found from {low} to {high}"
    return f"found at {listed([f'{step:d}' for step in label.finding])}"


def _alone_finding(label: MeasuredLabel, heard_s: float) -> Finding:
    """How often the room's own sound raises an alert, or comes near one, as configured."""
    now, hours, name = label.now, heard_s / 3600, printable(label.label)
    if label.highest is None:
        return Finding(name, "warning", "the room alone was too short to be scored", "measure ten minutes")
    alerts = quantity(now.alerts, "alert") if now.alerts else "no alert"
    near = f"comes near one {quantity(now.near, 'time')} more" if now.near else "is never near one"
    summary = (
        f"the room alone raises {alerts} in {clock(heard_s, 0)} (at most {now.at_most_an_hour(hours):.1f} an hour, "
        f"95 %) and {near}; its highest score is {label.highest:.2f}, an alert needs {now.on:.2f}"
    )
    if now.alerts:
        return Finding(name, "warning", summary, "find what sounds, or set a lower sensitivity: see the table")
    return Finding(name, "ok", summary)


def _expectations(measure: RoomMeasure) -> Iterator[Finding]:
    """What the cards say, of sensitivity 0."""
    over_db = None if measure.signal is None else measure.signal.over_room_db
    for label in measure.labels:
        card = measure.cards.get(label.model, {})
        misses = None if over_db is None or label.label != CRY else expected_misses(card, over_db)
        alarms = expected_false_alarms(card)
        parts = [] if misses is None else [_misses_text(misses)]
        if alarms is not None:
            parts.append(_alarms_text(alarms))
        if parts:
            card_of = f"by the card of {printable(label.model)}, at sensitivity 0"
            yield Finding(printable(label.label), "ok", f"expect, {card_of}: {'; '.join(parts)}")


def _misses_text(misses: ExpectedMisses) -> str:
    share = f"{100 * misses.low:.0f} to {100 * misses.high:.0f} %"
    return f"{misses.missed} of {misses.clips} cries missed at {misses.snr_db:g} dB over a room ({share})"


def _alarms_text(alarms: ExpectedFalseAlarms) -> str:
    count = quantity(alarms.alarms, "false alarm")
    span = f"{alarms.low:.1f} to {alarms.high:.1f} an hour"
    return f"{count} in {alarms.hours:.1f} h of homes, music and speech ({span})"
