"""What a daemon is asked to do: the command line's choices, checked, before anything is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.config.settings import load_config, profile
from device.runtime.paths import instance_name
from device.sources.recording import Recording
from device.sources.recording_paths import find_recordings

if TYPE_CHECKING:
    from device.config.settings import Settings


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """How to listen.

    Attributes:
        config: a TOML file, read again on SIGHUP; None for the built-in profile.
        profile: of that name, where there is no file.
        instance: name of this daemon; None for that of the file, or of the profile.
        recordings: heard in place of a microphone; files and folders.
        speed: times as fast as they were recorded.
        loops: hear them over and over.
        sheds: widen the hop and drop sound where the machine cannot keep up, as with a microphone.
    """

    config: str | None = None
    profile: str = "nursery"
    instance: str | None = None
    recordings: tuple[str, ...] = ()
    speed: float = 1.0
    loops: bool = False
    sheds: bool = False

    def settings(self) -> Settings:
        """Read the file, or take the profile.

        Raises:
            ConfigError: it does not hold.
        """
        return load_config(self.config) if self.config else profile(self.profile)

    def instance_name(self) -> str:
        """Name of this daemon.

        Raises:
            ConfigError: the name given, or that of the file, cannot be one.
        """
        return instance_name(self.instance, config=self.config, profile=self.profile)

    def recording_paths(self) -> list[str]:
        """All recordings meant, in order; one of many in a folder may still turn out to be broken.

        Raises:
            RecordingError: a folder holds none, or a file that is named is none.
        """
        found = find_recordings(self.recordings)
        for path in found:
            if path in self.recordings:
                Recording(path).close()
        return found
