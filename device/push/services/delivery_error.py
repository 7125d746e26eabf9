"""Why a service has not accepted a message, as one sentence and what it means for the next attempt."""

from __future__ import annotations

from typing import Literal

Obstacle = Literal["network", "busy", "refused"]
"""network: it cannot be reached. busy: it asks to wait, or fails itself. refused: people must correct something."""


class DeliveryError(Exception):
    """A message was not accepted, or nobody knows whether it was.

    Attributes:
        obstacle: what stands in the way.
        retry_after_s: how long the service asks to wait; None if it does not say.
    """

    def __init__(self, obstacle: Obstacle, sentence: str, retry_after_s: float | None = None) -> None:
        super().__init__(sentence)
        self.obstacle = obstacle
        self.retry_after_s = retry_after_s
