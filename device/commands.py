"""Commands to a running daemon, validated and bounded: acknowledge, pause, resume, self-test, sensitivity, mode.

An invalid command changes nothing. Knows no broker, button or clock. Payloads are parsed by the standard library:
msgspec and orjson accept a member twice, of which nobody knows what was meant.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from device.errors import CommandError
from device.messages import ModeSwitch
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PERSON_CHARACTERS = 40
"""Of who acknowledges, by their own account."""

MAX_PAYLOAD_BYTES = 1024
"""Of a payload; no command needs more."""

MAX_PAUSE_S = 7200.0
"""The highest value that `longest_pause_s` may be configured to."""

MAX_ROOM_S = 3600.0
"""Of a room that is measured through the daemon; what is longer is measured from recordings."""

MAX_ID_CHARACTERS = 200
MAX_WHY_CHARACTERS = 200

MAX_SENTENCE_CHARACTERS = 300
"""Of what push reports."""

MAX_SENSITIVITY = 5
"""Steps up or down, as in the configuration."""

_MAX_NAME_CHARACTERS = 64
_LAST_UTC_S = 253_402_300_799  # the last second of the year 9999

Verb = Literal["acknowledge", "pause", "resume", "self_test", "sensitivity", "mode"]
RoomStep = Literal[
    "room",  # measure the room as it is from now on
    "played",  # measure it while the signal is played
    "finish",  # end the measurement, and work its result out
    "look",  # say how far it is; the result, once there is one
    "stop",  # end it without a result
]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Acknowledge one alarm, or all open ones (None)."""

    alarm_id: str | None
    by: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence the GPIO signals for this many seconds; alarms are still delivered."""

    duration_s: float
    by: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Let the GPIO signals sound again."""

    by: str


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Test the whole chain from sound to broker now."""

    by: str


@dataclass(frozen=True, slots=True)
class SetSensitivity:
    """Detect a label with another sensitivity, -5 to 5, than the configuration says."""

    model: str
    label: str
    sensitivity: int
    by: str


@dataclass(frozen=True, slots=True)
class SetMode:
    """Let a label raise alarms, be only logged, or not be listened for; `auto` gives it back to its hours."""

    label: str
    mode: ModeSwitch
    by: str


@dataclass(frozen=True, slots=True)
class Reload:
    """Read configuration and models again; from this machine alone.

    Attributes:
        why: what was done before, for log and journal; empty if nothing is said.
        by: who asks.
    """

    why: str
    by: str


@dataclass(frozen=True, slots=True)
class PushReport:
    """How `auricle push` fares; from this machine alone, every few seconds.

    Attributes:
        owed: changes of alarms that no service has accepted yet.
        rules: how many `[[notify]]` tables it serves.
        fault: what people should know; empty if all is well.
        by: who reports.
    """

    owed: int
    rules: int
    fault: str
    by: str


@dataclass(frozen=True, slots=True)
class MeasureRoom:
    """One step of measuring the room, from this machine alone; see `auricle calibrate`.

    Attributes:
        step: what is to be done.
        seconds: how long the room is measured at most; None for as long as it may be.
        by: who asks.
    """

    step: RoomStep
    seconds: float | None
    by: str


@dataclass(frozen=True, slots=True)
class CertificateReport:
    """Until when the certificate of the page is valid, which the daemon may not read; from this machine alone.

    Attributes:
        path: of its file.
        expires_utc_s: when it expires.
        due_utc_s: from when on that is a fault.
        by: who reports.
    """

    path: str
    expires_utc_s: float
    due_utc_s: float
    by: str


@dataclass(frozen=True, slots=True)
class ListenIn:
    """Somebody begins to listen in, or has ended; made by the daemon itself, and sent by nobody.

    Attributes:
        begins: or ends.
        by: who listens.
        for_s: how long they have listened.
        lost_s: seconds of sound that they lost, because they received it too slowly.
    """

    begins: bool
    by: str
    for_s: float = 0.0
    lost_s: float = 0.0


Report = PushReport | CertificateReport
"""What another process of this machine says about itself."""

Command = Acknowledge | Pause | Resume | SelfTest | SetSensitivity | SetMode | Reload | Report | MeasureRoom | ListenIn


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command.

    Attributes:
        done: it was carried out.
        sentence: what was done, or why not, for whoever asked.
        content: figures that were asked for, as JSON types; None for a command that asks for none.
    """

    done: bool
    sentence: str
    content: Mapping[str, Any] | None = None


def parse_command(verb: str, payload: bytes, *, by: str) -> Command:
    """Parse a payload: empty, or a JSON object.

    Args:
        verb: acknowledge (`{"alarm_id": "...", "person": "Nora"}`; without an id for all), pause
            (`{"duration_s": 300}`), resume, self_test, sensitivity
            (`{"model": "cry", "label": "cry", "sensitivity": 1}`), mode (`{"label": "cry", "mode": "off"}`).
        payload: UTF-8.
        by: where the command comes from, as it is reported: mqtt, button, or the name of a user of this machine.

    Raises:
        CommandError: it is no command, or its values are out of range.
    """
    fields = _parsed_fields(payload)
    match verb:
        case "acknowledge":
            _refuse_other_fields(fields, "alarm_id", "person")
            alarm_id = _alarm_id(fields["alarm_id"]) if "alarm_id" in fields else None
            return Acknowledge(alarm_id, f"{_person(fields)} ({by})" if "person" in fields else by)
        case "pause":
            _refuse_other_fields(fields, "duration_s")
            return Pause(_duration_s(fields.get("duration_s")), by)
        case "resume":
            _refuse_other_fields(fields)
            return Resume(by)
        case "self_test":
            _refuse_other_fields(fields)
            return SelfTest(by)
        case "sensitivity":
            _refuse_other_fields(fields, "model", "label", "sensitivity")
            model, label = _name(fields, "model"), _name(fields, "label")
            return SetSensitivity(model, label, _sensitivity(fields.get("sensitivity")), by)
        case "mode":
            _refuse_other_fields(fields, "label", "mode")
            return SetMode(_name(fields, "label"), _mode(fields.get("mode")), by)
    raise CommandError(
        f"{_loggable(verb)} is no command, it must be acknowledge, pause, resume, self_test, sensitivity or mode"
    )


def parse_local_command(verb: str, payload: bytes, *, by: str) -> Command:
    """As `parse_command`, and what no broker may ask for.

    These are reload (`{"why": "..."}`, or empty), measure_room (`{"step": "room", "seconds": 600}`), and reports.

    Raises:
        CommandError: it is no command, or its values are out of range.
    """
    if verb not in {"reload", "push_report", "certificate_report", "measure_room"}:
        return parse_command(verb, payload, by=by)
    fields = _parsed_fields(payload)
    if verb == "push_report":
        return _push_report(fields, by)
    if verb == "certificate_report":
        return _certificate_report(fields, by)
    if verb == "measure_room":
        _refuse_other_fields(fields, "step", "seconds")
        return MeasureRoom(_room_step(fields.get("step")), _room_seconds(fields.get("seconds")), by)
    _refuse_other_fields(fields, "why")
    why = fields.get("why", "")
    if isinstance(why, str) and len(why) <= MAX_WHY_CHARACTERS and why.isprintable():
        return Reload(why, by)
    raise CommandError(f"why must be a line of at most {MAX_WHY_CHARACTERS} characters")


def _room_step(value: Any) -> RoomStep:
    steps: tuple[RoomStep, ...] = get_args(RoomStep)
    for step in steps:
        if value == step:
            return step
    raise CommandError("step must be room, played, finish, look or stop")


def _room_seconds(value: Any) -> float | None:
    if value is None or (type(value) in {int, float} and 1 <= value <= MAX_ROOM_S):
        return None if value is None else float(value)
    raise CommandError(f"seconds must be a number of seconds, 1 to {MAX_ROOM_S:.0f}")


def _push_report(fields: dict[str, Any], by: str) -> PushReport:
    _refuse_other_fields(fields, "owed", "rules", "fault")
    owed, rules, fault = fields.get("owed"), fields.get("rules"), fields.get("fault")
    if type(owed) is not int or type(rules) is not int or min(owed, rules) < 0 or max(owed, rules) > 10**9:
        raise CommandError("owed and rules must be whole numbers, 0 or more")
    if not isinstance(fault, str) or len(fault) > MAX_SENTENCE_CHARACTERS or not fault.isprintable():
        raise CommandError(f"fault must be a line of at most {MAX_SENTENCE_CHARACTERS} characters")
    return PushReport(owed, rules, fault, by)


def _certificate_report(fields: dict[str, Any], by: str) -> CertificateReport:
    _refuse_other_fields(fields, "path", "expires_utc_s", "due_utc_s")
    path = fields.get("path")
    if not isinstance(path, str) or len(path) > MAX_SENTENCE_CHARACTERS or not path.isprintable():
        raise CommandError(f"path must be a line of at most {MAX_SENTENCE_CHARACTERS} characters")
    return CertificateReport(path, _utc_s(fields.get("expires_utc_s")), _utc_s(fields.get("due_utc_s")), by)


def _utc_s(value: Any) -> float:
    if type(value) in {int, float} and abs(value) <= _LAST_UTC_S:
        return float(value)
    raise CommandError("expires_utc_s and due_utc_s must be seconds since 1970, up to the year 9999")


def _parsed_fields(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise CommandError(f"a command has {quantity(len(payload), 'byte')}, it may have {MAX_PAYLOAD_BYTES}")
    if not payload.strip():
        return {}
    try:
        fields = json.loads(payload.decode("utf-8", "strict"), object_pairs_hook=_without_duplicates)
    except CommandError:
        raise
    except (ValueError, RecursionError):
        raise CommandError("a command is no JSON; it must be empty or an object") from None
    if not isinstance(fields, dict):
        raise CommandError("a command is no JSON object; it must be empty or one")
    return fields


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of an object; duplicates are refused, because parsers differ in which one they keep."""
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise CommandError(f"a command says {_loggable(name)} twice, it may say it once")
        fields[name] = value
    return fields


def _refuse_other_fields(fields: dict[str, Any], *names: str) -> None:
    unknown = [name for name in fields if name not in names]
    if unknown:
        allowed = f"only {', '.join(names)} {'does' if len(names) == 1 else 'do'}" if names else "it must be empty"
        raise CommandError(f"a command holds {_loggable(unknown[0])}, which means nothing here; {allowed}")


def _alarm_id(value: Any) -> str:
    """Null is refused: a client that lost the id of one alarm must not acknowledge all."""
    if isinstance(value, str) and 0 < len(value) <= MAX_ID_CHARACTERS and value.isprintable():
        return value
    raise CommandError("alarm_id must be the id of an alarm, or left out for all")


def _person(fields: dict[str, Any]) -> str:
    """Who says it, by their own account."""
    value = fields.get("person")
    if (
        isinstance(value, str)
        and len(value.strip()) > 0
        and len(value) <= MAX_PERSON_CHARACTERS
        and value.isprintable()
    ):
        return value.strip()
    raise CommandError(f"person must be a name of 1 to {MAX_PERSON_CHARACTERS} characters")


def _duration_s(value: Any) -> float:
    if type(value) in {int, float} and 1 <= value <= MAX_PAUSE_S:
        return float(value)
    raise CommandError(f"duration_s must be a number of seconds, 1 to {MAX_PAUSE_S:.0f}")


def _name(fields: dict[str, Any], member: str) -> str:
    value = fields.get(member)
    if isinstance(value, str) and 0 < len(value) <= _MAX_NAME_CHARACTERS and value.isprintable():
        return value
    raise CommandError(f"{member} must be a name of 1 to {_MAX_NAME_CHARACTERS} characters")


def _sensitivity(value: Any) -> int:
    if type(value) is int and -MAX_SENSITIVITY <= value <= MAX_SENSITIVITY:
        return value
    raise CommandError(f"sensitivity must be a whole number, {-MAX_SENSITIVITY} to {MAX_SENSITIVITY}")


def _mode(value: Any) -> ModeSwitch:
    switches: tuple[ModeSwitch, ...] = get_args(ModeSwitch)
    for switch in switches:
        if value == switch:
            return switch
    raise CommandError("mode must be auto, alarm, log or off")


def _loggable(name: str) -> str:
    """Untrusted text in ASCII, shortened for a line of the log."""
    return ascii(name[:60])
