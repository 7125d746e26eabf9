"""The server of sound, if the settings let people listen in; a reload may open or close it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.delivery.reply_queue import CommandReceived
from device.runtime.paths import status_socket
from device.runtime.sockets.sound_socket import sound_socket

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.commands import ListenIn, Outcome
    from device.config.settings import Settings
    from device.daemon.audio.sound_tap import SoundTap
    from device.daemon.delivery.reply_queue import ReplyQueue
    from device.daemon.ports.sound_server import SoundServer


class SoundPort:
    """Opens and closes the server.

    Args:
        instance: name of the daemon.
        tap: where the sound is taken.
        replies: of the main loop, which notes who listens.
    """

    def __init__(self, instance: str, tap: SoundTap, replies: ReplyQueue) -> None:
        self._path = sound_socket(status_socket(instance))
        self._tap = tap
        self._replies = replies
        self._server: SoundServer | None = None

    def __repr__(self) -> str:
        return f"SoundPort({self._server!r})"

    def listeners(self) -> tuple[str, ...] | None:
        """Who listens in now; None where nobody can, because it is off."""
        return None if self._server is None else self._server.listeners

    def apply(self, settings: Settings) -> None:
        """Let people listen in if it is configured, or end it.

        Raises:
            ServiceError: the socket cannot be created.
        """
        if not settings.web.listen_in:
            self.close()
        elif self._server is None:
            from device.daemon.ports.sound_server import SoundServer  # most daemons have none

            self._server = SoundServer(self._path, self._tap, self._tell)

    def close(self) -> None:
        """End all listening; idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _tell(self, listening: ListenIn, answer: Callable[[Outcome], object]) -> bool:
        return self._replies.try_put(CommandReceived(listening, answer))
