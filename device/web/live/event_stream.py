"""Server-sent events as bytes, https://html.spec.whatwg.org/multipage/server-sent-events.html. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MEDIA_TYPE = "text/event-stream"
RETRY = b"retry: 1000\n\n"
"""A browser that lost the stream asks again after this many milliseconds."""


def event_bytes(kind: str, content: Mapping[str, Any], event_id: str = "") -> bytes:
    """One event; its content is one line of JSON, so no text of others can end it or begin another."""
    data = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    head = f"id: {event_id}\n" if event_id else ""
    return f"{head}event: {kind}\ndata: {data}\n\n".encode()


def number_of(event_id: str, epoch: str) -> int:
    """The number in `EPOCH-NUMBER`; 0 if it is of another epoch, or none at all."""
    found, _, digits = event_id.rpartition("-")
    return int(digits) if found == epoch and digits.isascii() and digits.isdigit() and len(digits) < 16 else 0
