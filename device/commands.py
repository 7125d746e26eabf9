"""What people may ask of a running daemon, validated and bounded: acknowledge, pause, self-test.

A command that does not hold changes nothing. Knows no broker, button or clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from device.errors import CommandError

MOST_BYTES = 1024
"""Of a payload; nothing that people may ask needs more."""

MOST_PAUSE_S = 7200.0

Verb = Literal["acknowledge", "pause", "resume", "self_test"]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody has seen an alarm: one, or all that are open (None)."""

    alarm_id: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Signals are to be silent for so many seconds; alarms are told even so."""

    duration_s: float
    by: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Signals are to sound again."""

    by: str


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The whole way from sound to broker is to be tried now."""

    by: str


Command = Acknowledge | Pause | Resume | SelfTest


def parse_command(verb: str, payload: bytes, *, by: str) -> Command:
    """The command that a payload means: empty, or a JSON object.

    Args:
        verb: acknowledge (`{"alarm_id": "..."}`; empty for all), pause (`{"duration_s": 300}`), resume, self_test.
        payload: UTF-8.
        by: who asks, as it is to be told: mqtt, button.

    Raises:
        CommandError: it is no command, or one that must not be obeyed.
    """
    said = _members(payload)
    match verb:
        case "acknowledge":
            return Acknowledge(_alarm_id(_only(said, "alarm_id")), by)
        case "pause":
            return Pause(_duration_s(_only(said, "duration_s")), by)
        case "resume":
            _only(said)
            return Resume(by)
        case "self_test":
            _only(said)
            return SelfTest(by)
    raise CommandError(f"{verb!r} is no command, it must be acknowledge, pause, resume or self_test")


def _members(payload: bytes) -> dict[str, Any]:
    if len(payload) > MOST_BYTES:
        raise CommandError(f"a command has {len(payload)} bytes, it may have {MOST_BYTES}")
    if not payload.strip():
        return {}
    try:
        said = json.loads(payload.decode("utf-8", "strict"))
    except (ValueError, RecursionError):
        raise CommandError("a command is no JSON; it must be empty or an object") from None
    if not isinstance(said, dict):
        raise CommandError("a command is no JSON object")
    return said


def _only(said: dict[str, Any], name: str = "") -> Any:
    unknown = [member for member in said if member != name]
    if unknown:
        raise CommandError(f"a command holds {unknown[0][:60]!r}, which means nothing here")
    return said.get(name)


def _alarm_id(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable():
        return value
    raise CommandError("alarm_id must be the id of an alarm, or left out for all")


def _duration_s(value: Any) -> float:
    if type(value) in {int, float} and 1 <= value <= MOST_PAUSE_S:
        return float(value)
    raise CommandError(f"duration_s must be a number of seconds, 1 to {MOST_PAUSE_S:.0f}")
