"""The verb `listen`: its arguments, and the options of one daemon, checked before anything is opened.

Imports late: the command line is parsed without numpy or the daemon.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.runtime.command_line import add_settings_options

if TYPE_CHECKING:
    from device.config.settings import Settings

_SLOWEST, _FASTEST = 0.01, 1e6


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """How to listen.

    Attributes:
        config: a TOML file, read again on SIGHUP; None for the built-in profile.
        profile: name of the built-in profile; ignored if there is a file.
        instance: name of this daemon; None for the name of the file, or of the profile.
        recordings: files and folders that are played in place of a microphone.
        speed: playback speed relative to real time.
        loops: play the recordings over and over.
        sheds: widen the hop and drop audio in overload, as with a microphone, instead of slowing playback down.
    """

    config: str | None = None
    profile: str = "nursery"
    instance: str | None = None
    recordings: tuple[str, ...] = ()
    speed: float = 1.0
    loops: bool = False
    sheds: bool = False

    def settings(self) -> Settings:
        """Read the file, or return the profile.

        Raises:
            ConfigError: the file is invalid, or there is no such profile.
        """
        from device.config.loading import load_config, profile

        return load_config(self.config) if self.config else profile(self.profile)

    def instance_name(self) -> str:
        """Name of this daemon.

        Raises:
            ConfigError: the given name, or that of the file, is no valid instance name.
        """
        from device.runtime.paths import instance_name

        return instance_name(self.instance, config=self.config, profile=self.profile)

    def recording_paths(self) -> list[str]:
        """All recordings, in order, each named file opened once; a file found in a folder may still be unreadable.

        Raises:
            RecordingError: a folder holds no recording, or a named file is none.
        """
        from device.sources.recording import Recording
        from device.sources.recording_paths import find_recordings

        found = find_recordings(self.recordings)
        for path in found:
            if path in self.recordings:
                Recording(path).close()
        return found


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
