"""Who sends a request: a person with a session, a program with a token, or anybody, where the page is open.

The page is open on this machine's own address alone, while there is no account, and to requests that no proxy passed on
and that name this machine as their host: a foreign page that resolves its own name to 127.0.0.1 is not let in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.web.access.sessions import csrf_of, is_csrf, stamp_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from device.web.access.accounts import AccountBook, Role
    from device.web.access.sessions import Session, Sessions

COOKIE = "auricle_session"
CSRF_HEADER = "x-csrf-token"

_OWN_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
COMMAND_KINDS = frozenset({"application/json"})
RECORDING_KINDS = frozenset(
    {"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/flac", "audio/x-flac", "audio/ogg"}
    | {"application/ogg", "application/octet-stream"}
)
"""No page of another site can send these unasked: https://fetch.spec.whatwg.org/#cors-safelisted-request-header."""

OURSELVES = {"same-origin", "none"}
"""What a browser says of a request that our own page, or nobody, has caused: `Sec-Fetch-Site`."""

ANYBODY = "this machine"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends a request.

    Attributes:
        name: of the account; `this machine` where the page is open.
        role: what it may do.
        token: of the browser's session; empty for a program.
        session: None for a program, and where the page is open.
        may_listen: whether it may listen in; whoever has no account may not.
    """

    name: str
    role: Role
    token: str = ""
    session: Session | None = None
    may_listen: bool = False

    @property
    def is_anybody(self) -> bool:
        """Whether it has no account."""
        return self.name == ANYBODY

    @property
    def may_command(self) -> bool:
        """Whether it may do more than look."""
        return self.role == "operator"

    @property
    def csrf(self) -> str:
        """The proof that a form of ours carries; empty for a program."""
        return csrf_of(self.token) if self.token else ""


@dataclass(frozen=True, slots=True)
class Visitors:
    """Tells who sends a request.

    Attributes:
        book: all accounts.
        sessions: all logins.
        may_be_open: whether the page listens on this machine's own address alone.
        instance: its own cookie has its name, since browsers share cookies among all ports of a host.
    """

    book: AccountBook
    sessions: Sessions
    may_be_open: bool
    instance: str

    @property
    def cookie(self) -> str:
        """Name of the cookie that holds a browser's token."""
        return f"{COOKIE}_{self.instance}"

    def of(self, request: Request, now_utc_s: float) -> Visitor | None:
        """Who sends it; None if that is nobody we know."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            account = self.book.by_token(token.strip())
            return None if account is None else Visitor(account.name, account.role, may_listen=account.may_listen)
        cookie = request.cookies.get(self.cookie, "")
        if self.is_open_to(request):
            return Visitor(ANYBODY, "operator", cookie)
        session = self.sessions.find(cookie, now_utc_s) if cookie else None
        person = None if session is None else self.book.named(session.account)
        if session is None or person is None or person.is_program or session.stamp != stamp_of(person.proof):
            return None
        return Visitor(person.name, person.role, cookie, session, person.may_listen)

    def is_open_to(self, request: Request) -> bool:
        """Whether this request needs no login."""
        host = request.headers.get("host", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        is_direct = not request.scope.get("auricle.forwarded", False)
        return self.may_be_open and self.book.is_open and is_direct and name in _OWN_HOSTS


def why_forged(request: Request, visitor: Visitor, csrf: str, *, kinds: frozenset[str] = COMMAND_KINDS) -> str:
    """Why a request that changes something may come from another page than ours; empty if it does not.

    Args:
        request: that changes something.
        visitor: who sends it.
        csrf: the proof in its header or form; empty for none.
        kinds: of content that it may have without a login.
    """
    if request.headers.get("authorization"):
        return ""  # no browser adds a token by itself
    site = request.headers.get("sec-fetch-site", "none")
    if site not in OURSELVES:
        return "it comes from another page: use the buttons of this one"
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        return f"it comes from {origin[:80]!a}: use the buttons of this page"
    if not visitor.token:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        wanted = "without a login, a program sends its commands as application/json, and a recording as audio/wav"
        return "" if kind in kinds else wanted
    return "" if is_csrf(csrf, visitor.token) else "this page is older than your login: load it again"
