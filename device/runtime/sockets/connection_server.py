"""Serves short exchanges on a listening socket from one thread: a request, its answer, the end. Knows no protocol.

No client delays another: no socket blocks, each client has a deadline for the whole exchange, and if too many are
connected the one that has been connected longest is closed. So a client that sends a byte a second, or reads
nothing, costs the server one descriptor for a few seconds. If no descriptor is left, clients wait in the backlog.
"""

from __future__ import annotations

import os
import selectors
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

BACKLOG = 512
"""Clients that may wait to be accepted; the kernel bounds it by net.core.somaxconn."""

_TURN_S = 1.0
_PAUSE_S = 0.05
_JOIN_S = 2.0
_CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds on what clients can cost.

    Attributes:
        clients: that are served at a time.
        request_bytes: of a request; a client that sends more is closed.
        within_s: for a whole exchange, in seconds, from its acceptance on.
    """

    clients: int = 64
    request_bytes: int = 8192
    within_s: float = 5.0


@dataclass(slots=True, eq=False)
class _Client:
    socket: socket.socket
    until_s: float  # monotonic
    received: bytearray = field(default_factory=bytearray)
    has_ended: bool = False
    answer: memoryview | None = None


class ConnectionServer:
    """Serves a listening socket until `close`.

    Args:
        listening: a non-blocking socket that listens; it stays its owner's.
        respond: called from the server's thread with all that a client has sent so far, first with nothing when it
            connects, and whether the client will send no more; returns the answer, after which the connection is
            closed, or None to wait for more. It must not block.
        name: of the thread.
        limits: bounds on what clients can cost.
        on_turn: called from the thread at least once a second.
    """

    def __init__(
        self,
        listening: socket.socket,
        respond: Callable[[bytes, bool], bytes | None],
        *,
        name: str,
        limits: ServerLimits | None = None,
        on_turn: Callable[[], object] = lambda: None,
    ) -> None:
        self._listening = listening
        self._respond = respond
        self._limits = limits or ServerLimits()
        self._on_turn = on_turn
        self._clients: dict[_Client, None] = {}  # in the order of their acceptance
        self._closed = threading.Event()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector = selectors.PollSelector()  # needs no descriptor of its own
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"ConnectionServer({self._thread.name}, {'closed' if self.is_closed else 'open'})"

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed.is_set()

    def close(self) -> None:
        """Close all clients and end the thread; idempotent."""
        if self.is_closed:
            return
        self._closed.set()
        os.eventfd_write(self._wake, 1)
        self._thread.join(_JOIN_S)
        if not self._thread.is_alive():
            os.close(self._wake)

    # --- the thread

    def _serve(self) -> None:
        while not self.is_closed:
            self._on_turn()
            for key, _ in self._selector.select(_TURN_S):
                if key.fileobj is self._listening:
                    self._accept()
                elif key.data in self._clients:  # it may have been closed in favour of a newer one
                    self._serve_client(key.data)
            self._close_late(time.monotonic())
        for client in list(self._clients):
            self._drop(client)

    def _accept(self) -> None:
        try:
            accepted, _ = self._listening.accept()
        except BlockingIOError:  # the client has gone
            return
        except OSError:  # no descriptor is left; the client waits in the backlog
            self._closed.wait(_PAUSE_S)
            return
        accepted.setblocking(False)
        if len(self._clients) >= self._limits.clients:
            self._drop(next(iter(self._clients)))
        client = _Client(accepted, time.monotonic() + self._limits.within_s)
        self._clients[client] = None
        self._selector.register(accepted, selectors.EVENT_READ, client)
        self._prepare_answer(client)
        if client in self._clients:
            self._serve_client(client)  # the request of a quick client is here already

    def _serve_client(self, client: _Client) -> None:
        try:
            if client.answer is None:
                self._receive(client)
            if client.answer is not None:
                self._send(client, client.answer)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)

    def _receive(self, client: _Client) -> None:
        """Receive what has arrived, and prepare the answer if the request is complete; raises OSError."""
        data = client.socket.recv(_CHUNK_BYTES)
        client.received += data
        client.has_ended = not data
        if len(client.received) > self._limits.request_bytes:
            self._drop(client)
            return
        self._prepare_answer(client)
        if client.has_ended and client.answer is None:
            self._drop(client)

    def _prepare_answer(self, client: _Client) -> None:
        try:
            answer = self._respond(bytes(client.received), client.has_ended)
        except Exception:  # noqa: BLE001 - a failure with one request must not end the server
            self._drop(client)
            return
        if answer is not None:
            client.answer = memoryview(answer)
            self._selector.modify(client.socket, selectors.EVENT_WRITE, client)

    def _send(self, client: _Client, answer: memoryview) -> None:
        """Send what the kernel accepts now, and close the connection after the last byte; raises OSError."""
        if answer:
            client.answer = answer = answer[client.socket.send(answer) :]
        if not answer:
            self._drop(client)

    def _close_late(self, now_s: float) -> None:
        for client in [client for client in self._clients if client.until_s < now_s]:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client, client) is None:
            self._selector.unregister(client.socket)
            client.socket.close()
