"""A measured room in words, as JSON for programs, and as a fragment of a configuration. It writes no file. Pure."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from device.calibration.room_findings import HUM_MATTERS_DB, room_findings
from device.calibration.room_measure import dbfs
from device.calibration.room_meter import BANDS_HZ
from device.config.wording import bracketed
from device.findings import finding_lines
from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from device.calibration.mains_hum import Hum
    from device.calibration.room_measure import RoomLevels, RoomMeasure, SignalLevels
    from device.calibration.sensitivity_rows import MeasuredLabel, SensitivityRow

_COLUMNS = "  sensitivity  played cry          the room alone: alerts  near ones  at most an hour (95 %)"


def room_text(measure: RoomMeasure) -> str:
    """All of it, for people."""
    return "\n".join(_lines(measure)) + "\n"


def room_json(measure: RoomMeasure) -> dict[str, Any]:
    """All figures, for programs; levels in dBFS, times in seconds."""
    room, signal, hum = measure.room, measure.signal, measure.hum
    return {
        "findings": [dataclasses.asdict(finding) for finding in room_findings(measure)],
        "room": None if room is None else _room_json(room),
        "hum": None if hum is None else _hum_json(hum),
        "signal": None if signal is None else _signal_json(signal),
        "labels": [_label_json(label, measure) for label in measure.labels],
    }


def json_text(figures: Mapping[str, Any]) -> str:
    """What `room_json` gives, as a file."""
    return json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def room_toml(measure: RoomMeasure) -> str:
    """What to write into the configuration, with the reasons as comments; what need not change is a comment too."""
    return "\n".join(_toml_lines(measure)) + "\n"


# --- in words


def _lines(measure: RoomMeasure) -> Iterator[str]:
    for finding in room_findings(measure):
        yield from finding_lines(finding)
    if measure.room is not None and any(level is not None for level in measure.room.bands_dbfs):
        yield ""
        yield "  octave band, Hz  " + "".join(f"{centre_hz:>7d}" for centre_hz in BANDS_HZ)
        levels = ("      -" if level is None else f"{level:7.1f}" for level in measure.room.bands_dbfs)
        yield "  floor, dBFS      " + "".join(levels)
    for label in measure.labels:
        if measure.room is None and label.now.cry is None:
            continue
        yield ""
        yield f"{printable(label.label)} (model {printable(label.model)}), sensitivity {label.configured} as configured"
        yield _COLUMNS
        yield from (_row_line(row, label, measure.room) for row in label.rows)


def _row_line(row: SensitivityRow, label: MeasuredLabel, room: RoomLevels | None) -> str:
    mark = ">" if row.sensitivity == label.configured else " "
    delay = "" if row.delay_s is None else f" after {row.delay_s:.1f} s"
    fate = f"{row.cry or '-'}{delay}"
    if room is None or not room.heard_s:
        return f"{mark} {row.sensitivity:11d}  {fate:<18}  -"
    most = row.at_most_an_hour(room.heard_s / 3600)
    return f"{mark} {row.sensitivity:11d}  {fate:<18}  {row.alerts:22d}  {row.near:9d}  {most:22.1f}"


# --- as a configuration


def _toml_lines(measure: RoomMeasure) -> Iterator[str]:
    yield "# From auricle calibrate. Copy what you want into the instance's configuration; nothing reads this file."
    for label in measure.labels:
        yield ""
        yield from _label_toml(label)
    hum, room = measure.hum, measure.room
    level = None if hum is None else dbfs(hum.power)
    if hum is None or room is None or level is None or room.typical_dbfs is None:
        return
    if level >= room.typical_dbfs - HUM_MATTERS_DB:
        yield ""
        yield f"# The mains hum at {level:.1f} dBFS. Look for its cause first. This filter takes the hum out of what"
        yield "# the models hear; what that does to their figures was not measured."
        yield "# [filters]"
        yield f"# hum_hz = {hum.mains_hz:g}"


def _label_toml(label: MeasuredLabel) -> Iterator[str]:
    best = label.row(label.recommended)
    is_kept = label.recommended == label.configured
    mark = "# " if is_kept else ""
    yield f"# {printable(label.label)}: {_reason(label, best)}"
    yield f"{mark}{bracketed(('model', label.model, 'label', label.label))}"
    yield f"{mark}sensitivity = {label.recommended}" + (
        "    # as it is" if is_kept else f"    # now {label.configured}"
    )


def _reason(label: MeasuredLabel, best: SensitivityRow) -> str:
    if label.now.cry is not None and not label.finding:
        return "no sensitivity finds the played cry, so none is better than another; see the report"
    alone = f"the room alone raises {best.alerts} and comes near {best.near}"
    if best.cry == "found":
        return f"the played cry is found; {alone}"
    if best.cry is not None:
        return f"the played cry is not found; {alone}"
    return f"no cry was played for it; {alone}"


# --- as JSON


def _room_json(room: RoomLevels) -> dict[str, Any]:
    bands = {str(hz): _rounded(level) for hz, level in zip(BANDS_HZ, room.bands_dbfs, strict=True)}
    return {
        "heard_s": round(room.heard_s, 2),
        "sample_rate_hz": room.sample_rate_hz,
        "floor_dbfs": _rounded(room.floor_dbfs),
        "typical_dbfs": _rounded(room.typical_dbfs),
        "loud_dbfs": _rounded(room.loud_dbfs),
        "bands_dbfs": bands,
        "clipped_share": round(room.clipped_share, 6),
    }


def _hum_json(hum: Hum) -> dict[str, Any]:
    return {"mains_hz": hum.mains_hz, "dbfs": _rounded(dbfs(hum.power)), "lines_hz": list(hum.lines_hz)}


def _signal_json(signal: SignalLevels) -> dict[str, Any]:
    return {
        "pips": signal.pips.counted,
        "pips_start_s": round(signal.pips.start_s, 2),
        "is_whole": signal.is_whole,
        "cry_dbfs": _rounded(signal.cry_dbfs),
        "over_room_db": _rounded(signal.over_room_db),
        "peak_dbfs": _rounded(signal.peak_dbfs),
        "clipped_share": round(signal.clipped_share, 6),
    }


def _label_json(label: MeasuredLabel, measure: RoomMeasure) -> dict[str, Any]:
    hours = 0.0 if measure.room is None else measure.room.heard_s / 3600
    return {
        "model": label.model,
        "label": label.label,
        "sensitivity": label.configured,
        "recommended": label.recommended,
        "highest": _rounded(label.highest, 4),
        "cry_highest": _rounded(label.cry_highest, 4),
        "sensitivities": [
            {
                "sensitivity": row.sensitivity,
                "on": round(row.on, 4),
                "alerts": row.alerts,
                "near": row.near,
                "at_most_an_hour": _rounded(row.at_most_an_hour(hours), 2) if hours else None,
                "cry": row.cry,
                "delay_s": _rounded(row.delay_s, 2),
            }
            for row in label.rows
        ],
    }


def _rounded(value: float | None, digits: int = 1) -> float | None:
    return None if value is None else round(value, digits)
