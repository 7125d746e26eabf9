"""`GET /api/sound`: what the room sounds like now, as a WAV stream without an end, for accounts that may listen in.

Nothing is written to a disk. Little sound waits anywhere on the way, so that who listens is a few seconds behind at
most: a slow connection loses sound. The stream ends with the login, with the right, or when nobody reads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from device.errors import ServiceError
from device.runtime.sockets.sound_socket import SAMPLE_BYTES, SECOND_BYTES, SOUND_RATE_HZ
from device.web.access.visitors import OURSELVES
from device.web.requests.answers import RefusedError
from device.web.requests.bounded_connection import TRANSPORT
from device.web.sound.sound_link import open_sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from device.web.access.visitors import Visitor
    from device.web.server.service import Service
    from device.web.sound.sound_link import SoundStream

MEDIA_TYPE = "audio/wav"
LOOK_S = 0.5
"""How often it is looked whether somebody may still listen."""

READS_WITHIN_S = 20.0
"""A client that takes nothing for longer is closed."""

_UNKNOWN_BYTES = 0xFFFFFFFF
_KERNEL_BYTES = 16384
_BUFFER_BYTES = 8192


def sound_routes(service: Service) -> list[Route]:
    """The route of the stream."""
    return [Route("/api/sound", SoundDoor(service).listen)]


class SoundDoor:
    """Lets people listen.

    Args:
        service: what stands behind it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def listen(self, request: Request) -> Response:
        """The sound, from now on."""
        visitor = self._listener(request)
        if request.method == "HEAD":
            return Response(media_type=MEDIA_TYPE)
        try:
            stream = await open_sound(self._service.link.sound_socket, visitor.name)
        except ServiceError as error:
            raise RefusedError(503, str(error)) from None
        self._service.report(f"{visitor.name} listens in")
        return SoundResponse(
            stream,
            is_allowed=lambda: self._is_allowed(request),
            on_end=lambda: self._service.report(f"{visitor.name} listens no more"),
        )

    def _listener(self, request: Request) -> Visitor:
        visitor = self._service.gate.visitor(request)
        if request.headers.get("sec-fetch-site", "none") not in OURSELVES:
            raise RefusedError(403, "it comes from another page: listen in from this one")
        if not self._service.lets_listen:
            raise RefusedError(404, "nobody can listen in here: listen_in is off in [web]")
        if not visitor.may_listen:
            allow = "an account with the right is needed" if visitor.is_anybody else f"auricle web allow {visitor.name}"
            raise RefusedError(403, f"{visitor.name} may not listen in: {allow} --listen-in")
        return visitor

    def _is_allowed(self, request: Request) -> bool:
        visitor = self._service.gate.visitors.of(request, time.time())
        return visitor is not None and visitor.may_listen


class SoundResponse(Response):
    """Sends the sound until one side has enough.

    Args:
        stream: of the daemon; closed at the end.
        is_allowed: whether it may go on.
        on_end: called once it is over.
    """

    media_type = MEDIA_TYPE

    def __init__(self, stream: SoundStream, *, is_allowed: Callable[[], bool], on_end: Callable[[], object]) -> None:
        self.status_code = 200
        self.background = None
        self._stream = stream
        self._is_allowed = is_allowed
        self._on_end = on_end
        self.init_headers({"x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head of the WAV file, and what comes."""
        transport = scope.get("state", {}).get(TRANSPORT)
        watchers = [asyncio.create_task(self._watch()), asyncio.create_task(self._await_end(receive))]
        try:
            _keep_little(transport)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            sound = wav_head()
            while sound:
                await self._send(sound, send, transport)
                sound = await self._stream.read()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            pass
        finally:
            for watcher in watchers:
                watcher.cancel()
            self._stream.close()
            self._on_end()

    async def _send(self, sound: bytes, send: Send, transport: asyncio.Transport | None) -> None:
        """Send a piece; raises TimeoutError, and cuts the connection, if the client does not take it."""
        try:
            async with asyncio.timeout(READS_WITHIN_S):
                await send({"type": "http.response.body", "body": sound, "more_body": True})
        except TimeoutError:
            if transport is not None:
                transport.abort()
            raise

    async def _watch(self) -> None:
        while self._is_allowed():  # noqa: ASYNC110 - nothing tells when a file of accounts changes
            await asyncio.sleep(LOOK_S)
        self._stream.close()

    async def _await_end(self, receive: Receive) -> None:
        """Wait until the client has gone: while there is no sound to send, nothing else shows it."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self._stream.close()


def wav_head() -> bytes:
    """The head of a WAV file whose length nobody knows."""
    kind = struct.pack("<HHIIHH", 1, 1, SOUND_RATE_HZ, SECOND_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES)
    riff = struct.pack("<4sI4s4sI", b"RIFF", _UNKNOWN_BYTES, b"WAVE", b"fmt ", len(kind))
    return riff + kind + struct.pack("<4sI", b"data", _UNKNOWN_BYTES)


def _keep_little(transport: asyncio.Transport | None) -> None:
    """Let a second of sound wait for a slow client at most, in the kernel and here."""
    if transport is None:
        return
    transport.set_write_buffer_limits(_BUFFER_BYTES)
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
