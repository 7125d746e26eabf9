"""What push needs of a service: to send a message, and to hear who has acknowledged one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from device.push.notification import Notification
    from device.push.owed.ledger_content import Told


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody has acknowledged an alarm on a phone.

    Attributes:
        alarm_id: of the alarm.
        by: by which way, and on which device if the service says so.
    """

    alarm_id: str
    by: str


class PushService(Protocol):
    """One account of one service; used by one thread."""

    def send(self, notification: Notification) -> str:
        """Send a message; returns what the service calls it, empty if that is of no use later.

        Raises:
            DeliveryError: the service has not accepted it, or nobody knows.
        """

    def acknowledgements(self, waiting: Mapping[str, Told]) -> Sequence[Acknowledgement]:
        """Who has acknowledged which of the alarms that wait: alarm id -> what was sent about it.

        Raises:
            DeliveryError: the service does not say.
        """
