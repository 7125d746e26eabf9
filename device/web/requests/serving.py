"""Checks and binds the address, and serves the application, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from device.errors import ConfigError, ServiceError
from device.web.requests.bounded_connection import BoundedConnection

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from device.config.web_settings import WebSettings
    from device.web.access.accounts import AccountBook

_BACKLOG = 128
_CONNECTIONS = 256
_KEEP_ALIVE_S = 20
_LEAVES_WITHIN_S = 2
_MOST_HEAD_BYTES = 16384


def address_of(listen: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8127` or `[::1]:8127`."""
    host, _, port = listen.rpartition(":")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(listen: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    host, _ = address_of(listen)
    return host in {"localhost", "::1"} or host.startswith("127.")


def bound(listen: str) -> socket.socket:
    """A socket that listens at an address.

    Raises:
        ServiceError: it cannot.
    """
    host, port = address_of(listen)
    listening: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        if listening is not None:
            listening.close()
        why = error.strerror or str(error)
        raise ServiceError(f"the page cannot be served at {listen}: {why}; name another in [web] listen") from None
    return listening


def check_access(book: AccountBook, settings: WebSettings, command: str = "auricle web password NAME") -> None:
    """Refuse to serve the network without accounts; warn on stderr of what is not encrypted.

    Args:
        book: all accounts.
        settings: with an address.
        command: that makes an account.

    Raises:
        ConfigError: there is no account.
    """
    listen = str(settings.listen)
    if is_loopback(listen):
        return
    if not book.accounts:
        raise ConfigError(
            f"{listen} can be reached from the network, and there is no account: "
            f"make one with {command}, or listen at 127.0.0.1",
            key=("web", "listen"),
        )
    if settings.cert_file is None:
        print(
            f"auricle: warning: at {listen} passwords travel unencrypted; set cert_file and key_file in [web], "
            "or put a proxy with TLS before it",
            file=sys.stderr,
            flush=True,
        )


def server_of(app: ASGIApp, settings: WebSettings) -> uvicorn.Server:
    """The server; its `run` serves until the process is asked to end, and cuts open streams off then."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=BoundedConnection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_LEAVES_WITHIN_S,
        h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
        ssl_certfile=settings.cert_file,
        ssl_keyfile=settings.key_file,
    )
    return uvicorn.Server(config)
