"""Pages that are open: each holds the stream of events as a browser does."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from typing import TYPE_CHECKING, Self

from device.errors import ServiceError

if TYPE_CHECKING:
    from types import TracebackType

_HEADERS = {"Accept": "text/event-stream", "Cache-Control": "no-cache", "Sec-Fetch-Site": "same-origin"}
_ENDS_WITHIN_S = 10.0


class OpenPages:
    """Open pages; a context manager that closes them.

    Args:
        port: of the page on this machine.
        count: how many.

    Raises:
        ServiceError: at the end, a page was sent no event.
    """

    def __init__(self, port: int, count: int) -> None:
        self._pages = [_OpenPage(port, number) for number in range(count)]

    def __enter__(self) -> Self:
        for page in self._pages:
            page.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for page in self._pages:
            page.end()
        if error is None and not all(self.events):
            raise ServiceError(f"an open page was sent nothing: {self.events} events")

    @property
    def events(self) -> list[int]:
        """How many events each was sent so far."""
        return [page.events for page in self._pages]


class _OpenPage(threading.Thread):
    """Loads the first screen, and reads its stream until it is closed."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(name=f"open-page-{number}", daemon=True)
        self.events = 0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ENDS_WITHIN_S)
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock

    def run(self) -> None:
        """Read until the page is closed."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._read()

    def _read(self) -> None:
        self._connection.request("GET", "/")
        self._connection.getresponse().read()
        self._connection.request("GET", "/live", headers=_HEADERS)
        for line in self._connection.getresponse():
            self.events += line.startswith(b"data: ")

    def end(self) -> None:
        """Close the page."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join(_ENDS_WITHIN_S)
        self._connection.close()
