"""What people may ask of a running daemon, validated and bounded: acknowledge, pause, self-test.

A command that does not hold changes nothing. Knows no broker, button or clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from device.errors import CommandError

MAX_PAYLOAD_BYTES = 1024
"""Of a payload; nothing that people may ask needs more."""

MAX_PAUSE_S = 7200.0
"""As long as `longest_pause_s` may be configured."""

MAX_ID_CHARACTERS = 200

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
            _hold_only(said, "alarm_id")
            return Acknowledge(_alarm_id(said["alarm_id"]) if said else None, by)
        case "pause":
            _hold_only(said, "duration_s")
            return Pause(_duration_s(said.get("duration_s")), by)
        case "resume":
            _hold_only(said)
            return Resume(by)
        case "self_test":
            _hold_only(said)
            return SelfTest(by)
    raise CommandError(f"{_shown(verb)} is no command, it must be acknowledge, pause, resume or self_test")


def _members(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise CommandError(f"a command has {len(payload)} bytes, it may have {MAX_PAYLOAD_BYTES}")
    if not payload.strip():
        return {}
    try:
        said = json.loads(payload.decode("utf-8", "strict"), object_pairs_hook=_each_once)
    except CommandError:
        raise
    except (ValueError, RecursionError):
        raise CommandError("a command is no JSON; it must be empty or an object") from None
    if not isinstance(said, dict):
        raise CommandError("a command is no JSON object; it must be empty or one")
    return said


def _each_once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members: of one that is said twice nobody knows what was meant."""
    said: dict[str, Any] = {}
    for name, value in members:
        if name in said:
            raise CommandError(f"a command says {_shown(name)} twice, it may say it once")
        said[name] = value
    return said


def _hold_only(said: dict[str, Any], *names: str) -> None:
    unknown = [name for name in said if name not in names]
    if unknown:
        may = f"only {names[0]} does" if names else "it must be empty"
        raise CommandError(f"a command holds {_shown(unknown[0])}, which means nothing here; {may}")


def _alarm_id(value: Any) -> str:
    """Null is none: whoever means one alarm and has lost its id must not acknowledge all."""
    if isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARACTERS and value.isprintable():
        return value
    raise CommandError("alarm_id must be the id of an alarm, or left out for all")


def _duration_s(value: Any) -> float:
    if type(value) in {int, float} and 1 <= value <= MAX_PAUSE_S:
        return float(value)
    raise CommandError(f"duration_s must be a number of seconds, 1 to {MAX_PAUSE_S:.0f}")


def _shown(name: str) -> str:
    """What strangers sent, in ASCII and cut to what a line of a log can bear."""
    return ascii(name[:60])
