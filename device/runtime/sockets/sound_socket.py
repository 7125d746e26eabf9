"""What is said on the local socket by which people listen in, on both sides of it; pure.

A client sends one line of JSON, `{"version":1,"person":"anna"}`, and gets one back, `{"version":1,"done":true,
"sentence":"..."}`. If it is let in, the sound follows until one side closes the connection: signed 16-bit samples,
little-endian, mono, at `SOUND_RATE_HZ`. Nothing marks a loss: who reads too slowly hears a skip.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from device.errors import BundleError, ServiceError
from device.runtime.sockets.command_socket import MAX_PERSON_CHARACTERS
from device.strict_json import parse

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
"""Of the protocol."""

SOUND_RATE_HZ = 16000
SAMPLE_BYTES = 2
SECOND_BYTES = SOUND_RATE_HZ * SAMPLE_BYTES

MAX_LINE_BYTES = 1024

_SOCKET = "sound.sock"


def sound_socket(status: Path) -> Path:
    """The socket on which the daemon with this status socket lets people listen in."""
    return status.with_name(_SOCKET)


def request_line(person: str) -> bytes:
    """What a client sends for a person."""
    return _line({"version": VERSION, "person": person})


def person_in(line: bytes) -> str:
    """For whom a client asks; empty for its own user.

    Raises:
        ServiceError: the line is no request.
    """
    fields = _object(line)
    person = fields.get("person", "")
    if fields.get("version") != VERSION or fields.keys() - {"version", "person"}:
        raise ServiceError(f"who listens in sends version {VERSION} and a person, and nothing else")
    if not isinstance(person, str) or len(person) > MAX_PERSON_CHARACTERS or not person.isprintable():
        raise ServiceError(f"person must be a name of at most {MAX_PERSON_CHARACTERS} characters")
    return person


def answer_line(sentence: str, *, done: bool) -> bytes:
    """What a client is answered before the sound: whether it is let in, and why not."""
    return _line({"version": VERSION, "done": done, "sentence": sentence})


def answer_in(line: bytes) -> tuple[bool, str]:
    """Whether a client was let in, and the sentence with it.

    Raises:
        ServiceError: the line is no answer.
    """
    fields = _object(line)
    done, sentence = fields.get("done"), fields.get("sentence")
    if fields.get("version") != VERSION or not isinstance(done, bool) or not isinstance(sentence, str):
        raise ServiceError("the daemon answers in another version: use its own auricle")
    return done, sentence


def _line(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        fields = parse(line, "what was sent")
    except BundleError as error:
        raise ServiceError(str(error)) from None
    if not isinstance(fields, dict):
        raise ServiceError("what was sent is no JSON object")
    return fields
