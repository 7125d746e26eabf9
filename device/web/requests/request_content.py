"""The content of a request: a form or JSON, bounded, as flat text members; and a time in its query."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from device.daytime import within_years
from device.errors import BundleError
from device.strict_json import parse

if TYPE_CHECKING:
    from starlette.requests import Request

MOST_BYTES = 8192
WITHIN_S = 10.0
_MOST_FIELDS = 16


class UnreadableError(Exception):
    """The content is no form and no JSON object, or is too long; the message is for whoever sent it."""


async def members_of(request: Request) -> dict[str, Any]:
    """The members of a form or of a JSON object; none for an empty content.

    Raises:
        UnreadableError: it is neither, or too long.
    """
    data = await _received(request)
    if not data.strip():
        return {}
    if is_form(request):
        return _form(data)
    try:
        members = parse(data, "the request")
    except BundleError as error:
        raise UnreadableError(str(error)) from None
    if not isinstance(members, dict):
        raise UnreadableError("the request is no JSON object")
    return members


async def _received(request: Request) -> bytes:
    data = bytearray()
    try:
        async with asyncio.timeout(WITHIN_S):
            async for chunk in request.stream():
                data += chunk
                if len(data) > MOST_BYTES:
                    raise UnreadableError(f"a request may have {MOST_BYTES} bytes, this one has more")
    except TimeoutError:
        raise UnreadableError(f"a request must have arrived within {WITHIN_S:g} s") from None
    return bytes(data)


def moment_in(request: Request, name: str, otherwise: float) -> float:
    """A time of day in the query, ISO 8601 and UTC unless it says otherwise, in UTC seconds.

    Raises:
        UnreadableError: it is given twice, or is no time.
    """
    if len(request.query_params.getlist(name)) > 1:
        raise UnreadableError(f"{name} is given more than once: give it once")
    given = request.query_params.get(name, "")
    if not given:
        return otherwise
    try:
        moment = datetime.fromisoformat(given)
        return within_years((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise UnreadableError(f"{name} is {given[:40]!r}, which is no time; 2026-11-27T22:00Z is one") from None


def is_form(request: Request) -> bool:
    """Whether a browser sent a form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/x-www-form-urlencoded"


def _form(data: bytes) -> dict[str, Any]:
    try:
        return dict(parse_qsl(data.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise UnreadableError("the form cannot be read") from None
