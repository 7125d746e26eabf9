"""`auricle listen`: runs one daemon until it is stopped, or its recordings end.

Imports late: the command line is parsed without numpy or the daemon.
"""

from __future__ import annotations

import argparse

from device.daemon.options import ListenOptions
from device.errors import ConfigError
from device.runtime.command_line import add_settings_options

_SLOWEST, _FASTEST = 0.01, 1e6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `auricle listen`."""
    add_settings_options(parser)
    parser.add_argument("--instance", metavar="NAME", help="name of this daemon (default: that of the file)")
    played = parser.add_argument_group("without a microphone")
    played.add_argument("--source", metavar="FILE_OR_DIR", nargs="+", default=[], help="hear recordings instead")
    played.add_argument("--speed", metavar="N", type=_speed, default=1.0, help="times as fast (default: 1)")
    played.add_argument("--loop", action="store_true", help="hear them over and over")
    played.add_argument("--shed", action="store_true", help="fall behind as with a microphone: hear less, never late")


def run(arguments: argparse.Namespace) -> int:
    """Run the daemon that the parsed arguments describe; returns its exit code.

    Raises:
        AuricleError: the arguments contradict each other, or the daemon cannot start.
    """
    options = _options(arguments)

    from device.daemon.app import listen

    return listen(options)


def _options(arguments: argparse.Namespace) -> ListenOptions:
    if not arguments.source and (arguments.speed != 1.0 or arguments.loop or arguments.shed):
        raise ConfigError("--speed, --loop and --shed are for recordings; name some with --source")
    from device.config.profiles import DEFAULT_PROFILE

    return ListenOptions(
        config=arguments.config,
        profile=arguments.profile or DEFAULT_PROFILE,
        instance=arguments.instance,
        recordings=tuple(arguments.source),
        speed=arguments.speed,
        loops=arguments.loop,
        sheds=arguments.shed,
    )


def _speed(text: str) -> float:
    """The value of --speed, in [0.01, 1000000] times real time."""
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if _SLOWEST <= speed <= _FASTEST:
        return speed
    raise argparse.ArgumentTypeError(f"{text!r} is not a speed, 0.01 to 1000000 times the recordings'")
