"""A daemon's state as Prometheus metrics, on a port of 127.0.0.1 and nowhere else.

Reads the same snapshot as `auricle status`. A figure that is not known is left out: it is never told as 0.
One thread serves one client after the other, so that no number of them costs the daemon more than that.
"""

from __future__ import annotations

import socketserver
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self, get_args
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from device.config.toml_text import printable
from device.errors import MissingExtraError, ServiceError
from device.messages import FaultKind
from device.runtime.daemon_state import Age

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device.runtime.daemon_state import DaemonState

ADDRESS = "127.0.0.1"

_TURN_S = 0.25
_CLIENT_S = 2.0
_JOIN_S = 2.0


class _Figure(NamedTuple):
    """One metric.

    Attributes:
        name: without the `auricle_` that all have, and the `_total` that a counter has.
        says: its line of help.
        of: its value; None where there is none to tell.
    """

    name: str
    says: str
    of: Callable[[DaemonState], float | None]


GAUGES = (
    _Figure(
        "state_age_seconds", "Age of what is told here; it grows where the main loop hangs.", lambda now: now.age_s
    ),
    _Figure("uptime_seconds", "Since the start, by a clock that never jumps.", lambda now: now.uptime_s),
    _Figure("listened_ratio", "Share of the time that was in a scored window.", lambda now: now.listened),
    _Figure("windows_ratio", "Share of the windows due that were scored.", lambda now: now.windows),
    _Figure("hop_seconds", "From one window to the next, now.", lambda now: now.hop_s),
    _Figure(
        "configured_hop_seconds", "From one window to the next, as it should be.", lambda now: now.configured_hop_s
    ),
    _Figure("backlog_seconds", "Sound that waits to be heard.", lambda now: now.backlog_s),
    _Figure("level_dbfs", "Root mean square of the last second; absent in silence.", lambda now: now.level_dbfs),
    _Figure("peak_dbfs", "Peak of the last second; absent in digital silence.", lambda now: now.peak_dbfs),
    _Figure("sample_rate_hertz", "At which is captured.", lambda now: now.sample_rate_hz),
    _Figure("alarms_open", "Alarms that are open.", lambda now: len(now.alarms)),
    _Figure(
        "alarms_unacknowledged",
        "Open alarms that nobody has acknowledged.",
        lambda now: sum(not alarm.acknowledged for alarm in now.alarms),
    ),
    _Figure(
        "alarms_owed", "Changes of alarms that no broker has acknowledged; absent without one.", lambda now: now.owed
    ),
    _Figure(
        "broker_connected",
        "1 while the broker is connected; absent without one.",
        lambda now: None if now.broker is None else float(now.broker in {"connected", "denied"}),
    ),
    _Figure("journal_trouble", "1 while alarms are not kept on disk.", lambda now: float(bool(now.journal))),
)
COUNTERS = (
    _Figure("events", "Events that began.", lambda now: now.events),
    _Figure("faults", "Faults that began.", lambda now: now.faults_told),
    _Figure("gaps", "Stretches of missing samples.", lambda now: now.gaps),
    _Figure("overruns", "Times that the sound card lost samples.", lambda now: now.overruns),
    _Figure("reopened", "Times that the microphone was opened again.", lambda now: now.reopened),
    _Figure("windows_scored", "Windows that were scored.", lambda now: now.windows_scored),
    _Figure("windows_due", "Windows that should have been scored.", lambda now: now.windows_due),
    _Figure("dropped_seconds", "Sound that was dropped in overload.", lambda now: now.dropped_s),
    _Figure("dropped_notices", "Lines that could not be told in time.", lambda now: now.dropped_notices),
)


class MetricsServer:
    """Answers each GET with the metrics of the moment, from a thread of its own; a context manager.

    Args:
        port: of 127.0.0.1; 0 for any that is free.
        state: the newest snapshot, from any thread; None before the first.

    Raises:
        MissingExtraError: prometheus-client is not installed.
        ServiceError: the port cannot be had.
    """

    def __init__(self, port: int, state: Callable[[], DaemonState | None]) -> None:
        app = _app(state)
        try:
            self._server = _Server((ADDRESS, port), _Handler)
        except OSError as error:
            why = error.strerror or error
            raise ServiceError(
                f"metrics cannot be had on port {port} of {ADDRESS} ({why}): set metrics_port in [status] to a free one"
            ) from None
        self._server.set_app(app)
        self._server.timeout = _TURN_S
        self.port: int = self._server.server_address[1]
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"MetricsServer({ADDRESS}:{self.port}, {'closed' if self._closed.is_set() else 'open'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the port go; idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._thread.join(_JOIN_S)
        self._server.server_close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._server.handle_request()


class _Server(WSGIServer):
    """One thread, and no look-up of names: without a network, that would take seconds."""

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs or leaves is none of our business."""


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gave it
        """A scrape every 15 s is no news."""


def _app(state: Callable[[], DaemonState | None]) -> Any:
    """A WSGI application."""
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
        from prometheus_client.registry import Collector
    except ImportError as error:
        raise MissingExtraError(f"metrics need {error.name}: pip install 'auricle[device]' brings it") from None
    age = Age()

    class StateCollector(Collector):
        """Makes all metrics anew each time that somebody asks."""

        def collect(self) -> Iterator[Any]:
            now = state()
            yield from families(None if now is None else age.told(now, time.monotonic()))

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(StateCollector())
    return make_wsgi_app(registry)


def families(now: DaemonState | None) -> Iterator[Any]:
    """The metric families of one state; of none it is told that nothing is heard."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    yield GaugeMetricFamily("auricle_hearing", "1 where a cry would be heard.", value=float(bool(now and now.hears)))
    if now is None:
        return
    about = {"version": now.version, "name": now.instance, "source": now.source, "device": now.device}
    said = {name: printable(text) for name, text in about.items()}  # a file name need not be UTF-8
    yield InfoMetricFamily("auricle", "What runs, and what it hears.", value=said)
    for kind, figures in ((GaugeMetricFamily, GAUGES), (CounterMetricFamily, COUNTERS)):
        for figure in figures:
            value = figure.of(now)
            if value is not None:
                yield kind(f"auricle_{figure.name}", figure.says, value=value)
    yield _faults(now)
    yield from _labels(now)


def _faults(now: DaemonState) -> Any:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily("auricle_fault", "1 where a fault of this kind is open.", labels=["kind"])
    there = {fault.kind for fault in now.faults}
    for kind in get_args(FaultKind):
        if kind != "gap":  # over when it is told: it is counted
            family.add_metric([kind], float(kind in there))
    return family


def _labels(now: DaemonState) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    names = ["model", "label"]
    is_on = GaugeMetricFamily("auricle_label_on", "1 while the label is heard.", labels=names)
    score = GaugeMetricFamily("auricle_label_score", "Probability of the newest window.", labels=names)
    for label in now.labels:
        is_on.add_metric([label.model, label.label], float(label.on))
        if label.score is not None:
            score.add_metric([label.model, label.label], label.score)
    yield from (is_on, score)
