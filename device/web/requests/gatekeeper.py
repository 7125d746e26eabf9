"""The gate: whoever may not look or command gets no further. Logins, their bounds and their cookie."""

from __future__ import annotations

import math
import secrets
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from anyio import CapacityLimiter

from device.web.access.command_bounds import bounds_of_commands, bounds_of_looks
from device.web.access.login_bounds import LoginBounds
from device.web.access.visitors import COMMAND_KINDS, CSRF_HEADER, OURSELVES, why_forged
from device.web.requests.answers import RefusedError, page

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from device.web.access.accounts import Account
    from device.web.access.command_bounds import CommandBounds
    from device.web.access.visitors import Visitor, Visitors

_MOST_PASSWORD_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """Lets visitors in.

    Attributes:
        visitors: tells who sends a request.
        report: writes a line about a login to the log.
        session_s: how long a login lasts that is not used.
        bounds: of failed logins.
        commands: bounds of what is asked for.
        looks: bounds of looks at a measurement.
    """

    visitors: Visitors
    report: Callable[[str], None]
    session_s: float
    bounds: LoginBounds = field(default_factory=LoginBounds)
    commands: CommandBounds = field(default_factory=bounds_of_commands)
    looks: CommandBounds = field(default_factory=bounds_of_looks)
    _hashing: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    def visitor(self, request: Request) -> Visitor:
        """Whoever may look.

        Raises:
            RefusedError: nobody we know.
        """
        found = self.visitors.of(request, time.time())
        if found is None:
            headers = {"www-authenticate": "Bearer"} if request.scope["path"].startswith("/api/") else {}
            raise RefusedError(401, "log in, or send a token: Authorization: Bearer TOKEN", headers)
        return found

    def changer(self, request: Request, csrf: str = "", *, kinds: frozenset[str] = COMMAND_KINDS) -> Visitor:
        """Whoever may change something of its own, such as end its login.

        Args:
            request: that changes something.
            csrf: the proof in its form; that in its header counts too.
            kinds: of content that it may have without a login.

        Raises:
            RefusedError: nobody we know, or the request may come from another page.
        """
        found = self.visitor(request)
        forged = why_forged(request, found, request.headers.get(CSRF_HEADER, "") or csrf, kinds=kinds)
        if forged:
            raise RefusedError(403, forged)
        return found

    def commander(self, request: Request, csrf: str = "", *, kinds: frozenset[str] = COMMAND_KINDS) -> Visitor:
        """Whoever may command the daemon; raises as `changer`, and if it may only look."""
        found = self.changer(request, csrf, kinds=kinds)
        if not found.may_command:
            raise RefusedError(403, f"{found.name} may look, and not command")
        return found

    def hold_to_bounds(self, request: Request, visitor: Visitor, bounds: CommandBounds) -> None:
        """Count a command that the daemon is about to be sent.

        Raises:
            RefusedError: too many came just now.
        """
        refused = bounds.take(visitor, client_address(request), time.monotonic())
        if refused is None:
            return
        if refused.is_first:
            self.report(f"commands of {visitor.name} from {client_address(request)} are put off: too many come")
        again_s = math.ceil(refused.wait_s)
        most, per_s = bounds.of_one
        sentence = f"too many commands come: after {most:g} at once, {per_s:g} a second; try again in {again_s} s"
        raise RefusedError(429, sentence, {"retry-after": str(again_s)})

    async def log_in(self, request: Request, name: str, password: str) -> str:
        """Log a person in; returns the token for the browser.

        Raises:
            RefusedError: too many tries, or the name or password is wrong.
        """
        if request.headers.get("sec-fetch-site", "none") not in OURSELVES:
            raise RefusedError(403, "the login comes from another page: use the form of this one")
        address = client_address(request)
        wait_s = self.bounds.wait_s(address, time.monotonic())
        if wait_s > 0:
            minutes = max(1, math.ceil(wait_s / 60))
            self.report(f"a login from {address} is put off: too many have failed")
            raise RefusedError(
                429, f"too many logins have failed: try again in {minutes} min", {"retry-after": str(math.ceil(wait_s))}
            )
        self.bounds.count(address, time.monotonic())
        account = await self._account(name, password)
        if account is None:
            self.report(f"a login as {name[:32]!a} from {address} failed")
            raise RefusedError(403, "this name and password belong to nobody here")
        self.bounds.forgive(address)
        self.report(f"{account.name} ({account.role}) logs in from {address}")
        agent = request.headers.get("user-agent", "")
        return self.visitors.sessions.begin(
            account.name, proof=account.proof, address=address, agent=agent, now_utc_s=time.time()
        )

    async def _account(self, name: str, password: str) -> Account | None:
        """One at a time: a password's proof takes 16 MiB and a second of a small Pi."""
        if not name or len(password) > _MOST_PASSWORD_CHARACTERS:
            return None
        return await anyio.to_thread.run_sync(self.visitors.book.by_password, name, password, limiter=self._hashing)

    def set_cookie(self, request: Request, response: Response, token: str) -> None:
        """Give the browser its token: for this page alone, never to a script, nor with a request of another site."""
        response.set_cookie(
            self.visitors.cookie,
            token,
            max_age=round(self.session_s),
            path=request.scope.get("auricle.base_path", "/"),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )

    def commanding_page(self, request: Request, template: str, visitor: Visitor, **values: Any) -> Response:
        """A page with commands; a browser without a token, where the page is open, is given one with it.

        The token carries the proof against forged requests.
        """
        if visitor.token:
            return page(request, template, visitor, **values)
        token = secrets.token_urlsafe(32)
        answer = page(request, template, replace(visitor, token=token), **values)
        self.set_cookie(request, answer, token)
        return answer


def client_address(request: Request) -> str:
    """The address a request came from."""
    return request.client.host if request.client else "-"
