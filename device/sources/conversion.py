"""The command that converts a sound file to one that can be read."""

from __future__ import annotations

import shlex
from pathlib import Path

STANDARD_INPUT = "standard input"
"""What messages call it."""

INSTALL = "pip install 'auricle[formats]'"
"""What installs PyAV, which reads nearly every other format."""


def conversion(path: str) -> str:
    """A command line that makes a FLAC file beside a sound file of any kind.

    A file that lies under a name without a suffix of its own, or that is called FLAC already, gets a second suffix.
    """
    if path == STANDARD_INPUT:
        return "ffmpeg -i - recording.flac"
    source = Path(path)
    target = source.with_suffix(".flac") if source.suffix.lower() not in ("", ".flac") else Path(f"{path}.flac")
    given = path if not path.startswith("-") else f"./{path}"
    made = str(target) if not str(target).startswith("-") else f"./{target}"
    return f"ffmpeg -i {shlex.quote(given)} {shlex.quote(made)}"
