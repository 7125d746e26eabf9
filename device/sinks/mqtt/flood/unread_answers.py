"""Whether a broker reads the answers that its messages need. Pure."""

from __future__ import annotations

_MOST_UNREAD = 500
_ANSWER_BYTES = 4  # PUBACK, at least


class UnreadAnswers:
    """Follows messages that came, and when all answers to them were written to the network."""

    def __init__(self) -> None:
        self._received = self._answered = 0  # messages
        self._unacknowledged_bytes = 0
        self._blocked_since_s: float | None = None

    def __repr__(self) -> str:
        return f"UnreadAnswers({self._received - self._answered} of {self._received})"

    def update(self, received: int, now_s: float, *, is_written: bool, unacknowledged_bytes: int) -> None:
        """Follow what has happened since the last call.

        Args:
            received: messages that need an answer, so far.
            now_s: monotonic.
            is_written: nothing waits to be written to the network.
            unacknowledged_bytes: written, and not accepted by the broker's machine.
        """
        self._received, self._unacknowledged_bytes = received, unacknowledged_bytes
        if is_written:
            self._answered = received
        if received - self._answered <= _MOST_UNREAD:
            self._blocked_since_s = None
        elif self._blocked_since_s is None:
            self._blocked_since_s = now_s

    @property
    def any(self) -> bool:
        """Whether an answer waits to be written, or many wait in the network.

        Alarms that a cut network holds are no such sign.
        """
        are_held = self._received > _MOST_UNREAD and self._unacknowledged_bytes > _MOST_UNREAD * _ANSWER_BYTES
        return are_held or self._received > self._answered

    def blocked_for_s(self, now_s: float) -> float | None:
        """How long so many answers have waited that the broker has to read first; None if there are fewer."""
        return None if self._blocked_since_s is None else now_s - self._blocked_since_s
