"""`auricle push`: sends alarms to phones until it is stopped; `auricle push test` sends one message now.

The composition root: knows the clocks, the signals and the service manager.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from device.config.loading import locating
from device.config.wording import listed, shown
from device.errors import AuricleError, ConfigError, ServiceError
from device.printable import printable
from device.push.notification import trial_notification
from device.push.push_process import PushPlaces, PushProcess
from device.push.services.delivery_error import DeliveryError
from device.push.services.service_opening import open_service
from device.runtime.clocks import Clocks, zone_of
from device.runtime.command_line import add_settings_options, chosen_settings
from device.runtime.paths import instance_name, journal_file, status_socket
from device.runtime.systemd_notify import Notifier, without_notify

if TYPE_CHECKING:
    import argparse

    from device.config.settings import Settings

RECEIPTS = "push.db"
"""Name of the file of receipts, beside the journal."""

_WATCHDOG_EVERY_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle push`."""
    parser.add_argument("action", nargs="?", choices=["test"], help="test: send one message now, and say what happened")
    parser.add_argument("name", nargs="?", metavar="NAME", help="the [[notify]] table to test (default: all)")
    parser.add_argument("--instance", metavar="NAME", help="of the daemon (default: the name of the file)")
    add_settings_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run `auricle push`; returns exit code 0.

    Raises:
        ConfigError: the configuration is invalid, or names nobody to notify.
        ServiceError: another one runs for this instance, or a test message was not accepted.
    """
    instance = instance_name(arguments.instance, config=arguments.config, profile=arguments.profile or "nursery")
    with locating(arguments.config):
        if arguments.action == "test":
            return send_trials(chosen_settings(arguments), instance, arguments.name)
        return _run_process(arguments, instance)


def send_trials(settings: Settings, instance: str, name: str | None) -> int:
    """Send a message to one rule, or to all, and print what became of it; returns exit code 0.

    Raises:
        ConfigError: no rule has the name, or there is none at all.
        ServiceError: a message was not accepted.
    """
    chosen = [(index, each) for index, each in enumerate(settings.notify) if name in {None, each.name}]
    if not chosen:
        there = listed([each.name for each in settings.notify]) if settings.notify else "none"
        raise ConfigError(f"no [[notify]] table is named {shown(name)}; there is {there}" if name else _NOBODY)
    failures = []
    for index, each in chosen:
        message = trial_notification(instance, each.name, utc_s=time.time(), zone=zone_of(settings.alarms.time_zone))
        try:
            open_service(each, index, acknowledge_key=b"").send(message)
        except (DeliveryError, ConfigError) as error:
            failures.append(f"{each.name}: {error}")
            continue
        print(f"{each.name}: {each.service} has accepted a test message; look at the phone")
    if failures:
        raise ServiceError("; ".join(failures))
    return 0


_NOBODY = "[[notify]] is missing in the configuration: nobody is to be notified, see docs/push.md"


def _run_process(arguments: argparse.Namespace, instance: str) -> int:
    """Until SIGTERM; SIGHUP reads the configuration anew, and keeps the old one where the new one does not hold."""
    requests = _Requests()
    notifier = Notifier.from_environment(os.environ)
    for variable in set(os.environ) - set(without_notify(os.environ)):
        del os.environ[variable]  # or a child could notify systemd in our name
    settings = _usable(chosen_settings(arguments))
    while True:
        with _opened(settings, instance) as process:
            notifier.ready(f"{len(settings.notify)} to notify")
            _turn_until(process, requests, notifier)
        if requests.stop.is_set():
            notifier.stopping()
            return 0
        requests.reload.clear()
        notifier.reloading()
        try:
            settings = _usable(chosen_settings(arguments))
        except AuricleError as error:
            _write_line(f"{error}; what was configured before is kept")


def _opened(settings: Settings, instance: str) -> PushProcess:
    journal = journal_file(instance) if settings.journal.file == "auto" else Path(str(settings.journal.file))
    places = PushPlaces(journal, journal.with_name(RECEIPTS), status_socket(instance))
    return PushProcess(
        settings,
        instance,
        places=places,
        clocks=Clocks(time.monotonic, time.time),
        zone=zone_of(settings.alarms.time_zone),
        write_line=_write_line,
    )


def _turn_until(process: PushProcess, requests: _Requests, notifier: Notifier) -> None:
    fed_s = float("-inf")
    while not requests.any_is_set():
        process.turn()
        now_s = time.monotonic()
        if now_s - fed_s >= _WATCHDOG_EVERY_S:
            fed_s = now_s
            notifier.watchdog()
        process.wait()


def _usable(settings: Settings) -> Settings:
    """The settings; raises ConfigError if they leave nothing to do, or no journal to follow."""
    if not settings.wants_push:
        raise ConfigError(_NOBODY)
    zone_of(settings.alarms.time_zone)
    return settings


class _Requests:
    """What signals ask for."""

    def __init__(self) -> None:
        self.stop, self.reload = threading.Event(), threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: self.stop.set())
        signal.signal(signal.SIGINT, lambda *_: self.stop.set())
        signal.signal(signal.SIGHUP, lambda *_: self.reload.set())

    def any_is_set(self) -> bool:
        return self.stop.is_set() or self.reload.is_set()


def _write_line(text: str) -> None:
    print(f"auricle push: {printable(text)}", file=sys.stderr, flush=True)
