"""`POST /api/classify`: a recording is received, heard in a process of its own, and answered; then it is deleted.

Whoever asks for `text/event-stream` is told how far it is. Whoever leaves takes the process along.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any, Literal

from starlette.requests import ClientDisconnect, Request

from device.web.access.visitors import RECORDING_KINDS
from device.web.classifying.classify_process import ClassifyProcess, NotHeardError, Progress
from device.web.classifying.upload import receive_recording, refuse_length
from device.web.classifying.upload_form import FormError, boundary_of
from device.web.live.event_stream import MEDIA_TYPE, event_bytes
from device.web.requests.answers import RefusedError
from device.web.requests.request_content import is_form

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from device.web.classifying.classify_service import Choice, ClassifyService
    from device.web.server.service import Service

_AGAIN_S = "5"


class ClassifyRoute:
    """The route, an ASGI application.

    Args:
        service: what stands behind it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        visitor = self._service.gate.commander(request, kinds=RECORDING_KINDS)  # before anything of it is read
        classifying = self._service.classifying
        if classifying is None:
            raise RefusedError(403, "recordings are not heard here: set classify = true in [web]")
        try:
            choice = classifying.choice(request.query_params.multi_items())
            boundary = _checked_boundary(request, classifying.max_bytes)
            async with classifying.folder() as folder:
                one = _OneRecording(request, send, classifying, folder)
                name = await one.received(boundary)
                self._service.report(f"{visitor.name} has a recording heard")
                await _while_there(receive, one.heard(choice, name))
        except NotHeardError as error:
            headers = {"retry-after": _AGAIN_S} if error.status == 503 else {}
            raise RefusedError(error.status, str(error), headers) from None
        except ClientDisconnect:
            return


class _OneRecording:
    """One recording on its way through: received, heard, answered."""

    def __init__(self, request: Request, send: Send, classifying: ClassifyService, folder: Path) -> None:
        self._request, self._send = request, send
        self._classifying, self._folder = classifying, folder
        self._sent: Literal["", "progress", "answer"] = ""
        self._within_s = classifying.web.classify_within_s
        self._deadline_s = asyncio.get_running_loop().time() + self._within_s

    async def received(self, boundary: bytes | None) -> str:
        """Write it to the folder; returns its name there. Raises NotHeardError, ClientDisconnect."""
        async with self._in_time(408, "did not arrive", "send a shorter one"):
            return await receive_recording(
                self._request.stream(), self._folder, max_bytes=self._classifying.max_bytes, boundary=boundary
            )
        raise AssertionError("a deadline swallows no error")

    async def heard(self, choice: Choice, name: str) -> None:
        """Have it heard, and send the answer. Raises NotHeardError before anything is sent."""
        wanted = self._classifying.wanted(choice, name)
        try:
            async with (
                ClassifyProcess(self._folder, wanted) as process,
                self._in_time(503, "was not heard", "send a shorter one, or raise classify_within_s in [web]"),
            ):
                if MEDIA_TYPE in self._request.headers.get("accept", ""):
                    await self._send_events(process)
                else:
                    await self._send_document(process)
        except NotHeardError as error:
            if self._sent == "progress":
                await self._send_piece(event_bytes("refused", {"status": error.status, "error": str(error)}))
                await self._end()
            elif self._sent == "":
                raise
            # Else a part of the answer is sent: that it is no more shows, since it does not end.

    async def _send_document(self, process: ClassifyProcess) -> None:
        told = await process.told()
        while isinstance(told, Progress):
            told = await process.told()
        self._sent = "answer"
        await self._begin("application/json", (b"content-length", str(told.count).encode()))
        async for piece in process.answer(told):
            await self._send_piece(piece)
        await self._end()

    async def _send_events(self, process: ClassifyProcess) -> None:
        self._sent = "progress"
        await self._begin(MEDIA_TYPE, (b"x-accel-buffering", b"no"))
        told = await process.told()
        while isinstance(told, Progress):
            await self._send_piece(event_bytes("progress", dataclasses.asdict(told)))
            told = await process.told()
        self._sent = "answer"
        await self._send_piece(b"event: answer\ndata: ")
        async for piece in process.answer(told):  # one line, with its end
            await self._send_piece(piece)
        await self._send_piece(b"\n")
        await self._end()

    async def _send_piece(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def _end(self) -> None:
        await self._send({"type": "http.response.body"})

    async def _begin(self, media_type: str, header: tuple[bytes, bytes]) -> None:
        headers = [(b"content-type", media_type.encode()), header]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    @contextlib.asynccontextmanager
    async def _in_time(self, status: int, problem: str, cure: str) -> AsyncIterator[None]:
        """The deadline of the whole request, as NotHeardError."""
        try:
            async with asyncio.timeout_at(self._deadline_s):
                yield
        except TimeoutError:
            raise NotHeardError(status, f"it {problem} within {self._within_s} s: {cure}") from None


async def _while_there(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do the work for as long as the client is there."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        if not working.done():
            working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
    if not working.cancelled():
        working.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _checked_boundary(request: Request, max_bytes: int) -> bytes | None:
    """What divides the parts of a form, None for a recording alone. Raises NotHeardError for anything else."""
    if is_form(request):
        raise NotHeardError(415, "send the recording as audio/wav, audio/flac or audio/ogg, or as multipart/form-data")
    try:
        boundary = boundary_of(request.headers.get("content-type", ""))
    except FormError as error:
        raise NotHeardError(400, str(error)) from None
    refuse_length(request.headers.get("content-length"), max_bytes=max_bytes, is_form=boundary is not None)
    return boundary
