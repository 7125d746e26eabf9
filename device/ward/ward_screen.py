"""Where the ward is shown: a terminal that is drawn anew, lines of what has changed, or JSON."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from device.daytime import utc_text
from device.ward.ward_table import as_json, change_lines, is_urgent, table_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from device.ward.ward_state import WardView

_CLEAR, _BELL = "\x1b[H\x1b[2J", "\a"
_DRAWN_EVERY_S = 10.0


class WardScreen:
    """Shows a view whenever it differs from the one before.

    Args:
        out: a terminal, a file or a pipe.
        as_json: print each view as a line of JSON.
    """

    def __init__(self, out: TextIO, *, as_json: bool) -> None:
        self._out = out
        self._as_json = as_json
        self._is_terminal = out.isatty()
        self._colour = self._is_terminal and not os.environ.get("NO_COLOR")
        self._shown: WardView | None = None
        self._drawn_s = float("-inf")

    def __repr__(self) -> str:
        return f"WardScreen({'terminal' if self._is_terminal else 'lines'}, as_json={self._as_json})"

    def print_table(self, view: WardView) -> None:
        """Print the whole table once, or the view as JSON."""
        lines = [as_json(view)] if self._as_json else table_lines(view, now_utc=_now(), colour=self._colour)
        self._write(lines)

    def update(self, view: WardView) -> None:
        """Show the view, if it differs from the one that is shown."""
        before, self._shown = self._shown, view
        if self._as_json:
            self._write([as_json(view)] if view != before else [])
        elif not self._is_terminal:
            self._write(f"{_now()}  {line}" for line in change_lines(before, view))
        elif view != before or time.monotonic() - self._drawn_s >= _DRAWN_EVERY_S:
            self._draw(before, view)

    def _draw(self, before: WardView | None, view: WardView) -> None:
        self._drawn_s = time.monotonic()
        lines = list(table_lines(view, now_utc=_now(), colour=self._colour))
        lines[0] = _CLEAR + (_BELL if is_urgent(before, view) else "") + lines[0]
        self._write(lines)

    def _write(self, lines: Iterable[str]) -> None:
        for line in lines:
            print(line, file=self._out)
        self._out.flush()


def _now() -> str:
    return utc_text(time.time())
