"""The pages: what stands on them is made in `pages`; who may see them is decided by the gate."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.responses import StreamingResponse
from starlette.routing import Route

from device.web.live.event_stream import MEDIA_TYPE, RETRY, event_bytes, number_of
from device.web.live.hindsight import Question
from device.web.pages.night_view import Night, night_values
from device.web.pages.now_view import now_fragments, now_values
from device.web.pages.why_view import local_moment, why_values
from device.web.requests.answers import RefusedError, page
from device.web.requests.request_content import UnreadableError, moment_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from device.web.access.visitors import Visitor
    from device.web.server.service import Service

_JUST_NOW_S = 3.0
_DECIDED_S = 1.0  # from a sound to the windows that hold it, as the page has them


def page_routes(service: Service) -> list[Route]:
    """The routes of the pages."""
    pages = Pages(service)
    return [
        Route("/", pages.now),
        Route("/live", pages.live),
        Route("/night", pages.night),
        Route("/why", pages.why),
    ]


class Pages:
    """Answers requests for pages.

    Args:
        service: what stands behind them.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._gate = service.gate
        self._reading = CapacityLimiter(1)  # a night at a time: it may be long, on a slow card

    async def now(self, request: Request) -> Response:
        """The first screen."""
        visitor = self._gate.visitor(request)
        values = now_values(self._service.link.newest, self._service.facts, time.time())
        may = {"may_command": visitor.may_command, "can_listen": self._service.lets_listen and visitor.may_listen}
        return self._gate.commanding_page(request, "now.html", visitor, **values, **may)

    async def live(self, request: Request) -> Response:
        """The first screen as it changes."""
        visitor = self._gate.visitor(request)
        place = self._service.readers.take()
        if place is None:
            raise RefusedError(503, "too many pages are open: close one", {"retry-after": "5"})
        after = request.headers.get("last-event-id", "") or request.query_params.get("after", "")
        stream = self._live_events(request, visitor, number_of(after, self._service.epoch))
        return StreamingResponse(place.hold(stream), media_type=MEDIA_TYPE, headers={"x-accel-buffering": "no"})

    async def _live_events(self, request: Request, visitor: Visitor, number: int) -> AsyncIterator[bytes]:
        """Each moment, with those parts of the page that are other than before."""
        service, shown = self._service, dict[str, str]()
        yield RETRY
        seen, moment = number, service.link.newest
        while service.gate.visitors.of(request, time.time()) is not None:
            fragments = now_fragments(moment, service.facts, time.time(), may_command=visitor.may_command)
            changed = {name: html for name, html in fragments.items() if shown.get(name) != html}
            shown.update(changed)
            content = {
                "ok": moment.state is not None,
                "age": 0.0 if moment.state is None else moment.state.age_s,
                "problem": moment.problem,
                "points": service.link.recent.after(seen),
                "html": changed if moment.state is not None or seen == number else {},
            }
            seen = moment.number
            yield event_bytes("moment", content, f"{service.epoch}-{seen}")
            moment = await service.link.newer(seen)
        yield event_bytes("ended", {"why": "the login has ended"})

    async def night(self, request: Request) -> Response:
        """What happened from one noon to the next."""
        visitor, service = self._gate.visitor(request), self._service
        zone, now_utc_s = service.facts.zone, time.time()
        given = request.query_params.get("day", "")
        try:
            night = Night.of(date.fromisoformat(given), zone) if given else Night.at(now_utc_s, zone)
        except (ValueError, OverflowError):
            raise RefusedError(400, f"{given[:20]!r} is no day; 2026-11-27 is one") from None
        hearing = service.hearing.spans(night.from_utc_s, night.until_utc_s)
        happened = await anyio.to_thread.run_sync(
            service.happenings.between, night.from_utc_s, night.until_utc_s, limiter=self._reading
        )
        values = night_values(night, happened, hearing, zone=zone, now_utc_s=now_utc_s)
        return page(request, "night.html", visitor, **values)

    async def why(self, request: Request) -> Response:
        """Why there was an alert at a moment, or none."""
        visitor, service, now_utc_s = self._gate.visitor(request), self._service, time.time()
        zone, local = service.facts.zone, request.query_params.get("local", "")
        try:
            at_utc_s = local_moment(local, zone) if local else moment_in(request, "at", self._just_now(now_utc_s))
        except UnreadableError as error:
            raise RefusedError(400, str(error)) from None
        except (ValueError, OverflowError):
            raise RefusedError(400, f"{local[:40]!r} is no time; 2026-11-27T22:00:00 is one") from None
        question = Question(service.link.ring, service.link.circumstances, at_utc_s, now_utc_s)
        found = await anyio.to_thread.run_sync(question.answer, limiter=self._reading)
        return page(request, "why.html", visitor, **why_values(found, zone, now_utc_s))

    def _just_now(self, now_utc_s: float) -> float:
        """The newest moment about which windows have decided, or now where that is longer ago."""
        newest = self._service.link.ring.stretches[-1:]
        if not newest or now_utc_s - newest[0].until_utc_s > _JUST_NOW_S:
            return now_utc_s
        return max(newest[0].from_utc_s, newest[0].until_utc_s - _DECIDED_S)
