"""`auricle ward`: shows the beds of a broker; `auricle ward acknowledge` says that an alarm was seen.

The composition root: knows the clocks, the terminal and the broker.
"""

from __future__ import annotations

import dataclasses
import getpass
import secrets
import signal
import sys
import threading
from typing import TYPE_CHECKING

from device.config.loading import load_config, locating
from device.config.settings import MqttSettings
from device.config.table_reader import read_settings
from device.errors import ConfigError
from device.runtime.command_line import bounded_number
from device.runtime.device_identity import machine_digest
from device.runtime.paths import checked_instance
from device.sinks.mqtt.connection import read_password
from device.ward.ward_process import ONCE, show_once, show_until
from device.ward.ward_screen import WardScreen
from device.ward.ward_state import SILENT_AFTER_S, Ward, checked_silence

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from device.sinks.mqtt.session_reader import Reader


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle ward`."""
    parser.add_argument("action", nargs="?", choices=["acknowledge"], help="say that an alarm was seen")
    parser.add_argument("bed", nargs="?", metavar="BED", help="whose alarm is acknowledged")
    parser.add_argument("alarm", nargs="?", metavar="ALARM", help="its id, as the table shows it (default: all)")
    parser.add_argument("--config", metavar="FILE", help="a TOML file whose table [mqtt] names the broker")
    parser.add_argument("--broker", metavar="HOST", help="the broker, instead of that of the file")
    parser.add_argument("--topic-prefix", metavar="TOPIC", help="what every topic begins with (default: as configured)")
    parser.add_argument("--only", action="append", default=[], metavar="BED", help="follow this bed; may be repeated")
    parser.add_argument(
        "--id", default="ward", metavar="NAME", help="of this reader; each needs its own (default: ward)"
    )
    seconds = f"a bed without a message for so long is silent (default: {SILENT_AFTER_S:g} s)"
    parser.add_argument("--silent-after", type=_seconds, default=SILENT_AFTER_S, metavar="SECONDS", help=seconds)
    parser.add_argument("--once", action="store_true", help="print what the broker knows now, and end")
    parser.add_argument("--json", action="store_true", help="as JSON, one line for each change")
    parser.add_argument("--by", metavar="NAME", help="who acknowledges (default: this user)")


def run(arguments: argparse.Namespace) -> int:
    """Run `auricle ward`; returns its exit code.

    Raises:
        ConfigError: an option or the configuration is invalid, or names no broker.
        ServiceError: with `--once` or to acknowledge, the broker or the bed does not answer.
        MissingExtraError: no MQTT library is installed.
    """
    _check(arguments)
    with locating(arguments.config):
        settings = _mqtt_settings(arguments)
        if arguments.action == "acknowledge":
            return _acknowledge(arguments, settings)
        beds = [checked_instance(name) for name in arguments.only]
        ward = Ward(settings.topic, silent_after_s=arguments.silent_after, expected=beds)
        screen = WardScreen(sys.stdout, as_json=arguments.json)
        reader = _reader(settings, ward, name=checked_instance(arguments.id), keeps_session=not arguments.once)
    with reader:
        if arguments.once:
            return show_once(reader, ward, screen)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        show_until(stop.is_set, reader, ward, screen)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.action and not arguments.bed:
        raise ConfigError("name the bed whose alarm was seen: auricle ward acknowledge BED")
    checked_silence(arguments.silent_after)


def _seconds(text: str) -> float:
    return bounded_number(
        text, -1e9, 1e9, "no number of seconds"
    )  # its bounds are reported with those of other options


def _mqtt_settings(arguments: argparse.Namespace) -> MqttSettings:
    """Those of the file; an option overrules its key."""
    settings = load_config(arguments.config).mqtt if arguments.config else MqttSettings()
    given = {"host": arguments.broker, "topic": arguments.topic_prefix}
    options = {key: value for key, value in given.items() if value is not None}
    read, problems = read_settings(MqttSettings, options)
    if problems:
        raise ConfigError(problems[0].sentence)
    settings = dataclasses.replace(settings, **{key: getattr(read, key) for key in options})
    if settings.host is None:
        raise ConfigError("no broker is named: give --broker HOST, or a --config FILE with host in [mqtt]")
    return settings


def _reader(settings: MqttSettings, ward: Ward, *, name: str, keeps_session: bool) -> Reader:
    """A reader for what the ward needs; one that keeps no session has an id that nobody else has."""
    from device.sinks.mqtt.session_reader import Reader  # paho takes a tenth of a second to import

    own = machine_digest(f"ward {name}") if keeps_session else secrets.token_hex(4)
    return Reader(
        settings,
        read_password(settings),
        client_id=f"auricle-{name}-{own}",
        subscriptions=ward.subscriptions(),
        keeps_session=keeps_session,
    )


def _acknowledge(arguments: argparse.Namespace, settings: MqttSettings) -> int:
    from device.ward.acknowledging import acknowledge

    bed = checked_instance(arguments.bed)
    ward = Ward(settings.topic, expected=[bed])
    with _reader(settings, ward, name=ONCE, keeps_session=False) as reader:
        seen = acknowledge(
            reader,
            ward,
            topic=f"{settings.topic}/{bed}/command/acknowledge",
            alarm_id=arguments.alarm,
            by=_person(arguments),
        )
    _print(seen)
    return 0


def _person(arguments: argparse.Namespace) -> str:
    return arguments.by or getpass.getuser()


def _print(lines: Sequence[str]) -> None:
    for line in lines:
        print(line)
