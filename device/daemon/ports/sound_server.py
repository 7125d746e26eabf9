"""Lets people on this machine listen in, on a local socket, if the configuration says so.

One thread serves all. It takes what was captured ten times a second while somebody listens, and waits without a turn
otherwise. Each listener has a second of sound at most that waits: one that reads too slowly loses the oldest, and one
that reads nothing for long is closed. The main loop is asked before the first sample is sent, so that the journal has
who listens; it is told when that is over. Nothing here touches a disk.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from device.commands import ListenIn, Outcome
from device.errors import ServiceError
from device.runtime.sockets.command_socket import may_command, peer_of
from device.runtime.sockets.local_socket import WakingListener
from device.runtime.sockets.sound_socket import MAX_LINE_BYTES, SAMPLE_BYTES, SECOND_BYTES, answer_line, person_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from device.daemon.audio.sound_tap import SoundTap

MOST_LISTENERS = 8
MOST_WAITING = 8
"""Clients that have not been let in yet."""

MOST_STARTS = 20
"""In `STARTS_WITHIN_S`: each is an entry of the journal, which keeps so many."""

STARTS_WITHIN_S = 60.0
ASKED_WITHIN_S = 1.0
LET_IN_WITHIN_S = 4.0
READS_WITHIN_S = 20.0
"""A listener that takes nothing for longer is closed."""

TURN_S = 0.1
_PENDING_BYTES = SECOND_BYTES
_SEND_BUFFER_BYTES = 16384
_PAUSE_S = 0.05
_JOIN_S = 1.0


@dataclass(slots=True, eq=False)
class _Client:
    """One connection.

    Attributes:
        socket: of it.
        until_s: it is closed then, unless it gets further; monotonic.
        by: who listens; empty before the request has come.
        began_s: when it was let in; None before.
        received: of its request.
        pending: that is still to be sent.
        lost_bytes: of sound, because it reads too slowly.
        is_split: the first byte that waits is the second one of a sample.
        ends: it is closed once `pending` is sent.
    """

    socket: socket.socket
    until_s: float
    by: str = ""
    began_s: float | None = None
    received: bytearray = field(default_factory=bytearray)
    pending: bytearray = field(default_factory=bytearray)
    lost_bytes: int = 0
    is_split: bool = False
    ends: bool = False


class SoundServer:
    """Serves sound on a socket from a thread of its own, until `close`.

    The caller holds the lock of the instance (see `StatusServer`): a socket that is there was left by a crash.

    Args:
        path: of the socket, in an existing folder.
        tap: where the sound is taken; this server alone opens and shuts it.
        tell: puts the beginning or the end of listening before the main loop, with who receives its answer; whether
            there was room. Must not wait.

    Attributes:
        listeners: who listens now; replaced as a whole, never changed.

    Raises:
        ServiceError: the socket cannot be created.
    """

    def __init__(
        self, path: Path, tap: SoundTap, tell: Callable[[ListenIn, Callable[[Outcome], object]], bool]
    ) -> None:
        self.listeners: tuple[str, ...] = ()
        self._path = path
        self._tap = tap
        self._tell = tell
        self._clients: dict[_Client, None] = {}
        self._answers: deque[tuple[_Client, Outcome]] = deque()
        self._ends: deque[ListenIn] = deque()
        self._starts_s: deque[float] = deque(maxlen=MOST_STARTS)
        self._closed = threading.Event()
        self._socket = WakingListener(path, "sound socket")
        self._selector = selectors.PollSelector()  # needs no descriptor of its own
        self._selector.register(self._socket.listening, selectors.EVENT_READ)
        self._selector.register(self._socket.wake, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="sound", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"SoundServer({str(self._path)!r}, {len(self.listeners)} listen)"

    def close(self) -> None:
        """End all listening and remove the socket; idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._socket.rouse()
        self._thread.join(_JOIN_S)
        self._socket.close()

    # --- the thread

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._turn()
        for client in list(self._clients):
            self._drop(client)
        self._tell_ends()
        self._tap.shut()

    def _turn(self) -> None:
        is_idle = not self._clients and not self._ends
        for key, _ in self._selector.select(None if is_idle else TURN_S):
            if key.fileobj is self._socket.listening:
                self._accept()
            elif key.fileobj == self._socket.wake:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._socket.wake)
            elif key.data in self._clients:  # it may have been closed in this turn
                self._receive(key.data)
        self._let_in()
        self._send_sound()
        self._drop_late(time.monotonic())
        self._tell_ends()

    def _accept(self) -> None:
        try:
            accepted, _ = self._socket.listening.accept()
        except OSError:  # the client has gone, or no descriptor is left
            self._closed.wait(_PAUSE_S)
            return
        try:
            accepted.setblocking(False)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            peer = peer_of(accepted)
        except OSError:
            accepted.close()
            return
        client = _Client(accepted, time.monotonic() + ASKED_WITHIN_S)
        self._clients[client] = None
        self._selector.register(accepted, selectors.EVENT_READ, client)
        if not may_command(peer, self._socket.group):
            self._refuse(client, f"{peer.name} may not listen in: join the daemon's group, or ask with sudo")
        elif sum(each.began_s is None for each in self._clients) > MOST_WAITING:
            self._refuse(client, "too many ask to listen in: try again in a moment")

    def _receive(self, client: _Client) -> None:
        """Take the request; after it a client says nothing any more, and its end is the end of listening."""
        try:
            data = client.socket.recv(MAX_LINE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
        elif not client.by and not client.ends:
            client.received += data
            self._ask(client)

    def _ask(self, client: _Client) -> None:
        line, ending, _ = bytes(client.received).partition(b"\n")
        if not ending and len(line) <= MAX_LINE_BYTES:
            return
        now_s = time.monotonic()
        try:
            person, name = person_in(line), peer_of(client.socket).name
        except (ServiceError, OSError) as error:
            self._refuse(client, str(error))
            return
        if sum(bool(each.by) for each in self._clients) >= MOST_LISTENERS:
            self._refuse(client, f"{MOST_LISTENERS} listen in already, more may not")
        elif len(self._starts_s) == MOST_STARTS and now_s - self._starts_s[0] < STARTS_WITHIN_S:
            self._refuse(client, f"{MOST_STARTS} have begun to listen within a minute: try again in one")
        else:
            by = f"{person} ({name})" if person else name
            if not self._tell(ListenIn(begins=True, by=by), lambda outcome: self._answered(client, outcome)):
                self._refuse(client, "too many commands wait: try again in a moment")
                return
            client.by, client.until_s = by, now_s + LET_IN_WITHIN_S
            self._starts_s.append(now_s)

    def _answered(self, client: _Client, outcome: Outcome) -> None:
        """The main loop has noted it; from its thread."""
        self._answers.append((client, outcome))
        with contextlib.suppress(OSError):  # closed meanwhile
            self._socket.rouse()

    def _let_in(self) -> None:
        now_s = time.monotonic()
        while self._answers:
            client, outcome = self._answers.popleft()
            if client in self._clients and client.began_s is None:
                client.began_s, client.until_s = now_s, now_s + READS_WITHIN_S
                client.pending += answer_line(outcome.sentence, done=True)
                self._send(client)
                client.is_split = False  # an empty buffer has taken the whole line
        self.listeners = tuple(client.by for client in self._clients if client.began_s is not None)
        if self.listeners:
            self._tap.open()
        else:
            self._tap.shut()

    def _send_sound(self) -> None:
        sound = self._tap.take()
        for client in list(self._clients):
            if client.began_s is not None:
                _add(client, sound)
            self._send(client)

    def _send(self, client: _Client) -> None:
        """Send what the kernel accepts now."""
        try:
            while client.pending:
                sent = client.socket.send(client.pending)
                del client.pending[:sent]
                client.is_split ^= bool(sent % SAMPLE_BYTES)
                if client.began_s is not None:
                    client.until_s = time.monotonic() + READS_WITHIN_S
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)
            return
        if client.ends:
            self._drop(client)

    def _refuse(self, client: _Client, why: str) -> None:
        client.pending += answer_line(why, done=False)
        client.ends = True
        self._send(client)

    def _drop_late(self, now_s: float) -> None:
        """Close who has stopped reading; a listener without a source of sound has nothing to read."""
        for client in list(self._clients):
            if client.began_s is not None and not client.pending:
                client.until_s = now_s + READS_WITHIN_S
            elif client.until_s < now_s:
                self._drop(client)

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client, client) is not None:
            return
        self._selector.unregister(client.socket)
        client.socket.close()
        if client.by:
            for_s = 0.0 if client.began_s is None else time.monotonic() - client.began_s
            end = ListenIn(begins=False, by=client.by, for_s=for_s, lost_s=client.lost_bytes / SECOND_BYTES)
            self._ends.append(end)
        self.listeners = tuple(each.by for each in self._clients if each.began_s is not None)

    def _tell_ends(self) -> None:
        while self._ends and self._tell(self._ends[0], lambda _outcome: None):
            self._ends.popleft()


def _add(client: _Client, sound: bytes) -> None:
    """Queue sound; what is more than a second is dropped, oldest first, by whole samples."""
    client.pending += sound
    excess = len(client.pending) - _PENDING_BYTES
    if excess > 0:
        dropped = excess + excess % SAMPLE_BYTES
        del client.pending[client.is_split : client.is_split + dropped]
        client.lost_bytes += dropped
