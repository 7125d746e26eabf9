"""Somebody who listens in: takes the room's sound from the page for as long as it is given."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from typing import TYPE_CHECKING, Self

from device.errors import ServiceError
from device.runtime.sockets.sound_socket import SECOND_BYTES

if TYPE_CHECKING:
    from types import TracebackType

_ENDS_WITHIN_S = 10.0
_PIECE_BYTES = 4096
_LEAST_SHARE = 0.5


class Listener(threading.Thread):
    """Reads `GET /api/sound`; a context manager that ends it.

    Args:
        port: of the page on this machine.
        token: of an account with the right.
    """

    def __init__(self, port: int, token: str) -> None:
        super().__init__(name="listener", daemon=True)
        self._token = token
        self._count = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ENDS_WITHIN_S)
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.join(_ENDS_WITHIN_S)
        self._connection.close()

    @property
    def heard_s(self) -> float:
        """Seconds of sound so far."""
        return self._count / SECOND_BYTES

    def check(self, seconds: float) -> None:
        """Most of a stretch of time was heard. Raises ServiceError if it was not."""
        if self.heard_s < _LEAST_SHARE * seconds:
            raise ServiceError(f"who listened in heard {self.heard_s:.1f} s of {seconds:.1f} s")

    def run(self) -> None:
        """Read until the connection is closed."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._connection.request("GET", "/api/sound", headers={"Authorization": f"Bearer {self._token}"})
            answer = self._connection.getresponse()
            while answer.status == 200 and (piece := answer.read1(_PIECE_BYTES)):
                self._count += len(piece)
