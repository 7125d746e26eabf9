"""A local socket that takes commands from people on this machine, and the client that sends one.

A client sends one line of JSON, `{"version":1,"command":"pause","payload":{"duration_s":600}}`, and gets one back,
`{"version":1,"done":true,"sentence":"..."}`, with a `content` where figures were asked for; then the connection is
closed. The kernel lets in the daemon's user, its group and root (mode 0660). Who asked is what the kernel says of the
peer (SO_PEERCRED), never what the peer says; a peer that asks for somebody else, as a page does, adds a `person`, who
is reported beside it: `anna (auricle-web)`. The state is served on a socket of its own, so that no number of clients
there or here delays the other.

Each client has a thread for a bounded time, with a bounded request; one user cannot occupy all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import socket
import struct
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from device.commands import MAX_PAYLOAD_BYTES, Outcome, parse_local_command
from device.errors import BundleError, CommandError, ServiceError
from device.printable import printable
from device.runtime.sockets.local_socket import WakingListener, short_address
from device.strict_json import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from device.commands import Command

VERSION = 1
"""Of the protocol."""

MAX_CLIENTS = 16
MAX_CLIENTS_OF_ONE_USER = 4
REQUEST_WITHIN_S = 1.0
ANSWER_WITHIN_S = 5.0
"""Longer than the daemon waits for its main loop."""

MAX_PERSON_CHARACTERS = 64
"""Of the name of a person for whom another process asks."""

_MEMBERS = {"version", "command", "payload", "person"}
_MAX_REQUEST_BYTES = MAX_PAYLOAD_BYTES + 512
_MAX_ANSWER_BYTES = 1 << 16
_TURN_S = 1.0
_PAUSE_S = 0.05
_JOIN_S = 1.0
_SO_PEERGROUPS = 59  # Linux 4.13, asm-generic/socket.h; Python has no name for it
_MAX_OPTION_BYTES = 1024  # Python's limit


class Peer(NamedTuple):
    """Whoever is at the other end of a connection, as the kernel knows it.

    Attributes:
        uid: of the user.
        name: of the user; `user 1234` if it has none.
        groups: of the process, its primary one included.
    """

    uid: int
    name: str
    groups: frozenset[int]


def peer_of(client: socket.socket) -> Peer:
    """Whoever is at the other end; raises OSError if the kernel does not say."""
    _, uid, gid = struct.unpack("iII", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        name = printable(pwd.getpwuid(uid).pw_name)
    except (KeyError, OSError):
        name = f"user {uid}"
    others: tuple[int, ...] = ()
    with contextlib.suppress(OSError):  # an older kernel, or more groups than fit: the primary one then decides
        data = client.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_OPTION_BYTES)
        others = struct.unpack(f"{len(data) // 4}I", data)
    return Peer(uid, name, frozenset((gid, *others)))


def may_command(peer: Peer, group: int) -> bool:
    """Whether a peer is this user, root, or of the group to which the socket belongs."""
    return peer.uid in {0, os.geteuid()} or group in peer.groups


class CommandServer:
    """Takes commands on a socket; a context manager.

    The caller holds the lock of the instance (see `StatusServer`): a socket that is there was left by a crash.

    Args:
        path: of the socket; a missing folder is created.
        execute: carries a command out, from any thread, within a bounded time; raises CommandError if it cannot.

    Raises:
        ServiceError: the socket cannot be created.
    """

    def __init__(self, path: Path, execute: Callable[[Command], Outcome]) -> None:
        self._path = path
        self._execute = execute
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._clients: Counter[int] = Counter()  # uid -> connections
        self._socket = WakingListener(path, "command socket")
        self._thread = threading.Thread(target=self._serve, name="commands", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"CommandServer({str(self._path)!r}, {'closed' if self._closed.is_set() else 'open'})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Take no more commands and remove the socket; idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._socket.rouse()
        self._thread.join(_JOIN_S)
        self._socket.close()

    # --- the accepting thread

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._socket.listening, select.POLLIN)
        poll.register(self._socket.wake, select.POLLIN)
        while not self._closed.is_set():
            if self._clients.total() >= MAX_CLIENTS:
                self._closed.wait(_PAUSE_S)  # the others wait in the backlog
            elif poll.poll(_TURN_S * 1000):
                self._accept()

    def _accept(self) -> None:
        try:
            client, _ = self._socket.listening.accept()
        except OSError:  # the client has gone, or no file descriptor is left
            self._closed.wait(_PAUSE_S)
            return
        try:
            client.setblocking(True)
            peer = peer_of(client)
            if not self._admit(peer):
                client.close()
                return
            threading.Thread(target=self._serve_client, args=(client, peer), name="command", daemon=True).start()
        except (OSError, RuntimeError):  # the client has gone, or no thread is left
            client.close()

    def _admit(self, peer: Peer) -> bool:
        with self._lock:
            if self._clients[peer.uid] >= MAX_CLIENTS_OF_ONE_USER:
                return False
            self._clients[peer.uid] += 1
            return True

    # --- a client's thread

    def _serve_client(self, client: socket.socket, peer: Peer) -> None:
        try:
            with client, contextlib.suppress(OSError):
                outcome = self._outcome(client, peer)
                client.settimeout(REQUEST_WITHIN_S)
                client.sendall(_line(_answer_members(outcome)))
        finally:
            with self._lock:
                self._clients[peer.uid] -= 1

    def _outcome(self, client: socket.socket, peer: Peer) -> Outcome:
        try:
            request = _received_line(client, _MAX_REQUEST_BYTES, time.monotonic() + REQUEST_WITHIN_S)
            if not may_command(
                peer, self._socket.group
            ):  # the mode of the socket let the peer in; it may have been changed
                return Outcome(False, f"{peer.name} may not command this daemon: join its group, or ask with sudo")
            return self._execute(_parsed(request, by=peer.name))
        except CommandError as error:
            return Outcome(done=False, sentence=str(error))


def send_command(path: Path, verb: str, payload: Mapping[str, Any], *, person: str = "") -> Outcome:
    """Have the daemon that listens on a socket carry out a command; what it answered.

    Args:
        path: of the socket.
        verb: of the command.
        payload: of the command.
        person: for whom this process asks; empty for its own user.

    Raises:
        ServiceError: no daemon listens there, this user may not command it, or it does not answer in time.
    """
    where = printable(str(path))
    deadline_s = time.monotonic() + ANSWER_WITHIN_S
    request = {"version": VERSION, "command": verb, "payload": payload, **({"person": person} if person else {})}
    try:
        answer = _answer(path, _line(request), deadline_s)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise ServiceError(f"no daemon takes commands at {where}; auricle listen starts one") from None
    except PermissionError:
        raise ServiceError(f"{where} is closed to this user: ask with sudo, or join the group auricle") from None
    except (TimeoutError, BlockingIOError):
        raise ServiceError(f"the daemon at {where} does not answer within {ANSWER_WITHIN_S:g} s") from None
    except (OSError, CommandError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ServiceError(f"the daemon at {where} cannot be asked: {why}") from None
    return _parsed_outcome(answer, where)


def _answer(path: Path, request: bytes, deadline_s: float) -> bytes:
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as client,
        short_address(path) as address,
    ):
        client.settimeout(ANSWER_WITHIN_S)
        client.connect(address)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused before it was read
            client.sendall(request)
        try:
            return _received_line(client, _MAX_ANSWER_BYTES, deadline_s)
        except ConnectionResetError:  # closed with the request unread: the same as no answer
            return b""


def _received_line(client: socket.socket, max_bytes: int, deadline_s: float) -> bytes:
    """What comes before the first line feed, or before the end.

    Raises:
        CommandError: it is too long, or does not come in time.
        OSError: the connection broke.
    """
    received = bytearray()
    while b"\n" not in received:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        client.settimeout(left_s)
        chunk = client.recv(4096)
        if not chunk:
            break
        received += chunk
        if len(received) > max_bytes:
            raise CommandError(f"a command may have {MAX_PAYLOAD_BYTES} bytes, this one has more")
    return bytes(received.partition(b"\n")[0])


def _parsed(request: bytes, *, by: str) -> Command:
    fields = _object(request, "a command")
    if fields.get("version") != VERSION:
        raise CommandError(f"this daemon takes commands in version {VERSION}: use its own auricle")
    verb, payload, person = fields.get("command"), fields.get("payload", {}), fields.get("person", "")
    if fields.keys() - _MEMBERS or not isinstance(verb, str) or not isinstance(payload, dict):
        raise CommandError("a command holds version, command, payload and person, and nothing else")
    if not isinstance(person, str) or len(person) > MAX_PERSON_CHARACTERS or not person.isprintable():
        raise CommandError(f"person must be a name of at most {MAX_PERSON_CHARACTERS} characters")
    asked_by = f"{person} ({by})" if person else by
    return parse_local_command(verb, json.dumps(payload).encode() if payload else b"", by=asked_by)


def _parsed_outcome(answer: bytes, where: str) -> Outcome:
    if not answer:
        raise ServiceError(f"the daemon at {where} is stopping, or has too many commands to carry out: ask again")
    try:
        fields = _object(answer, "the answer")
    except CommandError as error:
        raise ServiceError(f"the daemon at {where} answers what is no answer: {error}") from None
    done, sentence, content = fields.get("done"), fields.get("sentence"), fields.get("content")
    if not isinstance(done, bool) or not isinstance(sentence, str):
        raise ServiceError(f"the daemon at {where} answers in another version: use its own auricle")
    return Outcome(done, printable(sentence), content if isinstance(content, dict) else None)


def _answer_members(outcome: Outcome) -> dict[str, Any]:
    told = {"version": VERSION, "done": outcome.done, "sentence": outcome.sentence}
    return told if outcome.content is None else {**told, "content": outcome.content}


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        fields = parse(data, what)
    except BundleError as error:
        raise CommandError(str(error)) from None
    if not isinstance(fields, dict):
        raise CommandError(f"{what} is no JSON object")
    return fields


def _line(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"
