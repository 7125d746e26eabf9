"""Where a request really comes from: what the trusted proxy says of it, and nobody else. Pure ASGI.

It sets client, scheme and the path below which the page lies; headers of that kind from any other address are dropped.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.types import ASGIApp, Receive, Scope, Send

_BELIEVED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-prefix", b"x-ingress-path")
_SIGNS = (*_BELIEVED, b"forwarded", b"via", b"x-real-ip")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_MOST_PREFIX_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class ForwardedMiddleware:
    """Applies what a proxy says.

    Attributes:
        app: that is wrapped.
        proxy: address of the proxy; None for none.
        base_path: below which the page lies if no proxy names another, with a slash at both ends.
    """

    app: ASGIApp
    proxy: str | None = None
    base_path: str = "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on as it was before the proxy."""
        if scope["type"] == "http":
            self._apply(scope)
        await self.app(scope, receive, send)

    def _apply(self, scope: MutableMapping[str, Any]) -> None:
        said = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _BELIEVED}
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _BELIEVED]
        trusted = self.proxy is not None and _is_same(_peer(scope), self.proxy)
        scope["auricle.forwarded"] = trusted or any(name in _SIGNS for name, _ in scope["headers"]) or bool(said)
        base_path = self.base_path
        if trusted:
            base_path = self._believe(scope, {name.decode(): value for name, value in said.items()})
        scope["auricle.base_path"] = base_path
        path = scope["path"]
        if base_path != "/" and path.startswith(base_path):
            scope["path"] = "/" + path.removeprefix(base_path)
        scope["root_path"] = ""

    def _believe(self, scope: MutableMapping[str, Any], said: dict[str, str]) -> str:
        """Apply the headers; returns the path below which the proxy serves the page."""
        nearest = said.get("x-forwarded-for", "").rpartition(",")[2].strip()
        if nearest and _is_address(nearest):
            scope["client"] = (nearest, 0)
        if said.get("x-forwarded-proto") in {"http", "https"}:
            scope["scheme"] = said["x-forwarded-proto"]
        if said.get("x-forwarded-host"):
            host = said["x-forwarded-host"].rpartition(",")[2].strip()
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"host"]
            scope["headers"].append((b"host", host.encode("latin-1", "replace")))
        prefix = said.get("x-ingress-path") or said.get("x-forwarded-prefix") or ""
        if prefix and len(prefix) <= _MOST_PREFIX_CHARACTERS and _PREFIX.fullmatch(prefix):
            return prefix.rstrip("/") + "/"
        return self.base_path


def _peer(scope: MutableMapping[str, Any]) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_same(peer: str, configured: str) -> bool:
    try:
        ours, theirs = (ipaddress.ip_address(text.partition("%")[0]) for text in (peer, configured))
    except ValueError:
        return False
    return (getattr(ours, "ipv4_mapped", None) or ours) == (getattr(theirs, "ipv4_mapped", None) or theirs)
