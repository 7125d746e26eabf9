"""Sentences on standard error, one a line, whatever they quote."""

from __future__ import annotations

import sys

from device.printable import printable


def print_notice(sentence: str) -> None:
    """Write one line to standard error: `auricle: ` and the sentence."""
    line = f"auricle: {printable(sentence)}\n"
    sys.stderr.buffer.write(line.encode("utf-8", "backslashreplace"))
    sys.stderr.buffer.flush()
