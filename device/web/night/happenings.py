"""Gathers what happened in a stretch of time, from the journal and the folder of clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.alarms.journal.command_notes import KEY_PREFIX, parse_command_notes
from device.alarms.journal.reading import read_notes, read_rows_between
from device.errors import JournalError
from device.web.night.alarm_stories import alarm_stories
from device.web.night.clip_files import clips_between

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from device.alarms.journal.command_notes import CommandNote
    from device.alarms.journal.entries import Row
    from device.web.night.alarm_stories import AlarmStory
    from device.web.night.clip_files import ClipFile

MOST_CHANGES = 2000
"""Of a night that are shown; with more, the newest."""

NO_JOURNAL = 'no journal is kept: [journal] has file = "off", so no alarm of the past is known'


@dataclass(frozen=True, slots=True)
class Happened:
    """What is known of a stretch of time.

    Attributes:
        stories: of its alarms.
        commands: what people asked for.
        clips: sounds and pictures; none where clips are off.
        problem: why something is missing; empty if nothing is.
    """

    stories: Sequence[AlarmStory]
    commands: Sequence[CommandNote]
    clips: Sequence[ClipFile]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Happenings:
    """Where to look.

    Attributes:
        journal: its path now; None if none is kept.
        clips: folder of clips; None if there are none.
    """

    journal: Callable[[], Path] | None
    clips: Path | None

    def rows(self, from_utc_s: float, until_utc_s: float) -> list[Row]:
        """The changes of a stretch of time.

        Raises:
            JournalError: they cannot be read, or no journal is kept.
        """
        return read_rows_between(self._journal(), from_utc_s, until_utc_s, MOST_CHANGES)

    def commands(self, from_utc_s: float, until_utc_s: float) -> list[CommandNote]:
        """What people asked for in a stretch of time; raises as `rows`."""
        notes = parse_command_notes(read_notes(self._journal(), KEY_PREFIX))
        return [note for note in notes if from_utc_s <= note.utc_s < until_utc_s]

    def between(self, from_utc_s: float, until_utc_s: float) -> Happened:
        """Everything of a stretch of time; what cannot be read is missing, and the problem says so."""
        problem = ""
        rows: list[Row] = []
        commands: list[CommandNote] = []
        try:
            rows = self.rows(from_utc_s, until_utc_s)
            commands = self.commands(from_utc_s, until_utc_s)
        except JournalError as error:
            problem = str(error)
        if len(rows) == MOST_CHANGES:
            problem = f"there were more than {MOST_CHANGES} changes of alarms: the oldest are left out"
        return Happened(
            stories=alarm_stories(row.entry for row in rows),
            commands=commands,
            clips=[] if self.clips is None else clips_between(self.clips, from_utc_s, until_utc_s),
            problem=problem,
        )

    def _journal(self) -> Path:
        if self.journal is None:
            raise JournalError(NO_JOURNAL)
        return self.journal()
