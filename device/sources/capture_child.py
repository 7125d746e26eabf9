"""How a capture process runs: it writes its records to the pipe that stdout was, and ends with its parent.

It never closes what it reads and never waits for anything but sound; its parent kills it whenever it likes.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from device.errors import MicrophoneError
from device.sources.capture_record import ERROR, CaptureRecord, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PARENT_EVERY_S = 1.0


def serve(records: Callable[[], Iterator[CaptureRecord]]) -> None:
    """Write the records, or the sentence of a `MicrophoneError`, and exit without cleaning up."""
    pipe = _redirect_stdout()
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), name="parent", daemon=True).start()
    try:
        for record in records():
            _write(pipe, encode(record))
    except MicrophoneError as error:
        _write(pipe, encode(CaptureRecord(ERROR, str(error).encode())))
    except BrokenPipeError:
        pass  # the reader has ended
    os._exit(0)  # no atexit: what closes a device may hang


def _redirect_stdout() -> int:
    """The pipe that stdout was; libraries that print (JACK's does) now print to stderr."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    return pipe


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]


def _exit_with_parent(parent: int) -> None:
    """Exit when the parent has ended: stdin is a pipe of which only the parent holds the other end."""
    import select

    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], _PARENT_EVERY_S)
        if readable and not os.read(0, 4096):
            break
    os._exit(0)
