"""Connections that have a time for the head of a request: whoever connects and says nothing, or little, is closed.

uvicorn bounds the pause between two requests, but not the time that a head may take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

HEAD_WITHIN_S = 10.0

TRANSPORT = "auricle.transport"
"""In the state of a request: the connection by which it came, for a stream that may not wait long in a buffer."""


class BoundedConnection(H11Protocol):
    """One connection; see the module."""

    head_within_s = HEAD_WITHIN_S
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for a head."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, TRANSPORT: transport}
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that is not complete yet goes on waiting, within its time."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._deadline is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side has gone."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_within_s, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
