"""The pages: what stands on them is made in `pages`; who may see them is decided by the gate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse, StreamingResponse
from starlette.routing import Route

from device.web.access.visitors import COOKIE
from device.web.live.event_stream import MEDIA_TYPE, RETRY, event_bytes, number_of
from device.web.pages.now_view import now_fragments, now_values
from device.web.server.answers import RefusedError, page
from device.web.server.request_content import UnreadableError, members_of

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

    async def login(self, request: Request) -> Response:
        """The form to log in with."""
        return self._login_page(request)

    async def log_in(self, request: Request) -> Response:
        """Log a person in."""
        try:
            members = await members_of(request)
            name = str(members.get("name", "")).strip()
            token = await self._gate.log_in(request, name, str(members.get("password", "")))
        except UnreadableError as error:
            raise RefusedError(400, str(error)) from None
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
        try:
            csrf = str((await members_of(request)).get("csrf", ""))
        except UnreadableError as error:
            raise RefusedError(400, str(error)) from None
        visitor = self._gate.changer(request, csrf)
        if visitor.session is not None:
            self._service.gate.visitors.sessions.end(visitor.session.key)
        answer = RedirectResponse("login", 303)
        answer.delete_cookie(COOKIE, path=request.scope.get("auricle.base_path", "/"))
        return answer
