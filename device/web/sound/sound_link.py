"""The page's way to the sound of its daemon: one connection for each person who listens, so the daemon counts them."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from device.errors import ServiceError
from device.printable import printable
from device.runtime.sockets.local_socket import short_address
from device.runtime.sockets.sound_socket import MAX_LINE_BYTES, answer_in, request_line

if TYPE_CHECKING:
    from pathlib import Path

LET_IN_WITHIN_S = 5.0
"""Longer than the daemon waits for its main loop."""

PIECE_BYTES = 4096

_OFF = "the daemon lets nobody listen in: set listen_in = true in [web], and reload it"


class SoundStream:
    """The sound of a daemon, for one person.

    Args:
        reader: of the connection, after the daemon's answer.
        writer: of it.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def __repr__(self) -> str:
        return f"SoundStream({'closed' if self._writer.is_closing() else 'open'})"

    async def read(self) -> bytes:
        """Some more of it; empty once it is over, on either side."""
        try:
            return await self._reader.read(PIECE_BYTES)
        except OSError:
            return b""

    def close(self) -> None:
        """End it, and a `read` that waits; idempotent."""
        self._writer.close()


async def open_sound(path: Path, person: str) -> SoundStream:
    """The sound of the daemon that serves this socket, for a person of this page.

    Raises:
        ServiceError: it lets nobody listen in, or not this person now.
    """
    try:
        async with asyncio.timeout(LET_IN_WITHIN_S):
            return await _opened(path, person)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise ServiceError(_OFF) from None
    except PermissionError:
        raise ServiceError("the daemon's sound is closed to the user of this page: see the group auricle") from None
    except TimeoutError:
        raise ServiceError(f"the daemon does not answer within {LET_IN_WITHIN_S:g} s") from None
    except OSError as error:
        raise ServiceError(f"the daemon's sound cannot be had: {error.strerror or error}") from None


async def _opened(path: Path, person: str) -> SoundStream:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connection.setblocking(False)
        with short_address(path) as address:
            await asyncio.get_running_loop().sock_connect(connection, address)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=MAX_LINE_BYTES)
    except BaseException:
        connection.close()
        raise
    try:
        writer.write(request_line(person))
        done, sentence = answer_in(await reader.readline())
    except ValueError as error:  # a line without an end
        writer.close()
        raise ServiceError(f"the daemon answers what is no answer: {error}") from None
    except BaseException:
        writer.close()
        raise
    if not done:
        writer.close()
        raise ServiceError(printable(sentence))
    return SoundStream(reader, writer)
