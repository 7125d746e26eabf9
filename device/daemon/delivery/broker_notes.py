"""Notes about the broker that are no fault: its first connection, and commands that were rejected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.messages import OperationNote
from device.sinks.mqtt.command_filter import TOO_FAST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.daemon.delivery.alarm_publisher import Broker

REJECTED_NOTICE_EVERY_S = 10.0
"""A broken automation can send invalid commands all night."""


class BrokerNotes:
    """Compares the state and the counts of a broker with those of the last check.

    Attributes:
        rejected: commands that were rejected since the start of the daemon, over all its brokers.
    """

    def __init__(self) -> None:
        self.rejected = 0
        self._broker: Broker | None = None
        self._is_connection_noted = False
        self._counted = self._counted_unread = 0  # of the rejected commands of this broker
        self._unnoted = 0
        self._noted_s = float("-inf")

    def __repr__(self) -> str:
        return f"BrokerNotes({self.rejected} rejected)"

    def check(self, broker: Broker | None, now_s: float) -> Iterator[OperationNote]:
        """Yield what is new.

        Args:
            broker: in use; another one after a reload; None if none is configured.
            now_s: monotonic.
        """
        if broker is not self._broker:
            self._broker, self._is_connection_noted = broker, False
            self._counted = self._counted_unread = 0
        if broker is None:
            return
        if not self._is_connection_noted and broker.link.is_up:
            self._is_connection_noted = True
            yield OperationNote("broker", broker.link.reason)
        yield from self._check_rejected(broker, now_s)

    def _check_rejected(self, broker: Broker, now_s: float) -> Iterator[OperationNote]:
        counts = broker.counts
        fresh, self._counted = counts.rejected - self._counted, counts.rejected
        self.rejected += fresh
        self._unnoted += fresh
        if not self._unnoted or now_s - self._noted_s < REJECTED_NOTICE_EVERY_S:
            return
        others, self._unnoted, self._noted_s = self._unnoted - 1, 0, now_s
        # A flood is read again each time that its topics are subscribed to: then the newest is one that was read.
        detail = TOO_FAST if counts.unread > self._counted_unread else counts.rejection
        self._counted_unread = counts.unread
        if others:
            detail += f" (and {others} more before it)"
        yield OperationNote("asked", detail)
