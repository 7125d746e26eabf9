"""The HTTP interface for programs, and for the buttons of the page: the state, its events, and commands."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from device.alarms.journal.alarm_changes import body_of
from device.daytime import utc_text
from device.errors import JournalError, ServiceError
from device.web.live.event_stream import MEDIA_TYPE, RETRY, event_bytes, number_of
from device.web.live.hindsight import MOST_WINDOWS, Question, hindsight_json, known_spans, window_rows
from device.web.live.moments import KEPT_S
from device.web.night.clip_files import MEDIA_TYPES, clip_path, clips_between
from device.web.night.happenings import MOST_CHANGES
from device.web.requests.answers import RefusedError, page, wants_json
from device.web.requests.request_content import UnreadableError, is_form, members_of, moment_in
from device.web.server.classify_route import ClassifyRoute
from device.web.server.openapi import openapi_document
from device.web.sound.sound_route import sound_routes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping

    from starlette.requests import Request

    from device.web.live.moments import Moment
    from device.web.server.service import Service

COMMANDS: Mapping[str, str] = {
    "acknowledge": "acknowledge",
    "pause": "pause",
    "resume": "resume",
    "self-test": "self_test",
}
"""Name in the address -> command of the daemon."""

_JOURNAL = "journal"
_DAY_S = 86400.0


def api_routes(service: Service) -> list[Route]:
    """The routes of the HTTP interface."""
    interface = Interface(service)
    commands = [Route(f"/api/{name}", interface.command(verb), methods=["POST"]) for name, verb in COMMANDS.items()]
    return [
        Route("/api/openapi.json", _document),
        Route("/api/state", interface.state),
        Route("/api/events", interface.events),
        Route("/api/history", interface.history),
        Route("/api/scores", interface.scores),
        Route("/api/why", interface.why),
        Route("/api/clips", interface.clips),
        Route("/api/clips/{year}/{month}/{name}", interface.clip),
        *commands,
        Route("/api/classify", ClassifyRoute(service), methods=["POST"]),
        *sound_routes(service),
    ]


class Interface:
    """Answers programs.

    Args:
        service: what stands behind them.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._gate = service.gate
        self._reading = CapacityLimiter(1)

    async def state(self, request: Request) -> Response:
        """What the daemon hears now; 503 with the reason if it does not answer."""
        self._gate.visitor(request)
        moment = self._service.link.newest
        return JSONResponse(state_members(moment), 200 if moment.state is not None else 503)

    async def events(self, request: Request) -> Response:
        """The state as it changes, and every change of an alarm; Last-Event-ID resumes where a reader stopped."""
        self._gate.visitor(request)
        place = self._service.readers.take()
        if place is None:
            raise RefusedError(503, "too many streams are open: close one", {"retry-after": "5"})
        given = request.headers.get("last-event-id", "") or request.query_params.get("after", "")
        ordinal = number_of(given, _JOURNAL) if given else await self._service.tail.now()
        stream = self._event_pieces(request, ordinal)
        return StreamingResponse(place.hold(stream), media_type=MEDIA_TYPE, headers={"x-accel-buffering": "no"})

    async def _event_pieces(self, request: Request, ordinal: int) -> AsyncIterator[bytes]:
        """States and changes as they come; ends with the login of the reader."""
        service = self._service
        yield RETRY
        yield event_bytes("state", state_members(service.link.newest))
        states = asyncio.ensure_future(service.link.newer(service.link.newest.number))
        changes = asyncio.ensure_future(service.tail.newer(ordinal))
        try:
            while service.gate.visitors.of(request, time.time()) is not None:
                await asyncio.wait({states, changes}, return_when=asyncio.FIRST_COMPLETED)
                if changes.done():
                    for row in changes.result():
                        ordinal = row.ordinal
                        yield event_bytes("alarm", body_of(row.entry), f"{_JOURNAL}-{ordinal}")
                    changes = asyncio.ensure_future(service.tail.newer(ordinal))
                if states.done():
                    moment = states.result()
                    yield event_bytes("state", state_members(moment))
                    states = asyncio.ensure_future(service.link.newer(moment.number))
        finally:
            states.cancel()
            changes.cancel()

    async def history(self, request: Request) -> Response:
        """The changes of alarms, and what people asked for, of a stretch of time: the last 24 hours unless given."""
        self._gate.visitor(request)
        from_utc_s, until_utc_s = _stretch(request)
        happenings = self._service.happenings
        try:
            rows = await anyio.to_thread.run_sync(happenings.rows, from_utc_s, until_utc_s, limiter=self._reading)
            commands = await anyio.to_thread.run_sync(
                happenings.commands, from_utc_s, until_utc_s, limiter=self._reading
            )
        except JournalError as error:
            raise RefusedError(503, str(error)) from None
        content = {
            "from_utc": utc_text(from_utc_s),
            "until_utc": utc_text(until_utc_s),
            "is_complete": len(rows) < MOST_CHANGES,
            "changes": [{"ordinal": row.ordinal, **body_of(row.entry)} for row in rows],
            "commands": [dataclasses.asdict(note) for note in commands],
        }
        return JSONResponse(content)

    async def scores(self, request: Request) -> Response:
        """Every window's scores in a stretch of time: the last ten minutes unless given."""
        self._gate.visitor(request)
        from_utc_s, until_utc_s = _stretch(request, KEPT_S)
        ring = self._service.link.ring
        known = known_spans(ring.stretches, from_utc_s, until_utc_s)
        items = ring.between(from_utc_s, until_utc_s)
        windows = await anyio.to_thread.run_sync(window_rows, items, limiter=self._reading)
        content = {
            "from_utc": utc_text(from_utc_s),
            "until_utc": utc_text(until_utc_s),
            "is_complete": len(windows) < MOST_WINDOWS,
            "known": known,
            "why_not_now": ring.why_not_now,
            "windows": windows,
        }
        return JSONResponse(content)

    async def why(self, request: Request) -> Response:
        """Why there was an alert at a moment, or none: now unless given."""
        self._gate.visitor(request)
        now_utc_s, link = time.time(), self._service.link
        question = Question(link.ring, link.circumstances, _moment(request, "at", now_utc_s), now_utc_s)
        found = await anyio.to_thread.run_sync(question.answer, limiter=self._reading)
        return JSONResponse(hindsight_json(found))

    async def clips(self, request: Request) -> Response:
        """The clips of a stretch of time: the last 24 hours unless given."""
        self._gate.visitor(request)
        from_utc_s, until_utc_s = _stretch(request)
        folder = self._service.happenings.clips
        found = [] if folder is None else await anyio.to_thread.run_sync(clips_between, folder, from_utc_s, until_utc_s)
        clips = [
            {
                "label": clip.label,
                "utc": utc_text(clip.utc_s),
                "sound": f"api/clips/{clip.name}.flac",
                "picture": f"api/clips/{clip.name}.png" if clip.has_picture else None,
            }
            for clip in found
        ]
        return JSONResponse({"is_on": folder is not None, "clips": clips})

    async def clip(self, request: Request) -> Response:
        """The sound or the picture of a clip; a part of it for a Range request."""
        self._gate.visitor(request)
        folder, parts = self._service.happenings.clips, request.path_params
        path = None if folder is None else clip_path(folder, parts["year"], parts["month"], parts["name"])
        if path is None:
            raise RefusedError(404, "there is no such clip")
        kind = MEDIA_TYPES[path.suffix.removeprefix(".")]
        return FileResponse(path, media_type=kind, headers={"cache-control": "private, max-age=86400"})

    def command(self, verb: str) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route of one command."""

        async def carry_out(request: Request) -> Response:
            return await self._carry_out(request, verb)

        return carry_out

    async def _carry_out(self, request: Request, verb: str) -> Response:
        self._gate.visitor(request)  # before anything of it is read
        try:
            members = await members_of(request)
        except UnreadableError as error:
            raise RefusedError(400, str(error)) from None
        csrf = str(members.pop("csrf", ""))
        visitor = self._gate.commander(request, csrf)
        payload = _from_form(members) if is_form(request) else members
        self._gate.hold_to_bounds(request, visitor, self._gate.commands)
        try:
            outcome = await self._service.link.command(verb, payload, person=visitor.name)
        except ServiceError as error:
            raise RefusedError(503, str(error)) from None
        self._service.report(f"{visitor.name} asks for {verb}: {outcome.sentence}")
        if not outcome.done:
            raise RefusedError(409, outcome.sentence)
        if wants_json(request):
            return JSONResponse({"done": True, "sentence": outcome.sentence})
        return page(request, "message.html", visitor, title="Done", sentence=outcome.sentence)


async def _document(_request: Request) -> Response:
    return JSONResponse(openapi_document())


def state_members(moment: Moment) -> dict[str, Any]:
    """A moment as JSON: whether it hears, and the state as `auricle status --json` has it."""
    state = None if moment.state is None else dataclasses.asdict(moment.state)
    return {"hears": moment.hears, "problem": moment.problem, "asked_utc_s": moment.utc_s, "state": state}


def _stretch(request: Request, for_s: float = _DAY_S) -> tuple[float, float]:
    """The time from `since` to `until`, in UTC seconds; until now, and for so long, unless given."""
    until_utc_s = _moment(request, "until", time.time())
    return _moment(request, "since", until_utc_s - for_s), until_utc_s


def _moment(request: Request, name: str, otherwise: float) -> float:
    try:
        return moment_in(request, name, otherwise)
    except UnreadableError as error:
        raise RefusedError(400, str(error)) from None


def _from_form(members: Mapping[str, Any]) -> dict[str, Any]:
    """A form holds texts alone: a number of seconds is made one, an empty field is left out."""
    payload = {name: value for name, value in members.items() if value != ""}
    if "duration_s" in payload:
        try:
            payload["duration_s"] = float(payload["duration_s"])
        except ValueError:
            raise RefusedError(400, "duration_s must be a number of seconds") from None
    return payload
