"""What is to be done now, and how far it is: a line that is redrawn on a terminal, and nothing of it elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from device.report.markup import clock

if TYPE_CHECKING:
    from typing import TextIO

ROOM = "1 of 2: the room as it is. Leave it as at night, night noise on. Ctrl-C goes on with what was measured."
PLAYED = (
    "2 of 2: play the signal where the child's head lies, as loud as the player can, to its end. "
    "(auricle calibrate --signal signal.wav writes it.) Ctrl-C goes on without it."
)


class ProgressLine:
    """Shows it, on stderr.

    Args:
        stream: where.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_drawn = False

    def say(self, sentence: str) -> None:
        """A line of its own, wherever it goes."""
        self.end()
        self._stream.write(f"{sentence}\n")
        self._stream.flush()

    def show(self, seconds: float, of_s: float, level_dbfs: float | None, problem: str) -> None:
        """How far it is, on a terminal."""
        if self._stream.isatty():
            level = "no signal" if level_dbfs is None else f"{level_dbfs:.1f} dBFS"
            text = f"{clock(seconds, 0)} of {clock(of_s, 0)}  {problem or level}"
            self._stream.write(f"\r{text[:100]}\x1b[K")
            self._stream.flush()
            self._is_drawn = True

    def interrupted(self) -> None:
        """Ctrl-C ends a part, and keeps it."""
        self.say("Interrupted: what was measured is kept.")

    def end(self) -> None:
        """Leave the line that is redrawn."""
        if self._is_drawn:
            self._stream.write("\n")
            self._is_drawn = False
