"""The settings of `[watcher]`: the service elsewhere that notices when the daemon falls silent."""

from __future__ import annotations

from dataclasses import dataclass

from device.config.kinds import Number, OrKeyword, Text
from device.config.schema import TableSettings, key

_FILE = Text(r".*\S.*", "the path of a file")


@dataclass(frozen=True, slots=True)
class WatcherSettings(TableSettings):
    """A service elsewhere that notices silence; auricle push calls it while the daemon hears.

    Attributes:
        url_file: None for no service.
    """

    url_file: str | None = key(
        None, OrKeyword(_FILE, "off"), 'File with the URL; "credential" for the systemd credential watcher-url.'
    )
    every_s: float = key(60.0, Number(10.0, 3600.0, "s"), "From one call to the next.")
