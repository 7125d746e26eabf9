"""`auricle listen`: runs one daemon until it is stopped, or its recordings or standard input end.

Imports late: the command line is parsed without numpy or the daemon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.options import ListenOptions
from device.errors import ConfigError
from device.runtime.command_line import add_settings_options, bounded_number

if TYPE_CHECKING:
    import argparse

    from device.sources.streams.sample_format import SampleFormat

STANDARD_INPUT = "-"

_SLOWEST, _FASTEST = 0.01, 1e6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `auricle listen`."""
    add_settings_options(parser)
    parser.add_argument("--instance", metavar="NAME", help="name of this daemon (default: that of the file)")
    played = parser.add_argument_group("without a microphone")
    played.add_argument(
        "--source",
        metavar="SOURCE",
        nargs="+",
        default=[],
        help="hear recordings (files, folders), a stream (rtsp://HOST/PATH), or standard input (-) instead",
    )
    played.add_argument(
        "--raw", metavar="FORMAT,RATE[,CHANNELS]", help="standard input is bare samples, as s16le,16000 (default: WAV)"
    )
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
    from device.config.profiles import DEFAULT_PROFILE

    live = _live_source(arguments.source)
    recordings = () if live is not None else tuple(arguments.source)
    if not recordings and (arguments.speed != 1.0 or arguments.loop or arguments.shed):
        raise ConfigError("--speed, --loop and --shed are for recordings; name some with --source")
    if arguments.raw is not None and live != STANDARD_INPUT:
        raise ConfigError("--raw says what standard input is; name that with --source -")
    return ListenOptions(
        config=arguments.config,
        profile=arguments.profile or DEFAULT_PROFILE,
        instance=arguments.instance,
        recordings=recordings,
        stream=live if live != STANDARD_INPUT else None,
        reads_input=live == STANDARD_INPUT,
        raw=_raw(arguments.raw),
        speed=arguments.speed,
        loops=arguments.loop,
        sheds=arguments.shed,
    )


def _live_source(sources: list[str]) -> str | None:
    """The stream or standard input that is named; None if there is none.

    Raises:
        ConfigError: it is not named alone, or is a wrong address.
    """
    from device.config.microphone.stream_address import address_mistake, is_stream

    live = [source for source in sources if source == STANDARD_INPUT or is_stream(source)]
    if not live:
        return None
    if len(sources) > 1:
        raise ConfigError("--source names a stream or standard input beside something else; it can be heard alone")
    mistake = None if live[0] == STANDARD_INPUT else address_mistake(live[0])
    if mistake is not None:
        raise ConfigError(f"the address after --source {mistake}")
    return live[0]


def _raw(text: str | None) -> SampleFormat | None:
    if text is None:
        return None
    from device.sources.streams.sample_format import parse_raw

    return parse_raw(text)


def _speed(text: str) -> float:
    """The value of --speed, in [0.01, 1000000] times real time."""
    return bounded_number(text, _SLOWEST, _FASTEST, "not a speed, 0.01 to 1000000 times the recordings'")
