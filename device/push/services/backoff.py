"""When a service that did not accept a message is asked again, and how long that has gone on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.push.services.delivery_error import DeliveryError

FIRST_S = 2.0
MOST_S = 300.0
REFUSED_S = 900.0
"""People must correct something: asking more often would only lock an account."""

_JITTER = 0.25


class Backoff:
    """The pauses of one service.

    Args:
        random: a number from 0 to 1, for jitter: several daemons must not ask at once after an outage.

    Attributes:
        failure: of the newest attempt; None if it succeeded.
        since_s: when the failures began, monotonic; None while all is well.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self.failure: DeliveryError | None = None
        self.since_s: float | None = None
        self._random = random
        self._pause_s = FIRST_S
        self._again_s = float("-inf")

    def __repr__(self) -> str:
        return f"Backoff({self.failure!r})"

    def is_over(self, now_s: float) -> bool:
        """Whether the service may be asked."""
        return now_s >= self._again_s

    def failed(self, failure: DeliveryError, now_s: float) -> None:
        """The service was asked, and did not accept."""
        self.failure = failure
        self.since_s = now_s if self.since_s is None else self.since_s
        if failure.obstacle == "refused":
            pause_s = REFUSED_S
        else:
            pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, MOST_S)
        pause_s *= 1.0 + _JITTER * (2.0 * self._random() - 1.0)
        self._again_s = now_s + max(pause_s, failure.retry_after_s or 0.0)

    def succeeded(self) -> None:
        """The service has accepted."""
        self.failure = self.since_s = None
        self.ask_again()

    def ask_again(self) -> None:
        """Ask without a pause: what was wrong may have been corrected."""
        self._pause_s, self._again_s = FIRST_S, float("-inf")
