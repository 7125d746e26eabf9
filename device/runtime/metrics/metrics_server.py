"""Serves a daemon's metrics to Prometheus, on a port of 127.0.0.1 only.

One thread serves a bounded number of clients, none of which delays another.
"""

from __future__ import annotations

import io
import socket
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self
from wsgiref.simple_server import WSGIRequestHandler

from device.errors import MissingExtraError, ServiceError
from device.runtime.daemon_state import StateAge
from device.runtime.metrics.machine_figures import MachineFigures
from device.runtime.metrics.metric_families import families
from device.runtime.sockets.connection_server import BACKLOG, ConnectionServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from device.runtime.daemon_state import DaemonState

ADDRESS = "127.0.0.1"

_ENDS_OF_HEAD = (b"\r\n\r\n", b"\n\n")


class MetricsServer:
    """Answers each GET with the metrics of the moment, from a thread of its own; a context manager.

    Args:
        port: of 127.0.0.1; 0 for any that is free.
        state: the newest snapshot, from any thread; None before the first.
        machine: the machine's figures; called in the thread that serves, so it may read files.

    Raises:
        MissingExtraError: prometheus-client is not installed.
        ServiceError: the port cannot be opened.
    """

    def __init__(
        self,
        port: int,
        state: Callable[[], DaemonState | None],
        machine: Callable[[], MachineFigures] = MachineFigures,
    ) -> None:
        respond = _Responder(_app(state, machine)).respond
        try:
            self._listening = _listening_socket(port)
        except OSError as error:
            why = error.strerror or error
            raise ServiceError(
                f"metrics cannot be had on port {port} of {ADDRESS} ({why}): set metrics_port in [status] to a free one"
            ) from None
        self.port: int = self._listening.getsockname()[1]
        self._server = ConnectionServer(self._listening, respond, name="metrics")

    def __repr__(self) -> str:
        return f"MetricsServer({ADDRESS}:{self.port}, {'closed' if self._server.is_closed else 'open'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port; idempotent."""
        self._server.close()
        self._listening.close()


def _listening_socket(port: int) -> socket.socket:
    """A non-blocking socket that listens on a port of 127.0.0.1; raises OSError."""
    listening = socket.create_server((ADDRESS, port), backlog=BACKLOG)  # free again at once after a restart
    listening.setblocking(False)
    return listening


class _Responder:
    """Answers HTTP requests with a WSGI application; also what `WSGIRequestHandler` wants for a server.

    Args:
        app: WSGI.
    """

    base_environ: Mapping[str, str] = MappingProxyType({"SERVER_NAME": ADDRESS, "SERVER_PORT": "", "SCRIPT_NAME": ""})

    def __init__(self, app: Any) -> None:
        self._app = app

    def get_app(self) -> Any:
        """The application."""
        return self._app

    def respond(self, request: bytes, _is_complete: bool) -> bytes | None:  # noqa: FBT001 - as ConnectionServer calls it
        """The answer to a request; None while its head is incomplete."""
        if not any(end in request for end in _ENDS_OF_HEAD):
            return None
        exchange = _Exchange(request)
        _Handler(exchange, (ADDRESS, 0), self)  # type: ignore[arg-type] # it uses of both what is defined here
        return bytes(exchange.answer)


class _Exchange:
    """A request in memory and its answer, in the form of a connected socket."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.answer = bytearray()

    def makefile(self, *_arguments: object, **_keywords: object) -> io.BytesIO:
        """The request as a file."""
        return io.BytesIO(self._request)

    def sendall(self, data: bytes) -> None:
        """Append to the answer."""
        self.answer += data


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        """Scrapes are not logged."""


def _app(state: Callable[[], DaemonState | None], machine: Callable[[], MachineFigures]) -> Any:
    """A WSGI application."""
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
        from prometheus_client.registry import Collector
    except ImportError as error:
        raise MissingExtraError(f"metrics need {error.name}: pip install 'auricle[device]' brings it") from None
    age = StateAge()

    class StateCollector(Collector):
        """Makes all metrics anew for each scrape."""

        def collect(self) -> Iterator[Any]:
            now = state()
            yield from families(None if now is None else age.apply(now, time.monotonic()), machine())

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(StateCollector())
    return make_wsgi_app(registry)
