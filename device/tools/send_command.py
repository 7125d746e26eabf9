"""`auricle acknowledge`, `pause`, `resume`, `self-test` and `mode`: send a command to a daemon that runs here.

The command goes through the daemon's local socket, which lets in its user, its group and root.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, get_args

from device.commands import MAX_PAUSE_S
from device.config.wording import listed, shown
from device.errors import CommandError, ServiceError
from device.messages import ModeSwitch
from device.printable import printable
from device.runtime.command_line import bounded_number
from device.runtime.paths import checked_instance, command_socket, status_socket, status_sockets
from device.runtime.sockets.command_socket import send_command
from device.runtime.sockets.status_socket import read_status

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from device.runtime.daemon_state import AlarmStatus, DaemonState

_MAX_PAUSE_MIN = MAX_PAUSE_S / 60.0


def add_acknowledge_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle acknowledge`."""
    _add_common(parser, "acknowledge")
    parser.add_argument("alarm", metavar="ALARM", nargs="?", help="an open alarm's name or id (default: all open ones)")


def add_pause_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle pause`."""
    _add_common(parser, "pause")
    parser.add_argument("minutes", metavar="MINUTES", type=_minutes, help=f"up to {_MAX_PAUSE_MIN:g}")


def add_resume_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle resume`."""
    _add_common(parser, "resume")


def add_self_test_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle self-test`."""
    _add_common(parser, "self_test")


def add_mode_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle mode`."""
    _add_common(parser, "mode")
    parser.add_argument("label", metavar="LABEL", help="a label that [schedule.LABEL] gives a switch")
    parser.add_argument("mode", choices=get_args(ModeSwitch), help="what it does from now on; auto: what its hours say")


def run(arguments: argparse.Namespace) -> int:
    """Send the command, and print what was done; returns exit code 0.

    Raises:
        ConfigError: the name is not valid for an instance.
        ServiceError: no daemon runs here, several do and none is named, or it does not answer.
        CommandError: the daemon did not do it; or no open alarm, or several, have the given name.
    """
    return command_daemon(arguments.command, arguments, os.environ)


def command_daemon(command: str, arguments: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """As `run`.

    Args:
        command: as the daemon names it.
        arguments: of the verb.
        environment: names the user's folders.
    """
    status = _chosen_daemon(arguments.instance, environment)
    outcome = send_command(command_socket(status), command, _payload(command, arguments, status))
    if not outcome.done:
        raise CommandError(outcome.sentence)
    print(outcome.sentence, file=sys.stdout)
    return 0


def _payload(command: str, arguments: argparse.Namespace, status: Path) -> dict[str, Any]:
    if command == "pause":
        return {"duration_s": 60.0 * arguments.minutes}
    if command == "acknowledge" and arguments.alarm is not None:
        return {"alarm_id": _alarm_id(arguments.alarm, read_status(status))}
    if command == "mode":
        return {"label": arguments.label, "mode": arguments.mode}
    return {}


def _alarm_id(wanted: str, state: DaemonState) -> str:
    """The id of the open alarm with this id or name; what is wanted itself if none has it, for the daemon to judge.

    A state may be half a second old.

    Raises:
        CommandError: several have the name.
    """
    found = [alarm for alarm in state.alarms if wanted in {alarm.alarm_id, alarm.name, _name(alarm)}]
    if len(found) > 1:
        ids = " or ".join(printable(alarm.alarm_id) for alarm in found)
        raise CommandError(f"several open alarms are named {shown(wanted)}: give the id, {ids}")
    return found[0].alarm_id if found else wanted


def _name(alarm: AlarmStatus) -> str:
    return f"{alarm.name} ({alarm.model})" if alarm.model else alarm.name


def _chosen_daemon(instance: str | None, environment: Mapping[str, str]) -> Path:
    """The status socket of the daemon that is named, or of the only one that runs here."""
    sockets = status_sockets(environment)
    if instance is not None:
        name = checked_instance(instance)
        return sockets.get(name) or status_socket(name, environment)
    running = sockets if len(sockets) < 2 else {name: path for name, path in sockets.items() if _runs(path)}
    if not running:
        raise ServiceError("no daemon runs here; auricle listen starts one")
    if len(running) > 1:
        raise ServiceError(f"several daemons run here, {listed(list(running))}: name one with --instance")
    return next(iter(running.values()))


def _runs(status: Path) -> bool:
    """Whether a daemon answers at a status socket, and this user may ask it."""
    with contextlib.suppress(ServiceError):
        read_status(status)
        return True
    return False


def _add_common(parser: argparse.ArgumentParser, command: str) -> None:
    parser.set_defaults(command=command)
    parser.add_argument("--instance", metavar="NAME", help="which daemon (default: the only one that runs here)")


def _minutes(text: str) -> float:
    """The value of MINUTES, 1 s to `_MAX_PAUSE_MIN`."""
    return bounded_number(text, 1.0 / 60.0, _MAX_PAUSE_MIN, f"no number of minutes, up to {_MAX_PAUSE_MIN:g}")
