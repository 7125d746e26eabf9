"""A daemon's state as Prometheus metric families. Pure.

Reads the same snapshot as `auricle status`. An unknown value is omitted, never exported as 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from device.messages import FaultKind
from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device.runtime.daemon_state import DaemonState
    from device.runtime.metrics.machine_figures import MachineFigures


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
    _Metric(
        "window_age_seconds",
        "Since a model scored a window; absent before the first.",
        lambda now: None if now.window_age_s is None else now.window_age_s + now.age_s,
    ),
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
    _Metric(
        "listening_in",
        "People who listen in now; absent where that is off.",
        lambda now: None if now.listening_in is None else len(now.listening_in),
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
    _Metric("alarms_delivered", "Changes of alarms that the broker has acknowledged.", lambda now: now.delivered),
    _Metric(
        "alarms_delivered_late",
        "Of these, the ones that were late, or for which nobody knows whether they were.",
        lambda now: now.delivered_late,
    ),
    _Metric("dropped_notices", "Lines that could not be written in time.", lambda now: now.dropped_notices),
)


def families(now: DaemonState | None, machine: MachineFigures) -> Iterator[Any]:
    """The metric families of one state and one machine; without a state, of the daemon only that nothing is heard.

    Args:
        now: with its age; None before the first.
        machine: on which it runs.
    """
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    yield GaugeMetricFamily("auricle_hearing", "1 where a cry would be heard.", value=float(bool(now and now.hears)))
    yield from _machine(machine)
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
    yield _models(now)
    yield _faults(now)
    yield from _labels(now)


def _machine(machine: MachineFigures) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    if machine.hottest_c is not None:
        help_line = "Of the machine, at its hottest sensor; absent where there is none."
        yield GaugeMetricFamily("auricle_temperature_celsius", help_line, value=machine.hottest_c)
    free = GaugeMetricFamily("auricle_disk_free_bytes", "Room on the disk that holds this.", labels=["holds"])
    for name, free_bytes in machine.free_bytes.items():
        free.add_metric([name], float(free_bytes))
    yield free


def _models(now: DaemonState) -> Any:
    """One sample for each model, so that a server can compare those of many devices."""
    from prometheus_client.core import InfoMetricFamily

    family = InfoMetricFamily("auricle_model", "What detects, and the hash of its file.", labels=["model"])
    for listed, sha256 in zip(now.models, now.bundles, strict=False):
        name, _, version = listed.rpartition(" ")
        family.add_metric([printable(name)], {"version": printable(version), "sha256": sha256})
    return family


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
