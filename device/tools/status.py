"""`auricle status`: the state of running daemons as text for people, or as JSON.

The text says first whether the daemon hears, then the figures, then the faults and their cures.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from device.alarms.label_modes import mode_words
from device.errors import ServiceError
from device.fault_info import FAULTS
from device.printable import printable
from device.quantity import quantity
from device.runtime.daemon_state import to_json
from device.runtime.paths import checked_instance, status_socket, status_sockets
from device.runtime.sockets.status_socket import read_status
from device.runtime.verdict import since_text, verdict_of
from device.tools.level_text import level_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import TextIO

    from device.runtime.daemon_state import AlarmStatus, DaemonState, LabelStatus

HEARS, DEAF, ABSENT = 0, 1, 2
"""Exit codes: it hears; it runs but does not hear; no daemon answers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle status`."""
    parser.add_argument("--instance", metavar="NAME", help="one daemon (default: all that run here)")
    parser.add_argument("--json", action="store_true", help="as JSON, one object a line")


def run(arguments: argparse.Namespace) -> int:
    """Run `auricle status`; returns its exit code. Raises what `show_status` raises."""
    return show_status(arguments.instance, as_json=arguments.json, out=sys.stdout)


def show_status(
    instance: str | None, *, as_json: bool, out: TextIO, environment: Mapping[str, str] = os.environ
) -> int:
    """Print the state of one instance, or of all that run here; returns the highest of their exit codes.

    Raises:
        ConfigError: the name is not valid for an instance.
        ServiceError: no daemon runs here, or the one named does not answer.
    """
    sockets = _chosen_sockets(instance, environment)
    if len(sockets) == 1:
        return max(_show(read_status(path), as_json=as_json, out=out, environment=environment) for path in sockets)
    return max(_show_or_report(path, as_json=as_json, out=out, environment=environment) for path in sockets)


def _chosen_sockets(instance: str | None, environment: Mapping[str, str]) -> list[Path]:
    sockets = status_sockets(environment)
    if instance is not None:
        name = checked_instance(instance)
        return [sockets.get(name) or status_socket(name, environment)]
    if not sockets:
        raise ServiceError("no daemon runs here; auricle listen starts one")
    return list(sockets.values())


def _show_or_report(path: Path, *, as_json: bool, out: TextIO, environment: Mapping[str, str]) -> int:
    """One of several daemons: if it does not answer, the others are still shown."""
    try:
        return _show(read_status(path), as_json=as_json, out=out, environment=environment)
    except ServiceError as error:
        print(f"auricle: {error}", file=sys.stderr)
        return ABSENT


def _show(state: DaemonState, *, as_json: bool, out: TextIO, environment: Mapping[str, str]) -> int:
    colour = out.isatty() and not environment.get("NO_COLOR")
    lines = [to_json(state)] if as_json else status_lines(state, time.time(), colour=colour)
    for line in lines:
        print(line, file=out)
    return HEARS if state.hears else DEAF


def status_lines(state: DaemonState, now_utc_s: float, *, colour: bool = False) -> Iterator[str]:
    """Lines of text for one daemon: first whether it hears, then the figures, then the faults and their cures.

    Args:
        state: the snapshot that the daemon reported.
        now_utc_s: current time of day.
        colour: colour the first line with a terminal's escape sequences.
    """
    verdict = verdict_of(state, now_utc_s)
    yield f"{state.instance}  {_coloured(verdict, good=state.hears) if colour else verdict}"
    for name, text in _figures(state, now_utc_s):
        yield f"  {name:<11} {text}"
    for fault in state.faults:
        yield f"  FAULT       {fault.kind} since {since_text(fault.since_utc_s, now_utc_s)}: {printable(fault.detail)}"
        yield f"              what to do: {FAULTS[fault.kind].cure}"


def _figures(state: DaemonState, now_utc_s: float) -> Iterator[tuple[str, str]]:
    rate = f", {state.sample_rate_hz} Hz" if state.sample_rate_hz else ""
    device = f" ({printable(state.device)})" if state.device else ""
    yield "source", f"{printable(state.source)}{device}{rate}"
    yield "level", level_text(state.level_dbfs, state.peak_dbfs)
    scored = f"{state.windows_scored} of {state.windows_due} since the start"
    yield "listened", f"{_percent(state.listened)} of the time, {_percent(state.windows)} of the windows ({scored})"
    yield "hop", _hop(state)
    for label in state.labels:
        yield "label", _label(label, now_utc_s)
    yield (
        "events",
        f"{state.events} since the start" + (f"; last: {printable(state.last_event)}" if state.last_event else ""),
    )
    for alarm in state.alarms:
        yield "ALARM", _alarm(alarm)
    if state.paused:
        yield "paused", "lights show alarms, and nothing sounds"
    yield "delivery", _delivery(state)
    if state.listening_in is not None:
        yield "listened in", _listening_in(state.listening_in)
    if state.push is not None:
        yield "push", printable(state.push)
    yield "counted", _counted(state)
    models = ", ".join(printable(model) for model in state.models)
    started = since_text(state.told_utc_s - state.uptime_s, now_utc_s)
    yield "running", f"auricle {printable(state.version)} with {models}; process {state.pid}, since {started}"


def _hop(state: DaemonState) -> str:
    widened = state.hop_s > state.configured_hop_s
    text = f"a window every {state.hop_s:g} s"
    if widened:
        text += f" instead of {state.configured_hop_s:g} s: the machine cannot keep up"
    backlog = f"{state.backlog_s:.1f} s of sound wait"
    return f"{text}; {backlog}" + (f", {state.dropped_s:.1f} s were dropped" if state.dropped_s else "")


def _label(label: LabelStatus, now_utc_s: float) -> str:
    score = "no score yet" if label.score is None else f"score {label.score:.2f}"
    since = "" if label.since_utc_s is None else f" since {since_text(label.since_utc_s, now_utc_s)}"
    state = f"{'ON' if label.on else 'off'}{since}, {score}{_sensitivity(label)}{_mode(label)}"
    return f"{printable(label.label)} ({printable(label.model)}): {state}"


def _sensitivity(label: LabelStatus) -> str:
    """The sensitivity, unless it is the model's own; and the configured one, if a command has set another."""
    value, configured = label.sensitivity, label.configured_sensitivity
    if value != configured:
        return f", sensitivity {value:+d} set by a command, where the configuration says {configured:+d}"
    return f", sensitivity {value:+d}" if value else ""


def _mode(label: LabelStatus) -> str:
    """What it does and why, unless nothing is scheduled for it."""
    return "" if label.mode_cause == "always" else f"; it {mode_words(label.mode, label.mode_cause)}"


def _alarm(alarm: AlarmStatus) -> str:
    about = f"{alarm.name} ({alarm.model})" if alarm.model else alarm.name
    seen = ", acknowledged" if alarm.acknowledged else ""
    return f"{alarm.priority} {printable(about)}: {alarm.state}{seen}; {printable(alarm.detail)}"


def _delivery(state: DaemonState) -> str:
    kept = f"alarms are NOT kept: {printable(state.journal)}" if state.journal else "alarms are kept"
    if state.broker is None:
        return f"{kept}; no broker is configured"
    owed = quantity(state.owed, "change of an alarm is", "changes of alarms are") if state.owed else "nothing is"
    why = f" ({printable(state.broker_reason)})" if state.broker_reason else ""
    return f"{kept}; broker {printable(state.broker)}{why}, {owed} owed to it"


def _listening_in(people: tuple[str, ...]) -> str:
    return f"by {len(people)}: {', '.join(map(printable, people))}" if people else "by nobody now"


def _counted(state: DaemonState) -> str:
    counts = {
        "faults": state.faults_told,
        "gaps": state.gaps,
        "overruns": state.overruns,
        "reopened": state.reopened,
        "lines dropped": state.dropped_notices,
    }
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _percent(share: float | None) -> str:
    """A share in percent, truncated: 100 % means all of it."""
    return "-" if share is None else f"{int(share * 1000 + 1e-6) / 10:.1f} %"


def _coloured(text: str, *, good: bool) -> str:
    return f"\x1b[{32 if good else 31}m{text}\x1b[0m"
