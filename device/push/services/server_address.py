"""The address of a server from a file: parsed, and never repeated in a sentence, for its path may be a secret."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from device.errors import ConfigError


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where requests go.

    Attributes:
        is_encrypted: with TLS; without it for this machine alone.
        host: name or address, which sentences may show.
        port: of the server.
        path: begins with a slash.
    """

    is_encrypted: bool
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        """Scheme, host and port as a URL without a path."""
        scheme, usual = ("https", 443) if self.is_encrypted else ("http", 80)
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}" if self.port == usual else f"{scheme}://{host}:{self.port}"

    @property
    def host_header(self) -> str:
        """Value of the header Host."""
        return self.origin.partition("://")[2]


def parse_address(text: str, where: str) -> ServerAddress:
    """Parse a URL.

    Args:
        text: the URL.
        where: it comes from, as the subject of a sentence.

    Raises:
        ConfigError: it is none, or sends what is secret without TLS to another machine.
    """
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ConfigError(f"{where} holds no URL; it must be one as https://ntfy.sh/TOPIC") from None
    if parts.scheme not in {"https", "http"} or not host or not text.isprintable() or " " in text:
        raise ConfigError(f"{where} holds no URL; it must be one as https://ntfy.sh/TOPIC")
    if parts.username is not None or parts.fragment:
        raise ConfigError(f"{where} holds a URL with a user or a fragment; write a token into a file of its own")
    is_encrypted = parts.scheme == "https"
    if not is_encrypted and not _is_this_machine(host):
        raise ConfigError(f"{where} holds a URL that begins with http://, which anyone may read; write https://")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return ServerAddress(is_encrypted, host, port or (443 if is_encrypted else 80), path)


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
