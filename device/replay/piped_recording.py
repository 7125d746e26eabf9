"""A recording on standard input: kept in a file without a name while it is heard, so it is heard as a file is.

Headers, joined streams and the pictures of a page need more than one look at a recording, and a pipe gives one.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from device.errors import ConfigError, RecordingError
from device.sources.conversion import STANDARD_INPUT
from device.sources.decoding.spare_files import large_files_folder, unnamed_file

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence

    from device.replay.replay_options import ReplayOptions

DASH = "-"
"""As people give it; what is told of it calls it `standard input`."""

DESCRIPTOR_PATH = "/proc/self/fd/0"

_COPIED_AT_ONCE = 1 << 20


def named_sources(options: ReplayOptions, paths: Sequence[str]) -> list[str]:
    """The paths, with standard input by its name.

    Raises:
        ConfigError: standard input is given twice, or beside several processes.
        RecordingError: it is a terminal, or closed.
    """
    if DASH not in paths:
        return list(paths)
    named = [STANDARD_INPUT if path == DASH else path for path in paths]
    if named.count(STANDARD_INPUT) > 1:
        raise ConfigError("standard input (-) is given twice, and can be heard once")
    if (options.workers or 1) > 1:
        raise ConfigError("standard input (-) is heard by one process: leave --workers out, or save it to a file")
    if sys.stdin is None:  # its number may belong to another file by now
        raise RecordingError("standard input is closed: pipe a recording into it, as in ... | auricle replay -")
    if os.isatty(0):
        raise RecordingError("standard input is a terminal: pipe a recording into it, as in ... | auricle replay -")
    return named


@contextlib.contextmanager
def kept_input(options: ReplayOptions, sources: Sequence[str], paths: Sequence[str]) -> Iterator[ReplayOptions]:
    """Read standard input to its end, if it is among the sources; the options of a replay that hears it.

    Args:
        options: of the replay.
        sources: as `named_sources` gives them.
        paths: as they were given.

    Raises:
        RecordingError: it cannot be read or kept.
    """
    if DASH not in paths or STANDARD_INPUT not in sources:
        yield options
        return
    with contextlib.ExitStack() as kept:
        try:
            file = kept.enter_context(unnamed_file(folder := large_files_folder()))
            _copy(file)
        except OSError as error:
            raise RecordingError(
                f"standard input cannot be kept in {folder} while it is heard ({error.strerror}); name a folder with "
                "room in TMPDIR, or save it to a file"
            ) from None
        yield replace(options, standard_input=f"/proc/self/fd/{file.fileno()}", workers=1)


def _copy(file: io.FileIO) -> None:
    while data := _read():
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]


def _read() -> bytes:
    try:
        return os.read(0, _COPIED_AT_ONCE)
    except OSError as error:
        raise RecordingError(f"standard input cannot be read ({error.strerror}); pipe a recording into it") from None
