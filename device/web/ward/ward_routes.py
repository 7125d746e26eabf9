"""The addresses of a ward's page: the screen, its changes, and acknowledgements."""

from __future__ import annotations

import dataclasses
import platform
import time
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from device.commands import MAX_PERSON_CHARACTERS
from device.errors import ServiceError
from device.web.access.visitors import ANYBODY
from device.web.live.event_stream import MEDIA_TYPE, RETRY, event_bytes
from device.web.requests.account_routes import members_or_refusal
from device.web.requests.answers import RefusedError, page, wants_json
from device.web.requests.reader_places import Readers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from device.web.access.visitors import Visitor
    from device.web.requests.gatekeeper import Gatekeeper
    from device.web.ward.ward_board import WardBoard
    from device.web.ward.ward_link import WardLink


@dataclasses.dataclass(frozen=True, slots=True)
class WardService:
    """Everything that the routes use.

    Attributes:
        link: to the broker.
        board: what is shown.
        gate: decides who may do what.
        report: writes a line to the log.
        readers: of streams.
    """

    link: WardLink
    board: WardBoard
    gate: Gatekeeper
    report: Callable[[str], None]
    readers: Readers = dataclasses.field(default_factory=Readers)


def ward_routes(service: WardService) -> list[Route]:
    """The routes of the page."""
    pages = WardPages(service)
    return [
        Route("/", pages.ward),
        Route("/live", pages.live),
        Route("/api/state", pages.state),
        Route("/api/acknowledge", pages.acknowledge, methods=["POST"]),
    ]


class WardPages:
    """Answers requests.

    Args:
        service: what stands behind them.
    """

    def __init__(self, service: WardService) -> None:
        self._service = service

    async def ward(self, request: Request) -> Response:
        """The screen."""
        service = self._service
        visitor = service.gate.visitor(request)
        values = service.board.values(service.link.newest, may_command=visitor.may_command)
        return service.gate.commanding_page(request, "ward.html", visitor, **values)

    async def live(self, request: Request) -> Response:
        """The screen as it changes."""
        service = self._service
        visitor = service.gate.visitor(request)
        place = service.readers.take()
        if place is None:
            raise RefusedError(503, "too many pages are open: close one", {"retry-after": "5"})
        stream = place.hold(self._events(request, visitor))
        return StreamingResponse(stream, media_type=MEDIA_TYPE, headers={"x-accel-buffering": "no"})

    async def _events(self, request: Request, visitor: Visitor) -> AsyncIterator[bytes]:
        """Each moment, with those parts of the screen that are other than before."""
        service, shown = self._service, dict[str, str]()
        yield RETRY
        moment = service.link.newest
        while service.gate.visitors.of(request, time.time()) is not None:
            changed = {}
            if not moment.problem:
                parts = service.board.fragments(moment, may_command=visitor.may_command)
                changed = {name: html for name, html in parts.items() if shown.get(name) != html}
                shown.update(changed)
            content = {
                "ok": not moment.problem,
                "age": moment.age_s,
                "problem": moment.problem,
                "points": [],
                "html": changed,
            }
            yield event_bytes("moment", content)
            moment = await service.link.newer(moment.number)
        yield event_bytes("ended", {"why": "the login has ended"})

    async def state(self, request: Request) -> Response:
        """What is known of the beds, as JSON; 503 if that is not what is true now."""
        self._service.gate.visitor(request)
        moment = self._service.link.newest
        content = {"problem": moment.problem, "age_s": moment.age_s, **dataclasses.asdict(moment.view)}
        return JSONResponse(content, 503 if moment.problem else 200)

    async def acknowledge(self, request: Request) -> Response:
        """Acknowledge one alarm of one bed, and answer once the bed has confirmed it."""
        service = self._service
        service.gate.visitor(request)  # before anything of it is read
        members = await members_or_refusal(request)
        visitor = service.gate.commander(request, str(members.pop("csrf", "")))
        bed, alarm_id = _chosen(members)
        service.gate.hold_to_bounds(request, visitor, service.gate.commands)
        try:
            done = await service.link.acknowledge(bed, alarm_id, by=person(visitor))
        except ServiceError as error:
            service.report(f"{visitor.name} acknowledges an alarm of {bed}: {error}")
            raise RefusedError(503 if service.link.newest.problem else 409, str(error)) from None
        sentence = "; ".join(done)
        service.report(f"{visitor.name} acknowledges an alarm: {sentence}")
        if wants_json(request):
            return JSONResponse({"done": True, "sentence": sentence})
        return page(request, "message.html", visitor, title="Done", sentence=sentence)


def person(visitor: Visitor) -> str:
    """Who acknowledges, as the bed notes it; where the page is open, that is whoever sits at this machine."""
    name = f"{platform.node() or 'a ward'}" if visitor.name == ANYBODY else visitor.name
    return name[:MAX_PERSON_CHARACTERS]


def _chosen(members: dict[str, object]) -> tuple[str, str]:
    """Bed and alarm: of a form in one field, as its button holds them; of a program in two."""
    pressed = members.pop("alarm", None)
    named = pressed.partition(" ")[::2] if isinstance(pressed, str) else ("", "")
    bed, alarm_id = members.pop("bed", named[0]), members.pop("alarm_id", named[1])
    if members or not isinstance(bed, str) or not isinstance(alarm_id, str) or not alarm_id:
        raise RefusedError(400, 'name the bed and its alarm: {"bed": "anna", "alarm_id": "..."}')
    return bed, alarm_id
