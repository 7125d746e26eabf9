"""What the client says about its connection to the broker, and what it receives and reports to its handler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from device.commands import Command
    from device.sinks.mqtt.send_queue import Key
    from device.sinks.payloads import Message

LinkState = Literal[
    "connecting",
    "connected",
    "denied",  # connected, but the broker does not accept all that is published
    "refused",  # only people can repair it
    "lost",
    "closed",
]

CONNECTED_STATES: frozenset[LinkState] = frozenset({"connected", "denied"})


@dataclass(frozen=True, slots=True)
class BrokerCertificate:
    """What a broker has shown and the client has accepted.

    Attributes:
        endpoint: host and port of the broker.
        expires_utc_s: until when it is valid.
    """

    endpoint: str
    expires_utc_s: float


@dataclass(frozen=True, slots=True)
class Link:
    """State of the connection to the broker.

    Attributes:
        state: of the connection.
        since_s: when the connection was made or lost, by the client's clock. A loss dates from the broker's last sign
            of life, or from the sending of what it never acknowledged.
        reason: one sentence: what is wrong, and what would help.
        losses: why connections are lost again and again, soon after they are made; empty unless they are. It stays
            while there is a connection, until one has lasted.
        certificate: of the broker, as it was shown with the last connection; None without TLS.
    """

    state: LinkState
    since_s: float
    reason: str
    losses: str = ""
    certificate: BrokerCertificate | None = None

    @property
    def is_up(self) -> bool:
        """Whether there is a connection."""
        return self.state in CONNECTED_STATES

    @property
    def trouble(self) -> str:
        """What is wrong, in one sentence; empty if nothing is."""
        return self.losses or ("" if self.state == "connected" else self.reason)


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals since the start.

    Attributes:
        connected: connections that the broker accepted.
        acknowledged: changes of alarms.
        repeated: changes of alarms that were sent once more, since the connection was lost.
        denied: times that the broker did not accept a change of an alarm.
        rejected: messages on the command topics that were no valid command.
        unread: those of them that were dropped, since they came faster than they are read.
        rejection: the newest of them and why it was rejected, in one sentence; empty before the first.
        dropped: messages about the state that the full queue did not accept.
    """

    connected: int = 0
    acknowledged: int = 0
    repeated: int = 0
    denied: int = 0
    rejected: int = 0
    unread: int = 0
    rejection: str = ""
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker; a topic that is not UTF-8 is empty."""

    topic: str
    payload: bytes
    retain: bool


class Handler(Protocol):
    """Called by the client's thread; each call returns at once and calls nothing of `Mqtt` that waits."""

    def connected(self) -> Iterable[Message]:
        """The broker accepted the connection, or Home Assistant has started: the full state, to be published."""

    def acknowledged(self, key: Key) -> None:
        """The broker has it: it is owed no longer. Once this has returned there is room for another."""

    def commanded(self, command: Command) -> None:
        """A valid command was received."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A topic of our own that is subscribed to as well.

    Attributes:
        topic: in full.
        received: called with each payload there that was not retained, by the client's thread; it returns at once.
    """

    topic: str
    received: Callable[[bytes], None]
