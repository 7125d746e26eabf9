"""The options of one daemon: its configuration, its name and what it hears, checked before anything is opened.

Imports late: the command line is parsed without numpy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device.config.settings import Settings
    from device.sources.streams.sample_format import SampleFormat


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """How to listen.

    Attributes:
        config: a TOML file, read again on SIGHUP; None for the built-in profile.
        profile: name of the built-in profile; ignored if there is a file.
        instance: name of this daemon; None for the name of the file, or of the profile.
        recordings: files and folders that are played in place of a microphone.
        stream: address of a stream that is heard in place of the configured microphone, without a login.
        reads_input: standard input is heard in place of a microphone.
        raw: format of bare samples on standard input; None for a WAV.
        speed: playback speed relative to real time.
        loops: play the recordings over and over.
        sheds: widen the hop and drop audio in overload, as with a microphone, instead of slowing playback down.
    """

    config: str | None = None
    profile: str = "nursery"
    instance: str | None = None
    recordings: tuple[str, ...] = ()
    stream: str | None = None
    reads_input: bool = False
    raw: SampleFormat | None = None
    speed: float = 1.0
    loops: bool = False
    sheds: bool = False

    def settings(self) -> Settings:
        """Read the file, or return the profile.

        Raises:
            ConfigError: the file is invalid, or there is no such profile.
        """
        from device.config.loading import load_config, profile
        from device.config.microphone.microphone_settings import MicrophoneSettings

        settings = load_config(self.config) if self.config else profile(self.profile)
        if self.stream is None:
            return settings
        # The login of the configured one is not for this one.
        microphone = MicrophoneSettings(device=self.stream, channel=settings.microphone.channel)
        return replace(settings, microphone=microphone)

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
        from device.runtime.stderr_lines import print_notice
        from device.sources.recording import Recording
        from device.sources.recording_paths import find_recordings

        found = find_recordings(self.recordings)
        for path in found.paths:
            if path in self.recordings:
                Recording(path).close()
        for notice in found.notices:
            print_notice(notice)
        return found.paths
