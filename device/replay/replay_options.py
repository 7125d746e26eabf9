"""What a replay is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device.config.settings import Settings


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What to replay with, and which results to write.

    Attributes:
        settings: from profile or file.
        models: shipped names or bundle files to use instead of the settings' own; empty for those.
        events: file of the event lines, `-` for standard output; None for no event lines.
        scores: file of the score table, likewise.
        labels: where label tracks are written: a file for one recording, a folder for several.
        report: where pages are written: a file for one recording, a folder for several.
        explain_s: second of each recording to explain; None for no explanation.
        realtime: take as long as the recording lasts.
        channel: to listen to, from 0; None for that of the settings.
        workers: number of processes; None for that of the settings.
        config: the file that the settings come from, which no result may overwrite; None for a profile.
        standard_input: path of what standard input gave; None if it is not heard.
    """

    settings: Settings
    models: tuple[str, ...] = ()
    events: str | None = None
    scores: str | None = None
    labels: str | None = None
    report: str | None = None
    explain_s: float | None = None
    realtime: bool = False
    channel: int | None = None
    workers: int | None = None
    config: str | None = None
    standard_input: str | None = None
