"""The HTTP interface as OpenAPI 3.1 has it: served at /api/openapi.json, and kept as docs/schemas/openapi.json.

A test holds it against the routes, so neither can change without the other. The state is described by the class that it
is made of.
"""

from __future__ import annotations

import dataclasses
import types
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from device.alarms.journal.command_notes import CommandNote
from device.commands import MAX_ID_CHARACTERS, MAX_PAUSE_S
from device.config.profiles import PROFILES
from device.messages import FaultKind, LabelState, Phase, Priority
from device.runtime.daemon_state import DaemonState, installed_version

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]

_PLAIN: Mapping[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_ERROR: Schema = {"$ref": "#/components/schemas/Error"}
_AGAIN: Schema = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}}


@cache
def openapi_document() -> Schema:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Auricle",
            "version": installed_version(),
            "summary": "What is heard at the bedside, and the commands of people.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "./.."}],
        "security": [{"token": []}, {"session": []}],
        "paths": {**_reading(), **_commands(), "/api/classify": _classify()},
        "components": {"securitySchemes": _ACCESS, "schemas": _schemas()},
    }


_ACCESS: Schema = {
    "token": {"type": "http", "scheme": "bearer", "description": "Of a program; auricle web token makes it."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "auricle_session_INSTANCE",
        "description": "Of a person's browser, one for each instance; commands need the page's X-CSRF-Token besides.",
    },
}


def _schemas() -> Schema:
    state = _of_class(DaemonState)
    told: Schema = {
        "hears": {"type": "boolean", "description": "A cry would be detected now, as far as is known."},
        "problem": {"type": "string", "description": "Why there is no state; empty if there is one."},
        "asked_utc_s": {"type": "number"},
        "state": {"anyOf": [state, {"type": "null"}]},
    }
    change: Schema = {"type": "object", "description": "As it is published over MQTT: docs/mqtt.md."}
    return {
        "Error": _object({"error": {"type": "string", "description": "What is wrong, and what would work."}}),
        "Outcome": _object({"done": {"const": True}, "sentence": {"type": "string"}}),
        "State": _object(told),
        "Change": change,
        "History": _object(
            {
                "from_utc": {"type": "string"},
                "until_utc": {"type": "string"},
                "is_complete": {"type": "boolean"},
                "changes": {"type": "array", "items": {"$ref": "#/components/schemas/Change"}},
                "commands": {"type": "array", "items": _of_class(CommandNote)},
            }
        ),
        "Scores": _scores(),
        "Why": _why(),
        "Classified": _classified(),
        "Clips": _object({"is_on": {"type": "boolean"}, "clips": {"type": "array", "items": _CLIP}}),
    }


def _reading() -> Schema:
    stretch = [_time("since", "24 hours before the end unless given"), _time("until", "now unless given")]
    parts = [
        _path("year", r"^[0-9]{4}$"),
        _path("month", r"^[0-9]{2}$"),
        _path("name", r"\.(flac|png)$"),
        {"name": "Range", "in": "header", "schema": {"type": "string"}, "description": "Of bytes: RFC 9110."},
    ]
    resume = [
        _query("after", "as Last-Event-ID"),
        {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}, "description": "The last id received."},
    ]
    events: Schema = {"text/event-stream": {}}  # OpenAPI 3.1 has no words for its events
    unreadable = {"503": _answer("The journal cannot be read.", _ERROR)}
    return {
        "/api/state": _get(
            "What is heard now",
            _answer("The state.", _ref("State")),
            others={"503": _answer("The daemon does not answer, or hangs.", _ref("State"))},
        ),
        "/api/events": _get(
            "Server-sent events: `state` twice a second, `alarm` with each change of an alarm",
            {"description": "A stream without an end.", "content": events},
            resume,
            {"503": _answer("Too many streams are open.", _ERROR)},
        ),
        "/api/history": _get(
            "Changes of alarms, and what people asked for",
            _answer("The past.", _ref("History")),
            stretch,
            {"400": _answer("A time is none.", _ERROR), **unreadable},
        ),
        **_hindsight(),
        **_live(),
        "/api/clips": _get(
            "The clips of a stretch of time",
            _answer("The clips.", _ref("Clips")),
            stretch,
            {"400": _answer("A time is none.", _ERROR)},
        ),
        "/api/clips/{year}/{month}/{name}": _get(
            "The sound of a clip, or its picture",
            _FILE,
            parts,
            {
                "206": {**_FILE, "description": "The part that the header Range asks for."},
                "400": {"description": "The header Range is malformed."},
                "404": _answer("There is no such clip.", _ERROR),
                "416": {"description": "The clip is shorter than the part that is asked for."},
            },
        ),
        "/api/openapi.json": {"get": {**_describe("This document", {"200": _answer("It.", {})}), "security": []}},
    }


def _hindsight() -> Schema:
    return {
        "/api/scores": _get(
            "Every window's scores, as far as this page has followed the daemon",
            _answer("The windows, oldest first, and the stretches that are known without a miss.", _ref("Scores")),
            [_time("since", "10 minutes before the end unless given"), _time("until", "now unless given")],
            {"400": _answer("A time is none.", _ERROR)},
        ),
        "/api/why": _get(
            "Why there was an alert at a moment, or why there was none",
            _answer("The rule of each window that holds the moment; or why nothing is known of it.", _ref("Why")),
            [_time("at", "now unless given")],
            {"400": _answer("The time is none.", _ERROR)},
        ),
    }


def _live() -> Schema:
    return {
        "/api/sound": _get(
            "The sound of the room, live, for accounts with the right listen-in",
            _SOUND,
            others={
                "403": _answer("The account may not listen in; or the request comes from another page.", _ERROR),
                "404": _answer("Listening in is off.", _ERROR),
                "503": _answer("The daemon lets nobody more listen in now.", _ERROR),
            },
        ),
    }


def _commands() -> Schema:
    identity = {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS}
    duration = {"type": "number", "minimum": 1, "maximum": MAX_PAUSE_S}
    nothing, which = _object({}), {**_object({}), "properties": {"alarm_id": identity}}
    pause = "Let lights and buzzer be silent for a while; alarms are still sent"
    return {
        "/api/acknowledge": _post("Say that an alarm was seen; without an id, all of them", which),
        "/api/pause": _post(pause, _object({"duration_s": duration})),
        "/api/resume": _post("Let lights and buzzer signal again", nothing),
        "/api/self-test": _post("Test the way from sound to broker", nothing),
    }


def _classify() -> Schema:
    names = {"type": "array", "items": {"type": "string"}}
    model = {**_query("model", "a shipped or configured model to hear with instead; may be repeated"), "schema": names}
    profile = {
        **_query("profile", "a built-in profile instead of the page's configuration"),
        "schema": {"enum": list(PROFILES)},
    }
    recording = {"type": "string", "contentMediaType": "application/octet-stream"}
    kinds = ("audio/wav", "audio/flac", "audio/ogg", "application/octet-stream")
    form = {"multipart/form-data": {"schema": _object({"recording": recording})}}
    answer = _answer("As `auricle classify --json` says it; `error` if it breaks off.", _ref("Classified"))
    events = "For `Accept: text/event-stream`: `progress` twice a second, then `answer`, or `refused` with a status."
    answer["description"] = f"{answer['description']} {events}"
    answer["content"]["text/event-stream"] = {}
    responses = {
        "200": answer,
        "400": _answer("There is no such parameter, model or profile; or it holds no recording.", _ERROR),
        "401": _answer("Nobody we know.", _ERROR),
        "403": _answer("A viewer may not; it may come from another page; or it is off.", _ERROR),
        "408": _answer("It did not arrive in time.", _ERROR),
        "413": _answer("It is too large, or lasts too long.", _ERROR),
        "415": _answer("It is no WAV, FLAC or OGG file.", _ERROR),
        "422": _answer("Nothing of it can be heard.", _ERROR),
        "503": _answer("Another is being heard, or this was not heard in time or whole; see Retry-After.", _ERROR),
        "507": _answer("The disk is too full.", _ERROR),
    }
    return {
        "post": {
            **_describe("Hear a recording, and delete it", responses),
            "parameters": [model, profile],
            "requestBody": {"required": True, "content": {**{kind: {} for kind in kinds}, **form}},
        }
    }


def _classified() -> Schema:
    """The document of `auricle classify --json`; a test holds its members against a real one."""
    text, number, perhaps = {"type": "string"}, {"type": "number"}, {"type": ["number", "null"]}
    where = {"source": text, "model": text, "label": text}
    times = {"start_s": number, "end_s": perhaps, "onset_s": perhaps, "offset_s": perhaps, "decided_s": number}
    event = {
        "event_id": text,
        "seq": {"type": "integer"},
        **where,
        "phase": {"enum": list(get_args(Phase))},
        **times,
        "score": number,
        "priority": {"enum": list(get_args(Priority))},
        "reason": text,
        "verdict": {"type": ["string", "null"]},
    }
    score = {**where, "start_s": number, "end_s": number, "probability": number}
    fault = {"kind": text, "start_s": number, "end_s": number, "detail": text, "lasted": {"type": "boolean"}}
    return _object(
        {
            "source": text,
            "duration_s": number,
            "events": {"type": "array", "items": _object(event)},
            "scores": {"type": "array", "items": _object(score)},
            "faults": {"type": "array", "items": _object(fault)},
            "notes": {"type": "array", "items": text},
            "error": {"type": ["string", "null"]},
        }
    )


def _scores() -> Schema:
    text = {"type": "string"}
    scores = {"type": "object", "additionalProperties": {"type": "number"}, "description": "Label -> score, in [0, 1]."}
    times = {"start_s": {"type": "number", "description": "In its stream."}, "end_s": {"type": "number"}}
    window = _object({"model": text, "stream": text, **times, "from_utc": text, "until_utc": text, "scores": scores})
    return _object(
        {
            "from_utc": text,
            "until_utc": text,
            "is_complete": {"type": "boolean", "description": "False if there are more windows: ask for less time."},
            "known": {"type": "array", "items": _object({"from_utc": text, "until_utc": text})},
            "why_not_now": {"type": "string", "description": "Why nothing is known of the present; empty if it is."},
            "windows": {"type": "array", "items": window},
        }
    )


def _why() -> Schema:
    text, number, perhaps = Schema(type="string"), Schema(type="number"), Schema(type=["string", "null"])
    times = {"from_utc": text, "until_utc": text}
    state = {"enum": [*get_args(LabelState), None]}
    window = {**times, "start_s": number, "end_s": number, "score": number, "state": state, "rule": text}
    event = {"event_id": text, **times, "decided_utc": text, "score": number}
    event = {**event, "opened_by": text, "closed_by": perhaps, "verdict": perhaps}
    label = {
        "model": text,
        "label": text,
        "verdict": text,
        "event": {"anyOf": [_object(event), {"type": "null"}]},
        "windows": {"type": "array", "items": _object(window)},
    }
    fault = {"kind": {"enum": list(get_args(FaultKind))}, **times, "detail": text, "lasted": {"type": "boolean"}}
    sure = {"model": text, "label": text, "at_utc": text, "score": number}
    return _object(
        {
            "at_utc": text,
            "is_known": {"type": "boolean"},
            "why_unknown": {"type": "string", "description": "Why nothing is known; empty if something is."},
            "stream": perhaps,
            "at_s": {"type": ["number", "null"], "description": "The moment in its stream."},
            "in_no_window": {"type": "boolean", "description": "No model scored a window that holds the moment."},
            "labels": {"type": "array", "items": _object(label)},
            "faults": {"type": "array", "items": _object(fault)},
            "circumstances": {"type": "array", "items": text, "description": "Schedule, pause, sensitivity."},
            "surest": {"type": "array", "items": _object(sure), "description": "Within five minutes of the moment."},
        }
    )


def _get(summary: str, found: Schema, parameters: list[Schema] | None = None, others: Schema | None = None) -> Schema:
    described = _describe(summary, {"200": found, "401": _answer("Nobody we know.", _ERROR), **(others or {})})
    return {"get": {**described, **({"parameters": parameters} if parameters else {})}}


def _post(summary: str, content: Schema) -> Schema:
    responses = {
        "200": _answer("It was carried out, and is in the journal with who asked.", _ref("Outcome")),
        "400": _answer("The content cannot be read.", _ERROR),
        "401": _answer("Nobody we know.", _ERROR),
        "403": _answer("A viewer may not command; or the request may come from another page.", _ERROR),
        "409": _answer("The daemon did not carry it out.", _ERROR),
        "429": {**_answer("Too many come: after 20 at once, one a second is obeyed.", _ERROR), "headers": _AGAIN},
        "503": _answer("The daemon does not answer.", _ERROR),
    }
    body = {"required": False, "content": {"application/json": {"schema": content}}}
    return {"post": {**_describe(summary, responses), "requestBody": body}}


def _describe(summary: str, responses: Schema) -> Schema:
    return {"summary": summary, "responses": responses}


def _answer(description: str, schema: Schema) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _query(name: str, description: str) -> Schema:
    return {"name": name, "in": "query", "schema": {"type": "string"}, "description": description}


def _time(name: str, description: str) -> Schema:
    """A moment; a date alone is its first one in UTC, and an empty text is none."""
    kinds = [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}, {"const": ""}]
    return {**_query(name, f"ISO 8601, UTC unless it says otherwise; {description}"), "schema": {"anyOf": kinds}}


def _path(name: str, pattern: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": pattern}}


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_FILE: Schema = {
    "description": "The file.",
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("audio/flac", "image/png")},
}
_SOUND: Schema = {
    "description": "A WAV file without an end: 16 bits, mono, 16 kHz. It ends with the login, and with the right.",
    "content": {"audio/wav": {}},
}
_CLIP: Schema = _object(
    {
        "label": {"type": "string"},
        "utc": {"type": "string"},
        "sound": {"type": "string"},
        "picture": {"type": ["string", "null"]},
    }
)


def _of_class(kind: type[Any]) -> Schema:
    hints = get_type_hints(kind)
    return _object({field.name: _of_hint(hints[field.name]) for field in dataclasses.fields(kind)})


def _of_hint(hint: Any) -> Schema:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {types.UnionType, Union}:
        return {"anyOf": [_of_hint(arguments[0]), {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _of_hint(arguments[0])}
    if origin is Literal:
        return {"enum": list(arguments)}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _of_class(hint)
    return {"type": _PLAIN[hint]}
