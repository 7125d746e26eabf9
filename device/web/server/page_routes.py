"""The pages: what stands on them is made in `pages`; who may see them is decided by the gate."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from anyio import CapacityLimiter
from starlette.responses import RedirectResponse, StreamingResponse
from starlette.routing import Route

from device.web.live.event_stream import MEDIA_TYPE, RETRY, event_bytes, number_of
from device.web.live.hindsight import Question
from device.web.pages.night_view import Night, night_values
from device.web.pages.now_view import day_text, now_fragments, now_values
from device.web.pages.why_view import local_moment, why_values
from device.web.server.answers import RefusedError, page
from device.web.server.request_content import UnreadableError, members_of, moment_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from device.web.access.visitors import Visitor
    from device.web.server.service import Service


def page_routes(service: Service) -> list[Route]:
    """The routes of all pages."""
    pages = Pages(service)
    return [
        Route("/", pages.now),
        Route("/live", pages.live),
        Route("/night", pages.night),
        Route("/why", pages.why),
        Route("/account", pages.account),
        Route("/account/end", pages.end_login, methods=["POST"]),
        Route("/login", pages.login),
        Route("/login", pages.log_in, methods=["POST"]),
        Route("/logout", pages.log_out, methods=["POST"]),
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
        token = "" if visitor.token else self._gate.open_token()
        if token:
            visitor = type(visitor)(visitor.name, visitor.role, token)
        values = now_values(self._service.link.newest, self._service.facts, time.time())
        answer = page(request, "now.html", visitor, **values, may_command=visitor.may_command)
        if token:
            self._gate.set_cookie(request, answer, token)
        return answer

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
            at_utc_s = local_moment(local, zone) if local else moment_in(request, "at", now_utc_s)
        except UnreadableError as error:
            raise RefusedError(400, str(error)) from None
        except (ValueError, OverflowError):
            raise RefusedError(400, f"{local[:40]!r} is no time; 2026-11-27T22:00:00 is one") from None
        question = Question(service.link.ring, service.link.circumstances, at_utc_s, now_utc_s)
        found = await anyio.to_thread.run_sync(question.answer, limiter=self._reading)
        return page(request, "why.html", visitor, **why_values(found, zone, now_utc_s))

    async def account(self, request: Request) -> Response:
        """Who is logged in, and where."""
        visitor = self._gate.visitor(request)
        sessions = self._service.gate.visitors.sessions.of(visitor.name) if visitor.session is not None else []
        own = "" if visitor.session is None else visitor.session.key
        zone = self._service.facts.zone
        shown = [
            {
                "key": session.key,
                "is_own": session.key == own,
                "address": session.address,
                "agent": session.agent,
                "used": day_text(session.used_utc_s, zone),
                "since": day_text(session.since_utc_s, zone),
            }
            for session in sessions
        ]
        return page(request, "account.html", visitor, sessions=shown)

    async def end_login(self, request: Request) -> Response:
        """End one login of the same account."""
        members = await self._members(request)
        visitor = self._gate.changer(request, str(members.get("csrf", "")))
        sessions = self._service.gate.visitors.sessions
        key = str(members.get("key", ""))
        if visitor.session is None or key not in {session.key for session in sessions.of(visitor.name)}:
            raise RefusedError(404, "there is no such login")
        sessions.end(key)
        is_own = key == visitor.session.key
        return RedirectResponse("../login" if is_own else "../account", 303)

    async def login(self, request: Request) -> Response:
        """The form to log in with."""
        return self._login_page(request)

    async def log_in(self, request: Request) -> Response:
        """Log a person in."""
        members = await self._members(request)
        name, password = str(members.get("name", "")).strip(), str(members.get("password", ""))
        try:
            token = await self._gate.log_in(request, name, password)
        except RefusedError as error:
            return self._login_page(request, error)
        answer = RedirectResponse("./", 303)
        self._gate.set_cookie(request, answer, token)
        return answer

    def _login_page(self, request: Request, error: RefusedError | None = None) -> Response:
        book = self._service.gate.visitors.book
        values = {"problem": "" if error is None else error.detail, "has_accounts": bool(book.accounts)}
        status = 200 if error is None else error.status_code
        answer = page(request, "login.html", None, status=status, **values)
        answer.headers.update({} if error is None else dict(error.headers or {}))
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the login of this browser."""
        csrf = str((await self._members(request)).get("csrf", ""))
        visitor = self._gate.changer(request, csrf)
        if visitor.session is not None:
            self._service.gate.visitors.sessions.end(visitor.session.key)
        answer = RedirectResponse("login", 303)
        answer.delete_cookie(self._gate.visitors.cookie, path=request.scope.get("auricle.base_path", "/"))
        return answer

    async def _members(self, request: Request) -> dict[str, Any]:
        try:
            return await members_of(request)
        except UnreadableError as error:
            raise RefusedError(400, str(error)) from None
