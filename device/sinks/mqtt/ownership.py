"""Whether another device already publishes under our name on a broker, and who of two stands back. Pure.

Whoever publishes keeps a retained message with its identity under `<topic>/<instance>/owner`. A client that connects
reads it and `available`, and asks who is there, before it publishes anything. A device that is said to be online is
given time to answer: a broker keeps for ever what a device that is gone once said. If another one answers, the newcomer
stands back; if none does, it takes the name, and the other one stands back when it hears so. A restart of our own is
recognized by the device, unless the broker may have given our last connection to another client of our id.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from device.errors import BundleError
from device.printable import printable
from device.sinks.payloads import ONLINE, Message
from device.strict_json import parse

if TYPE_CHECKING:
    from device.sinks.mqtt.link import Received

READ_WITHIN_S = 1.0
"""Our own question comes back by then, behind what the broker keeps; one that lets us read nothing returns nothing."""

ANSWER_WITHIN_S = 3.0
"""A client turns twice a second."""

SETTLED_AFTER_S = 1.0
"""Of two who take the name at once, the broker's last word decides, which both have heard by then."""

_ANNOUNCE_EVERY_S = 1.0
_MOST_BYTES = 1000
MOST_CHARACTERS = 64
"""Of each text of an identity."""

Step = Literal["publish", "answer", "announce", "stand_back"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who publishes under a name.

    Attributes:
        device: the same after each start of an instance on a machine.
        run: another one after each start.
        host: the machine's name, for people.
    """

    device: str
    run: str
    host: str


@dataclass(frozen=True, slots=True)
class OwnTopics:
    """The topics that tell who publishes under a name, and whether it is online."""

    owner: str
    available: str


class Ownership:
    """Follows one connection after the other.

    Args:
        me: of this start.
        topics: of the instance.
    """

    def __init__(self, me: Owner, topics: OwnTopics) -> None:
        self._me = me
        self._topics = topics
        self._state: Literal["idle", "reading", "publishing", "standing_back"] = "idle"
        self._since_s = 0.0
        self._contested = False
        self._is_online = False
        self._other: Owner | None = None  # under our name, as far as is known
        self._has_read = self._has_answered = False
        self._was_asked = self._is_denied_online = False
        self._announced_s = float("-inf")

    def __repr__(self) -> str:
        return f"Ownership({self._state}, {self._other!r})"

    @property
    def topics(self) -> tuple[str, ...]:
        """To be subscribed to, with what is retained."""
        return self._topics.owner, self._topics.available

    @property
    def is_begun(self) -> bool:
        """Whether it follows a connection."""
        return self._state != "idle"

    @property
    def is_publishing(self) -> bool:
        """Whether the name is ours to publish under."""
        return self._state == "publishing"

    @property
    def message(self) -> Message:
        """Our identity, to be kept by the broker."""
        return Message(self._topics.owner, _payload(self._me, asks=False), retain=True)

    @property
    def question(self) -> Message:
        """Asks who is there; to be published at the begin of a connection, after the subscription."""
        return Message(self._topics.owner, _payload(self._me, asks=True))

    @property
    def conflict(self) -> str:
        """Who else is online, in one sentence."""
        host = "another device" if self._other is None else f"another device, {printable(self._other.host)!r},"
        name = printable(self._topics.available.split("/")[-2])
        return f"{host} is online under the name {name!r}: each instance of one broker needs a name of its own"

    def end(self) -> None:
        """The connection is lost."""
        self._state = "idle"

    def begin(self, now_s: float, *, contested: bool) -> None:
        """A connection was accepted.

        Args:
            now_s: monotonic.
            contested: the last one may have been given to another client of our id.
        """
        self._state, self._since_s, self._contested = "reading", now_s, contested
        self._is_online, self._other = False, None
        self._has_read = self._has_answered = self._was_asked = self._is_denied_online = False

    def receive(self, message: Received, now_s: float) -> bool:
        """Note a message; False if it is none of `topics`."""
        if message.topic == self._topics.available:
            self._is_online = message.payload == ONLINE
            self._is_denied_online = self.is_publishing and not self._is_online
        elif message.topic == self._topics.owner:
            self._receive_owner(message, now_s)
        else:
            return False
        return True

    def _receive_owner(self, message: Received, now_s: float) -> None:
        owner, asks = _parsed(message.payload)
        if owner == self._me:
            self._has_read = self._has_read or asks
            self._other = self._other if asks else None
        elif owner is not None and asks:
            self._was_asked = True
        elif owner is not None:
            self._other = owner
            self._has_answered = self._has_answered or not message.retain
            self._since_s = now_s if self.is_publishing else self._since_s

    def step(self, now_s: float, *, can_read: bool = True) -> Step | None:
        """What is to be done now.

        "publish": the name is ours, publish everything, first `message`. "answer": publish `message` again. "announce":
        publish again that we are online, since somebody said that we are not. "stand_back": disconnect.

        Args:
            now_s: monotonic.
            can_read: whether the broker lets us read the topics.
        """
        waited_s = now_s - self._since_s
        match self._state:
            case "reading" if self._has_read or not can_read or waited_s >= READ_WITHIN_S:
                return self._judge(waited_s)
            case "publishing" if self._other is not None and waited_s >= SETTLED_AFTER_S:
                self._state = "standing_back"
            case "publishing":
                return self._reaction(now_s)
        return "stand_back" if self._state == "standing_back" else None

    def _judge(self, waited_s: float) -> Step | None:
        other = self._other
        if other is not None and (other.device != self._me.device or self._contested):
            if self._has_answered:
                self._state = "standing_back"
                return "stand_back"
            if self._is_online and waited_s < ANSWER_WITHIN_S:
                return None
        self._state, self._other = "publishing", None
        return "publish"

    def _reaction(self, now_s: float) -> Step | None:
        if self._was_asked:
            self._was_asked = False
            return "answer"
        if self._is_denied_online and now_s - self._announced_s >= _ANNOUNCE_EVERY_S:
            self._is_denied_online, self._announced_s = False, now_s
            return "announce"
        return None


def _payload(owner: Owner, *, asks: bool) -> bytes:
    return json.dumps({**asdict(owner), "asks": asks}, ensure_ascii=False).encode("utf-8", "replace")


def _parsed(payload: bytes) -> tuple[Owner | None, bool]:
    """Who it names, and whether it asks; nobody if it is malformed or withdrawn."""
    if len(payload) > _MOST_BYTES:
        return None, False
    try:
        content = parse(payload, "an owner")
    except BundleError:
        return None, False
    if not isinstance(content, dict):
        return None, False
    texts = [content.get(name) for name in ("device", "run", "host")]
    if not all(isinstance(text, str) and len(text) <= MOST_CHARACTERS for text in texts):
        return None, False
    device, run, host = map(str, texts)
    return Owner(device, run, host), content.get("asks") is True
