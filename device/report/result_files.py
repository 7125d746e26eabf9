r"""Where results are written: standard output, a pipe, or a file that is never mistaken for a whole one.

Two needs, two ways. What is read while it grows (event lines) goes straight to its final name, flushed
line by line. What is only useful whole (tables, tracks, pages) is written to `NAME.part` beside it and
renamed, so that a file of the final name is always complete. Text is UTF-8; what UTF-8 cannot hold
(a path with foreign bytes) is written as `\udcXX`, which JSON reads back as the very same path.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

STDOUT = "-"
PART_SUFFIX = ".part"


def encode(text: str) -> bytes:
    r"""UTF-8 of any string that Python can hold, lone surrogates escaped as `\udcXX`."""
    return text.encode("utf-8", "backslashreplace")


def write_whole(path: str | Path, content: bytes) -> None:
    """Put `content` at `path` (or `-`): all of it, or on failure nothing. Raises OSError."""
    with whole(path, keep_part=False) as stream:
        stream.write(content)


@contextlib.contextmanager
def growing(path: str | Path) -> Iterator[BinaryIO]:
    """A binary stream straight to `path` (or `-`), for what others read while it grows. Raises OSError."""
    if str(path) == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with Path(path).open("wb") as stream:
        yield stream


@contextlib.contextmanager
def whole(path: str | Path, *, keep_part: bool) -> Iterator[BinaryIO]:
    """A binary stream to `path` (or `-`) that takes its final name only when all is written.

    Args:
        path: where to write; a link is followed; a device or pipe is written to directly, never replaced.
        keep_part: what happens to `NAME.part` when the block raises: kept (it is worth something, and
            says by its name that it is not whole) or removed.

    Raises:
        OSError: the folder is missing, or the disk is full.
    """
    target = Path(path).resolve()
    if str(path) == STDOUT or (target.exists() and not target.is_file()):
        with growing(path) as stream:
            yield stream
        return
    part = target.with_name(target.name + PART_SUFFIX)
    try:
        with part.open("wb") as stream:
            yield stream
        part.replace(target)
    except BaseException:
        if not keep_part:
            part.unlink(missing_ok=True)
        raise
