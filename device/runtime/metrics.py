"""A daemon's state as Prometheus metrics, on a port of 127.0.0.1 only.

Reads the same snapshot as `auricle status`. An unknown value is omitted, never exported as 0. One thread serves a
bounded number of clients, none of which delays another.
"""

from __future__ import annotations

import io
import socket
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, get_args
from wsgiref.simple_server import WSGIRequestHandler

from device.errors import MissingExtraError, ServiceError
from device.messages import FaultKind
from device.printable import printable
from device.runtime.daemon_state import StateAge
from device.runtime.sockets.connection_server import BACKLOG, ConnectionServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from device.runtime.daemon_state import DaemonState

ADDRESS = "127.0.0.1"

_ENDS_OF_HEAD = (b"\r\n\r\n", b"\n\n")


class _Metric(NamedTuple):
    """One metric.

    Attributes:
        name: without the prefix `auricle_`, and without the suffix `_total` of counters.
        help: its help line.
        value: its value in a state; None if it is unknown.
    """

    name: str
    help: str
    value: Callable[[DaemonState], float | None]


GAUGES = (
    _Metric("state_age_seconds", "Age of these figures; it grows if the main loop hangs.", lambda now: now.age_s),
    _Metric("uptime_seconds", "Since the start, by a clock that never jumps.", lambda now: now.uptime_s),
    _Metric("listened_ratio", "Share of the time that was in a scored window.", lambda now: now.listened),
    _Metric("windows_ratio", "Share of the windows due that were scored.", lambda now: now.windows),
    _Metric("hop_seconds", "From one window to the next, now.", lambda now: now.hop_s),
    _Metric(
        "configured_hop_seconds", "From one window to the next, as it should be.", lambda now: now.configured_hop_s
    ),
    _Metric("backlog_seconds", "Sound that waits to be heard.", lambda now: now.backlog_s),
    _Metric("level_dbfs", "Root mean square of the last second; absent in silence.", lambda now: now.level_dbfs),
    _Metric("peak_dbfs", "Peak of the last second; absent in digital silence.", lambda now: now.peak_dbfs),
    _Metric("sample_rate_hertz", "At which is captured.", lambda now: now.sample_rate_hz),
    _Metric("alarms_open", "Alarms that are open.", lambda now: len(now.alarms)),
    _Metric(
        "alarms_unacknowledged",
        "Open alarms that nobody has acknowledged.",
        lambda now: sum(not alarm.acknowledged for alarm in now.alarms),
    ),
    _Metric(
        "alarms_owed", "Changes of alarms that no broker has acknowledged; absent without one.", lambda now: now.owed
    ),
    _Metric(
        "broker_connected",
        "1 while the broker is connected; absent without one.",
        lambda now: None if now.broker is None else float(now.broker in {"connected", "denied"}),
    ),
    _Metric("journal_trouble", "1 while alarms are not kept on disk.", lambda now: float(bool(now.journal))),
)
COUNTERS = (
    _Metric("events", "Events that began.", lambda now: now.events),
    _Metric("faults", "Faults that began.", lambda now: now.faults_told),
    _Metric("gaps", "Stretches of missing samples.", lambda now: now.gaps),
    _Metric("overruns", "Times that the sound card lost samples.", lambda now: now.overruns),
    _Metric("reopened", "Times that the microphone was opened again.", lambda now: now.reopened),
    _Metric("windows_scored", "Windows that were scored.", lambda now: now.windows_scored),
    _Metric("windows_due", "Windows that should have been scored.", lambda now: now.windows_due),
    _Metric("dropped_seconds", "Sound that was dropped in overload.", lambda now: now.dropped_s),
    _Metric(
        "commands_rejected",
        "Commands over MQTT that were invalid, retained or too frequent.",
        lambda now: now.commands_rejected,
    ),
    _Metric("dropped_notices", "Lines that could not be written in time.", lambda now: now.dropped_notices),
)


class MetricsServer:
    """Answers each GET with the metrics of the moment, from a thread of its own; a context manager.

    Args:
        port: of 127.0.0.1; 0 for any that is free.
        state: the newest snapshot, from any thread; None before the first.

    Raises:
        MissingExtraError: prometheus-client is not installed.
        ServiceError: the port cannot be opened.
    """

    def __init__(self, port: int, state: Callable[[], DaemonState | None]) -> None:
        respond = _Responder(_app(state)).respond
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


def _app(state: Callable[[], DaemonState | None]) -> Any:
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
            yield from families(None if now is None else age.apply(now, time.monotonic()))

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(StateCollector())
    return make_wsgi_app(registry)


def families(now: DaemonState | None) -> Iterator[Any]:
    """The metric families of one state; without one, only that nothing is heard."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    yield GaugeMetricFamily("auricle_hearing", "1 where a cry would be heard.", value=float(bool(now and now.hears)))
    if now is None:
        return
    about = {"version": now.version, "name": now.instance, "source": now.source, "device": now.device}
    labels = {name: printable(text) for name, text in about.items()}  # a file name need not be UTF-8
    yield InfoMetricFamily("auricle", "What runs, and what it hears.", value=labels)
    for family, metrics in ((GaugeMetricFamily, GAUGES), (CounterMetricFamily, COUNTERS)):
        for metric in metrics:
            value = metric.value(now)
            if value is not None:
                yield family(f"auricle_{metric.name}", metric.help, value=value)
    yield _faults(now)
    yield from _labels(now)


def _faults(now: DaemonState) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily("auricle_fault", "1 where a fault of this kind is open.", labels=["kind"])
    open_kinds = {fault.kind for fault in now.faults}
    for kind in get_args(FaultKind):
        if kind != "gap":  # a gap is never open: it is counted
            family.add_metric([kind], float(kind in open_kinds))
    return family


def _labels(now: DaemonState) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    names = ["model", "label"]
    is_on = GaugeMetricFamily("auricle_label_on", "1 while the label is heard.", labels=names)
    alarms = GaugeMetricFamily("auricle_label_alarms", "1 while the schedule lets it raise alarms.", labels=names)
    score = GaugeMetricFamily("auricle_label_score", "Probability of the newest window.", labels=names)
    for label in now.labels:
        is_on.add_metric([label.model, label.label], float(label.on))
        alarms.add_metric([label.model, label.label], float(label.mode == "alarm"))
        if label.score is not None:
            score.add_metric([label.model, label.label], label.score)
    yield from (is_on, alarms, score)
