"""The page on which a room is set up: it plays the signal, has the daemon measure, and shows what it found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from device.errors import ServiceError
from device.synthesis.room_signal import signal_wav
from device.web.requests.answers import RefusedError
from device.web.requests.request_content import UnreadableError, members_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from device.web.server.service import Service

_RANGE = re.compile("bytes=([0-9]{1,9})-([0-9]{0,9})")
_REPORTED = {"room", "played", "stop"}
"""Steps that people take; the others are looks."""


def room_routes(service: Service) -> list[Route]:
    """The routes of the page, its sound and its steps."""
    pages = RoomPages(service)
    return [
        Route("/room", pages.room),
        Route("/room/signal.wav", pages.signal),
        Route("/room/step", pages.step, methods=["POST"]),
    ]


class RoomPages:
    """Answers requests for the page.

    Args:
        service: what stands behind it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._gate = service.gate
        self._making = CapacityLimiter(1)
        self._sound = b""

    async def room(self, request: Request) -> Response:
        """The steps, and the result once there is one."""
        visitor = self._gate.visitor(request)
        return self._gate.commanding_page(request, "room.html", visitor, may_command=visitor.may_command)

    async def signal(self, request: Request) -> Response:
        """The sound to play, or the part of it that a player asks for; made at the first request, and never stored."""
        self._gate.visitor(request)
        if not self._sound:
            self._sound = await anyio.to_thread.run_sync(signal_wav, limiter=self._making)
        return _part_of(self._sound, request.headers.get("range", ""))

    async def step(self, request: Request) -> Response:
        """Take a step of the measurement, and say what the daemon answers; for the script of the page."""
        try:
            return JSONResponse(await self._taken(request))
        except HTTPException as refusal:
            return JSONResponse({"error": refusal.detail}, refusal.status_code, refusal.headers)

    async def _taken(self, request: Request) -> dict[str, Any]:
        self._gate.visitor(request)
        try:
            members = await members_of(request)
        except UnreadableError as error:
            raise RefusedError(400, str(error)) from None
        visitor = self._gate.commander(request, str(members.pop("csrf", "")))
        is_look = members.get("step") == "look"
        self._gate.hold_to_bounds(request, visitor, self._gate.looks if is_look else self._gate.commands)
        try:
            outcome = await self._service.link.command("measure_room", members, person=visitor.name)
        except ServiceError as error:
            raise RefusedError(503, str(error)) from None
        if members.get("step") in _REPORTED:
            self._service.report(f"{visitor.name} measures the room: {outcome.sentence}")
        if not outcome.done:
            raise RefusedError(409, outcome.sentence)
        return {"sentence": outcome.sentence, **(outcome.content or {})}


def _part_of(sound: bytes, asked: str) -> Response:
    """The whole sound, or one range of bytes, without which some phones play nothing (RFC 9110, 14)."""
    headers = {"accept-ranges": "bytes", "cache-control": "private, max-age=86400"}
    match = _RANGE.fullmatch(asked)
    if match is None:
        return Response(sound, media_type="audio/wav", headers=headers)
    first = int(match[1])
    last = min(int(match[2]) if match[2] else len(sound) - 1, len(sound) - 1)
    if first > last:
        return Response(status_code=416, headers={**headers, "content-range": f"bytes */{len(sound)}"})
    headers["content-range"] = f"bytes {first}-{last}/{len(sound)}"
    return Response(sound[first : last + 1], 206, headers, "audio/wav")
