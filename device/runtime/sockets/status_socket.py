"""A local socket that serves a daemon's state, and the client that reads it.

Each client gets the newest snapshot as JSON, then the connection is closed. Whatever a client sends is ignored, and one
that hangs delays no other. The server measures the age of a snapshot by the monotonic clock: a main loop that hangs
cannot report that itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from typing import TYPE_CHECKING, Self

from device.errors import ServiceError
from device.printable import printable
from device.runtime.daemon_state import StateAge, from_json, to_json, told_json
from device.runtime.sockets.connection_server import ConnectionServer
from device.runtime.sockets.local_socket import bound_socket, short_address
from device.runtime.sockets.recent_hearing import item_json, items_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState
    from device.runtime.sockets.recent_hearing import HeardItem

ANSWER_WITHIN_S = 3.0

_MOST_BYTES = 1 << 20
_RETRY_S = 0.02


class StatusServer:
    """Serves a daemon's state on a socket from a thread of its own; a context manager.

    Args:
        path: of the socket; a missing folder is created. A lock file beside it is held while the server lives: it
            tells a socket left behind by a crash from one that is served.
        state: returns the newest snapshot, from any thread; None before the first.
        heard: returns what was heard in the last seconds, likewise.

    Raises:
        ServiceError: another daemon serves this socket, or it cannot be created.
    """

    def __init__(
        self,
        path: Path,
        state: Callable[[], DaemonState | None],
        heard: Callable[[], Sequence[HeardItem]] = tuple,
    ) -> None:
        self._path = path
        self._state = state
        self._heard = heard
        self._age = StateAge()
        with contextlib.ExitStack() as opened:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                opened.callback(os.close, _lock(path))
                listening = opened.enter_context(bound_socket(path))
            except OSError as error:
                why = error.strerror or error
                raise ServiceError(f"the status socket {printable(str(path))} cannot be made: {why}") from None
            opened.callback(path.unlink, missing_ok=True)
            # Each turn applies the age, so that even the first client gets the right one.
            self._server = ConnectionServer(listening, self._answer, name="status", on_turn=self._state_with_age)
            self._opened = opened.pop_all()

    def __repr__(self) -> str:
        return f"StatusServer({str(self._path)!r}, {'closed' if self._server.is_closed else 'open'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and remove the socket; idempotent."""
        self._server.close()
        with contextlib.suppress(OSError):
            self._opened.close()

    def _answer(self, _request: bytes, _is_complete: bool) -> bytes:  # noqa: FBT001 - as ConnectionServer calls it
        """The state as JSON; empty before the first snapshot, or if JSON cannot express it."""
        state = self._state_with_age()
        with contextlib.suppress(ValueError, TypeError):
            return b"" if state is None else to_json(state, [item_json(item) for item in self._heard()]).encode()
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


def read_status(path: Path, timeout_s: float = ANSWER_WITHIN_S) -> DaemonState:
    """The state of the daemon that serves a socket, within a deadline.

    Raises:
        ServiceError: no daemon serves it, or it does not answer.
    """
    return from_json(_answer(path, timeout_s))


def read_hearing(
    path: Path, timeout_s: float = ANSWER_WITHIN_S, *, known: Callable[[DaemonState], int] = lambda _state: 0
) -> tuple[DaemonState, tuple[HeardItem, ...]]:
    """The state of a daemon, and what it heard in the last seconds, within a deadline; oldest first.

    Args:
        path: of the socket.
        timeout_s: the deadline.
        known: number up to which the reader has the items of this daemon already, and they are left out.

    Raises:
        ServiceError: no daemon serves the socket, or it does not answer.
    """
    state, heard = told_json(_answer(path, timeout_s))
    return state, items_of(heard, known(state))


def _answer(path: Path, timeout_s: float) -> bytes:
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
    return answer


def is_served(path: Path, timeout_s: float = ANSWER_WITHIN_S) -> bool:
    """Whether a daemon serves a socket, as far as this user may know; one that a crash left behind is not served."""
    try:
        _received(path, time.monotonic() + timeout_s)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return False
    except OSError:  # closed to this user, or hung: somebody is there
        return True
    return True


def _received(path: Path, deadline_s: float) -> bytes:
    chunks = bytearray()
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as client,
        short_address(path) as address,
    ):
        _connect(client, address, deadline_s)
        while len(chunks) <= _MOST_BYTES:
            client.settimeout(max(0.01, deadline_s - time.monotonic()))
            chunk = client.recv(1 << 16)
            if not chunk:
                break
            chunks += chunk
            if time.monotonic() > deadline_s:
                raise TimeoutError
    return bytes(chunks)


def _connect(client: socket.socket, address: str, deadline_s: float) -> None:
    """Connect by the deadline; while the server's backlog is full, the kernel says EAGAIN."""
    while True:
        client.settimeout(max(0.01, deadline_s - time.monotonic()))
        try:
            client.connect(address)
        except BlockingIOError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_RETRY_S)
        else:
            return
