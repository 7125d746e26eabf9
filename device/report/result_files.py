r"""Write results to standard output, a pipe or a file, so that a part is never mistaken for a whole one.

Event lines, which are read while they are written, go straight to the final name, flushed line by line. Tables,
tracks and pages, which are only useful when complete, are written to `NAME.part` beside it and then renamed. Text is
UTF-8. What UTF-8 cannot encode (a path with other bytes) is written as `\udcXX`, which JSON reads back as the same
path.
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
    r"""Encode any Python string as UTF-8, lone surrogates escaped as `\udcXX`."""
    return text.encode("utf-8", "backslashreplace")


def write_whole(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` (or `-`): all of it, or on failure nothing. Raises OSError."""
    with whole(path, keep_part=False) as stream:
        stream.write(content)


@contextlib.contextmanager
def growing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a binary stream straight to `path` (or `-`), for files that are read while they grow. Raises OSError."""
    if str(path) == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with Path(path).open("wb") as stream:
        yield stream


@contextlib.contextmanager
def whole(path: str | Path, *, keep_part: bool) -> Iterator[BinaryIO]:
    """Open a binary stream to `path` (or `-`); the file receives its final name only when it is complete.

    Args:
        path: a link is followed; a device or pipe is written to directly, never replaced.
        keep_part: whether `NAME.part` is kept if the block raises: its name shows that it is incomplete.

    Raises:
        OSError: the folder is missing, the disk is full, or the like.
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
