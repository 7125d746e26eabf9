"""A local socket that serves a daemon's state, and the client that reads it.

Each client gets the newest snapshot as JSON, then the connection is closed. Nothing is read from a client, so it can
ask for nothing, and a client that hangs delays the others by a second at most. The server measures the age of a
snapshot by the monotonic clock: a main loop that hangs cannot report that itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import stat
import threading
import time
from typing import TYPE_CHECKING, Self

from device.config.toml_text import printable
from device.errors import ServiceError
from device.runtime.daemon_state import StateAge, from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

ANSWER_WITHIN_S = 3.0

_MOST_BYTES = 1 << 20
_TICK_S = 1.0
_CLIENT_S = 1.0
_PAUSE_S = 0.05
_BACKLOG = 8  # clients that may wait to be accepted
_JOIN_S = 2.0


class StatusServer:
    """Serves a daemon's state on a socket from a thread of its own; a context manager.

    Args:
        path: of the socket; a missing folder is created. A lock file beside it is held while the server lives: it
            tells a socket left behind by a crash from one that is served.
        state: returns the newest snapshot, from any thread; None before the first.

    Raises:
        ServiceError: another daemon serves this socket, or it cannot be created.
    """

    def __init__(self, path: Path, state: Callable[[], DaemonState | None]) -> None:
        self._path = path
        self._state = state
        self._age = StateAge()
        self._closed = threading.Event()
        with contextlib.ExitStack() as opened:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                opened.callback(os.close, _lock(path))
                self._server = opened.enter_context(_bound_socket(path))
            except OSError as error:
                why = error.strerror or error
                raise ServiceError(f"the status socket {printable(str(path))} cannot be made: {why}") from None
            opened.callback(path.unlink, missing_ok=True)
            self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            opened.callback(os.close, self._wake)
            self._opened = opened.pop_all()
        self._thread = threading.Thread(target=self._serve, name="status", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"StatusServer({str(self._path)!r}, {'closed' if self._closed.is_set() else 'open'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and remove the socket; idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        os.eventfd_write(self._wake, 1)
        self._thread.join(_JOIN_S)
        with contextlib.suppress(OSError):
            self._opened.close()

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._server, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self._closed.is_set():
            self._state_with_age()  # regularly, so that even the first client gets the right age
            if poll.poll(_TICK_S * 1000):
                self._serve_client()

    def _serve_client(self) -> None:
        """Answer one client; one that hangs delays the others by a second at most."""
        try:
            client, _ = self._server.accept()
        except OSError:  # the client has gone, or no file descriptor is left
            self._closed.wait(_PAUSE_S)
            return
        with client, contextlib.suppress(OSError):
            client.settimeout(_CLIENT_S)
            client.sendall(self._answer())

    def _answer(self) -> bytes:
        """The state as JSON; empty before the first snapshot, or if JSON cannot express it."""
        state = self._state_with_age()
        with contextlib.suppress(ValueError, TypeError):
            return b"" if state is None else to_json(state).encode()
        return b""

    def _state_with_age(self) -> DaemonState | None:
        state = self._state()
        return None if state is None else self._age.apply(state, time.monotonic())


def _lock(path: Path) -> int:
    """The descriptor of a lock file; the lock means that the socket beside it is served."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        name = path.parent.name
        raise ServiceError(
            f"a daemon already runs at {printable(str(path))}: stop it, or give this one a name other than {name!r}"
        ) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _bound_socket(path: Path) -> socket.socket:
    """A listening socket at the path, open to owner and group; one left behind by a crash is removed."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ServiceError(f"{printable(str(path))} is no socket: move it away, auricle listens there")
        path.unlink()
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with _address(path) as address:
            server.bind(address)
        path.chmod(0o660)  # no client can connect before `listen`
        server.listen(_BACKLOG)
        server.setblocking(False)
    except BaseException:
        server.close()
        raise
    return server


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """An address for a socket at a path of any length; the kernel accepts at most 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def read_status(path: Path, timeout_s: float = ANSWER_WITHIN_S) -> DaemonState:
    """The state of the daemon that serves a socket, within a deadline.

    Raises:
        ServiceError: no daemon serves it, or it does not answer.
    """
    where = printable(str(path))
    try:
        answer = _received(path, time.monotonic() + timeout_s)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise ServiceError(f"no daemon runs at {where}; auricle listen starts one") from None
    except PermissionError:
        raise ServiceError(f"{where} is closed to this user: ask with sudo, or join the group auricle") from None
    except (TimeoutError, BlockingIOError):
        raise ServiceError(f"the daemon at {where} does not answer within {timeout_s:g} s") from None
    except OSError as error:
        raise ServiceError(f"the daemon at {where} cannot be asked: {error.strerror or error}") from None
    if not answer:
        raise ServiceError(f"the daemon at {where} is starting or stopping: ask again in a moment")
    return from_json(answer)


def _received(path: Path, deadline_s: float) -> bytes:
    chunks = bytearray()
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as client,
        _address(path) as address,
    ):
        client.settimeout(max(0.01, deadline_s - time.monotonic()))
        client.connect(address)
        while len(chunks) <= _MOST_BYTES:
            client.settimeout(max(0.01, deadline_s - time.monotonic()))
            chunk = client.recv(1 << 16)
            if not chunk:
                break
            chunks += chunk
            if time.monotonic() > deadline_s:
                raise TimeoutError
    return bytes(chunks)
