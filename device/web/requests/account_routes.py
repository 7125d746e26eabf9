"""Logging in and out, and the page of one's own account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse
from starlette.routing import Route

from device.web.pages.now_view import day_text
from device.web.requests.answers import RefusedError, page
from device.web.requests.request_content import UnreadableError, members_of

if TYPE_CHECKING:
    from datetime import tzinfo

    from starlette.requests import Request
    from starlette.responses import Response

    from device.web.requests.gatekeeper import Gatekeeper


def account_routes(gate: Gatekeeper, zone: tzinfo | None) -> list[Route]:
    """The routes of accounts.

    Args:
        gate: of the page.
        zone: of the times that are shown; None for the machine's own.
    """
    pages = AccountPages(gate, zone)
    return [
        Route("/account", pages.account),
        Route("/account/end", pages.end_login, methods=["POST"]),
        Route("/login", pages.login),
        Route("/login", pages.log_in, methods=["POST"]),
        Route("/logout", pages.log_out, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class AccountPages:
    """Answers requests about accounts.

    Attributes:
        gate: of the page.
        zone: of the times that are shown; None for the machine's own.
    """

    gate: Gatekeeper
    zone: tzinfo | None

    async def account(self, request: Request) -> Response:
        """Who is logged in, and where."""
        visitor = self.gate.visitor(request)
        sessions = self.gate.visitors.sessions.of(visitor.name) if visitor.session is not None else []
        own = "" if visitor.session is None else visitor.session.key
        shown = [
            {
                "key": session.key,
                "is_own": session.key == own,
                "address": session.address,
                "agent": session.agent,
                "used": day_text(session.used_utc_s, self.zone),
                "since": day_text(session.since_utc_s, self.zone),
            }
            for session in sessions
        ]
        return page(request, "account.html", visitor, sessions=shown)

    async def end_login(self, request: Request) -> Response:
        """End one login of the same account."""
        members = await members_or_refusal(request)
        visitor = self.gate.changer(request, str(members.get("csrf", "")))
        sessions = self.gate.visitors.sessions
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
        members = await members_or_refusal(request)
        name, password = str(members.get("name", "")).strip(), str(members.get("password", ""))
        try:
            token = await self.gate.log_in(request, name, password)
        except RefusedError as error:
            return self._login_page(request, error)
        answer = RedirectResponse("./", 303)
        self.gate.set_cookie(request, answer, token)
        return answer

    def _login_page(self, request: Request, error: RefusedError | None = None) -> Response:
        book = self.gate.visitors.book
        values = {"problem": "" if error is None else error.detail, "has_accounts": bool(book.accounts)}
        status = 200 if error is None else error.status_code
        answer = page(request, "login.html", None, status=status, **values)
        answer.headers.update({} if error is None else dict(error.headers or {}))
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the login of this browser."""
        csrf = str((await members_or_refusal(request)).get("csrf", ""))
        visitor = self.gate.changer(request, csrf)
        if visitor.session is not None:
            self.gate.visitors.sessions.end(visitor.session.key)
        answer = RedirectResponse("login", 303)
        answer.delete_cookie(self.gate.visitors.cookie, path=request.scope.get("auricle.base_path", "/"))
        return answer


async def members_or_refusal(request: Request) -> dict[str, Any]:
    """The members of a request.

    Raises:
        RefusedError: it has none that can be read.
    """
    try:
        return await members_of(request)
    except UnreadableError as error:
        raise RefusedError(400, str(error)) from None
