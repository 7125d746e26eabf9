"""Local stream sockets at paths of any length, open to the daemon's user and group."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from typing import TYPE_CHECKING

from device.errors import ServiceError
from device.printable import printable
from device.runtime.sockets.connection_server import BACKLOG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def bound_socket(path: Path) -> socket.socket:
    """A listening socket at the path, open to owner and group; one left behind by a crash is removed."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ServiceError(f"{printable(str(path))} is no socket: move it away, auricle listens there")
        path.unlink()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with short_address(path) as address:
            server.bind(address)
        path.chmod(0o660)  # no client can connect before `listen`
        server.listen(BACKLOG)
        server.setblocking(False)
    except BaseException:
        server.close()
        raise
    return server


class WakingListener:
    """A local socket that waits for clients, and an event that wakes the thread that polls it.

    Args:
        path: of the socket; a missing folder is created, and a socket that a crash left is removed.
        what: names it in the error, such as "command socket".

    Attributes:
        listening: the socket.
        wake: descriptor of the event; readable after `rouse`.
        group: of the socket's file, whose members are let in.

    Raises:
        ServiceError: the socket cannot be created.
    """

    def __init__(self, path: Path, what: str) -> None:
        with contextlib.ExitStack() as opened:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self.listening = opened.enter_context(bound_socket(path))
                self.group = path.stat().st_gid
            except OSError as error:
                why = error.strerror or error
                raise ServiceError(f"the {what} {printable(str(path))} cannot be made: {why}") from None
            opened.callback(path.unlink, missing_ok=True)
            self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            opened.callback(os.close, self.wake)
            self._opened = opened.pop_all()

    def rouse(self) -> None:
        """Wake whoever polls."""
        os.eventfd_write(self.wake, 1)

    def close(self) -> None:
        """Close both and remove the socket; idempotent."""
        with contextlib.suppress(OSError):
            self._opened.close()


@contextlib.contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address for a socket at a path of any length; the kernel accepts at most 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
