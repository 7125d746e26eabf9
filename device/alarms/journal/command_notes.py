"""What people asked of the daemon, as the journal keeps it: the newest 500 commands, each with who, when and outcome.

Each command is a note of its own, `command.017`, in a ring; the note `commands` counts them all. So the record needs no
table of its own, is bounded, and has the checksums of all notes. Knows no way by which a command arrives.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNT_KEY = "commands"
"""Key of the note that counts all commands."""

KEY_PREFIX = "command."
KEPT = 500

_MOST_CHARACTERS = 300  # of a sentence


class NoteKeeper(Protocol):
    """Whatever keeps notes."""

    def set_note(self, key: str, value: str) -> None:
        """Keep a fact under a name."""


@dataclass(frozen=True, slots=True)
class CommandNote:
    """One command.

    Attributes:
        number: counts all commands of this journal, from 1.
        utc_s: when it was carried out.
        by: who asked.
        command: acknowledge, pause, resume, self_test, sensitivity, mode, reload or listen_in.
        done: whether it was carried out.
        sentence: what became of it.
    """

    number: int
    utc_s: float
    by: str
    command: str
    done: bool
    sentence: str


class CommandLog:
    """Notes each command; those that come before the journal has opened are noted when it has."""

    def __init__(self) -> None:
        self._count: int | None = None
        self._waiting: deque[CommandNote] = deque(maxlen=KEPT)

    def __repr__(self) -> str:
        return f"CommandLog({self._count}, {len(self._waiting)} waiting)"

    def add(self, note: CommandNote, keeper: NoteKeeper) -> None:
        """Note a command; its number is set here."""
        self._waiting.append(note)
        self._write(keeper)

    def restore(self, count: str | None, keeper: NoteKeeper) -> None:
        """Go on from the count that a journal holds; None if it holds none."""
        found = int(count) if count is not None and count.isascii() and count.isdigit() else 0
        self._count = max(found, self._count or 0)
        self._write(keeper)

    def _write(self, keeper: NoteKeeper) -> None:
        while self._waiting and self._count is not None:
            self._count += 1
            members = asdict(self._waiting.popleft()) | {"number": self._count}
            members["sentence"] = members["sentence"][:_MOST_CHARACTERS]
            keeper.set_note(f"{KEY_PREFIX}{self._count % KEPT:03}", json.dumps(members))
            keeper.set_note(COUNT_KEY, str(self._count))


def parse_command_notes(values: Iterable[str]) -> list[CommandNote]:
    """The notes as they were written, oldest first; one that another version wrote otherwise is left out."""
    found = (_parsed(value) for value in values)
    return sorted((note for note in found if note is not None), key=lambda note: note.number)


def _parsed(value: str) -> CommandNote | None:
    try:
        members: Any = json.loads(value)
    except ValueError:
        return None
    match members:
        case {
            "number": int(number),
            "utc_s": int() | float() as utc_s,
            "by": str(by),
            "command": str(command),
            "done": bool(done),
            "sentence": str(sentence),
        }:
            return CommandNote(number, float(utc_s), by, command, done, sentence)
    return None
