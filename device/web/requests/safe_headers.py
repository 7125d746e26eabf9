"""Headers that every answer carries: what a browser may load, frame, keep and send on. Pure ASGI.

A page loads its own style sheet, script, pictures and sounds, and nothing else; no inline script or style runs, so a
name that breaks out of its text would still be harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'"
)
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)


@dataclass(frozen=True, slots=True)
class SafeHeadersMiddleware:
    """Adds the headers.

    Attributes:
        app: that is wrapped.
        frame_ancestors: `self` or an origin that may frame the page; None for none.
    """

    app: ASGIApp
    frame_ancestors: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the headers to its answer."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                kept = b"no-cache" if scope["path"].startswith("/static/") else b"no-store"
                own = (*self._headers(), (b"cache-control", kept))
                message["headers"] = [*message["headers"], *(pair for pair in own if pair[0] not in there)]
            await send(message)

        await self.app(scope, receive, send_safely if scope["type"] == "http" else send)

    def _headers(self) -> tuple[tuple[bytes, bytes], ...]:
        ancestors = "'self'" if self.frame_ancestors == "self" else self.frame_ancestors or "'none'"
        policy = f"{_POLICY}; frame-ancestors {ancestors}".encode()
        framing = ((b"x-frame-options", b"DENY"),) if self.frame_ancestors is None else ()
        return (*_ALWAYS, *framing, (b"content-security-policy", policy))
