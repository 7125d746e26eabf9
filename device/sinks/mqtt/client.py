"""Publishes over MQTT: alarms until the broker has acknowledged each, and the newest of everything else.

Nothing is owed by this module: it takes from whoever owes, as much as may be unacknowledged at once, sends
it again after every loss of the connection, and says what was acknowledged. Its one thread connects, waits
and talks; nobody else ever waits for the network, and all that it holds is bounded. Touches no disk.

Alarms are published at QoS 1 into a session that begins empty each time: the broker keeps nothing for us,
and what it had not acknowledged comes again, first and in its order, so that it arrives at least once.
Import it only where a broker is configured: paho-mqtt takes a tenth of a second to import.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from device.commands import MAX_PAYLOAD_BYTES, parse_command
from device.errors import CommandError
from device.sinks.mqtt.connection import Trouble, hung_up, port_of, tls_context, trouble_of
from device.sinks.mqtt.send_queue import Outbox, OwedMessage
from device.sinks.mqtt.session import FAILURE, Login, Pace, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from device.commands import Command, Verb
    from device.config.settings import MqttSettings
    from device.sinks.mqtt.send_queue import Key
    from device.sinks.mqtt.session import Received
    from device.sinks.payloads import Message

LinkState = Literal[
    "connecting",
    "connected",
    "denied",  # connected, but some of what is published is not taken
    "refused",  # nothing but people can heal it
    "lost",
    "closed",
]

_CONNECTED: frozenset[LinkState] = frozenset({"connected", "denied"})
_TURN_S = 0.5
_MOST_DENIED = 1000  # topics
_BURST, _COMMANDS_A_SECOND = 10, 1.0  # people press buttons, and no faster
_ANNOUNCED_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Link:
    """How it stands with the broker.

    Attributes:
        state: of the connection.
        since_s: since when there is one, or there is none, by the clock that was handed in: since the broker was last
            heard, where it became silent, or since what it never acknowledged was sent.
        reason: one sentence: what is wrong, and what would help.
    """

    state: LinkState
    since_s: float
    reason: str

    @property
    def is_up(self) -> bool:
        """Whether there is a connection."""
        return self.state in _CONNECTED


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the start.

    Attributes:
        connected: times that the broker took us.
        acknowledged: changes of alarms.
        repeated: changes of alarms that were sent once more, since the connection was lost.
        denied: times that the broker said it would not take a change of an alarm.
        rejected: messages on the topics of commands that changed nothing.
        dropped: messages about the state for which there was no room.
    """

    connected: int = 0
    acknowledged: int = 0
    repeated: int = 0
    denied: int = 0
    rejected: int = 0
    dropped: int = 0


class Listener(Protocol):
    """Whom the broker's thread tells; each call returns at once and calls nothing of `Mqtt` that waits."""

    def connected(self) -> Iterable[Message]:
        """The broker took us, or Home Assistant has started: all that must be known from now on."""

    def acknowledged(self, key: Key) -> None:
        """The broker has it: it is owed no longer. Once this has returned there is room for another."""

    def commanded(self, command: Command) -> None:
        """Somebody asks for something."""


@dataclass(frozen=True, slots=True)
class Echo:
    """Where something of our own is to be read back.

    Attributes:
        topic: whole.
        heard: is given what came there and was not retained; by the broker's thread, so it returns at once.
    """

    topic: str
    heard: Callable[[bytes], None]


class Mqtt:
    """Talks to one broker, from `start` to `close`, by a thread of its own.

    Args:
        settings: with a host.
        client_id: of this instance; the broker parts with one of two that have the same.
        will: what the broker is to say when we die; we say it ourselves before we leave.
        password: None for none.
        listener: is told, by the broker's thread.
        commands: topic -> what is asked for there.
        birth_topic: where Home Assistant says `online` when it has started; None where nobody cares.
        echo: is listened to as well; None for nothing.
        pace: how long is waited for what.
        clock: monotonic, in seconds.

    Raises:
        ConfigError: an authority, certificate or key cannot be used.
    """

    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        will: Message,
        password: str | None,
        listener: Listener,
        commands: Mapping[str, Verb],
        birth_topic: str | None = None,
        echo: Echo | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._pace = pace or Pace()
        self._clock = clock
        self._tls = tls_context(settings)
        self._login = Login(client_id, settings.username, password, will)
        self._listener = listener
        self._echo = echo
        self._ear = Ear(commands, birth_topic, clock)
        self._outbox = Outbox(settings.in_flight)
        self._link = Link("connecting", clock(), "the first connection is being made")
        self._counts = Counts()
        self._denied: dict[str, str] = {}
        self._turned_s: float | None = None
        self._unanswered_since_s: float | None = None  # when the last connection was lost
        self._leave_by_s = float("inf")
        self._closing = threading.Event()
        self._said_farewell = False
        self._waker, self._waking = _wake_pair()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def __repr__(self) -> str:
        return f"Mqtt({self._settings.host}:{port_of(self._settings)}, {self._link.state}, {self._outbox!r})"

    @property
    def link(self) -> Link:
        """How it stands with the broker; from any thread."""
        return self._link

    @property
    def counts(self) -> Counts:
        """From any thread."""
        counts = self._counts
        return replace(counts, rejected=self._ear.rejected, dropped=self._outbox.dropped)

    @property
    def held(self) -> frozenset[Key]:
        """What was taken and is not acknowledged, and what the broker lately would not take: offer other than that."""
        return self._outbox.held(self._clock())

    @property
    def room(self) -> int:
        """How many alarms would be taken now."""
        self._outbox.retry_denied(self._clock())
        return self._outbox.room if self._link.is_up and not self._closing.is_set() else 0

    def stuck_for_s(self, now_s: float) -> float:
        """How long the thread has not turned; it turns twice a second, but to connect may take seconds."""
        turned_s = self._turned_s
        return 0.0 if turned_s is None or not self._thread.is_alive() else max(0.0, now_s - turned_s)

    def start(self) -> None:
        """Begin; once."""
        self._turned_s = self._clock()
        self._thread.start()

    def offer(self, messages: Iterable[OwedMessage]) -> int:
        """Accept, in order, as many as may be unacknowledged; how many. None while there is no connection.

        A change of an alarm is not accepted while an earlier one of that alarm is denied.
        """
        if not self.room:
            return 0
        taken = self._outbox.take(messages, self._clock())
        if taken:
            self._wake()
        return taken

    def publish(self, message: Message) -> None:
        """Tell the newest of its topic: now, or once there is a connection; if it is retained, after every new one."""
        self._outbox.put(message)
        self._wake()

    def close(self, deadline_s: float) -> bool:
        """Say the last will ourselves and leave; whether the broker heard it within so many seconds. Idempotent."""
        if not self._closing.is_set():
            self._leave_by_s = self._clock() + 0.9 * deadline_s
            self._closing.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(deadline_s)
        if not self._thread.is_alive():
            self._waker.close()
            self._waking.close()
        return self._said_farewell

    # --- the thread

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            begun_s = self._clock()
            trouble = self._connection()
            if self._clock() - begun_s >= self._pace.stable_s and not trouble.refused:
                failures = 0
            since_s = self._unanswered_since_s if trouble.since_s is None else trouble.since_s
            self._say("refused" if trouble.refused else "lost", trouble.reason, since_s)
            self._wait(self._delay_s(failures, refused=trouble.refused))
            failures += 1
        self._say("closed", "Auricle has left the broker")

    def _connection(self) -> Trouble:
        """One connection, from its begin to its end; why it ended."""
        session = Session(self._settings, self._login, self._tls, self._pace, self._clock)
        try:
            session.open()
            while session.is_open and not self._closing.is_set():
                self._turn(session)
            if session.is_open:
                self._leave(session)
        except OSError as error:
            return trouble_of(error, self._settings)
        except Exception as error:  # noqa: BLE001 - the last place that can catch it; without this thread nobody is told
            return Trouble(f"{type(error).__name__} on the way to the broker: {error}", refused=True)
        finally:
            session.close()
            self._unanswered_since_s = session.unanswered_since_s
            self._outbox.parted(session.unacknowledged_states)
        return session.trouble or hung_up(self._settings, client_id=self._login.client_id, accepted=session.is_accepted)

    def _turn(self, session: Session, longest_s: float = _TURN_S) -> None:
        self._turned_s = self._clock()
        if session.is_accepted:
            self._send(session)
        accepted = session.is_accepted
        session.wait(self._waking, min(longest_s, _TURN_S))
        if session.is_accepted and not accepted:
            self._begin(session)
        for message in session.take_received():
            self._hear(message)
        for published, code, name in session.take_acknowledged():
            self._settle(published, code, name)

    def _begin(self, session: Session) -> None:
        """The broker took us: what was on its way comes again, first; then all that must be known."""
        self._counts = replace(self._counts, connected=self._counts.connected + 1)
        self._denied.clear()
        session.subscribe(self._ear.topics, self._ear.birth_topic, None if self._echo is None else self._echo.topic)
        again = self._outbox.joined()
        self._counts = replace(self._counts, repeated=self._counts.repeated + again)
        self._say("connected", f"connected to {self._settings.host}:{port_of(self._settings)}")
        self._announce()

    def _announce(self) -> None:
        self._outbox.announce(self._listener.connected())

    def _send(self, session: Session) -> None:
        """Alarms first; the state has a share of its own, so that ten thousand alarms do not hide it."""
        if session.is_deaf and self._link.state == "connected":
            self._say("connected", "connected, but the broker does not let this client listen to commands")
        while session.takes_alarm(self._settings.in_flight) and (owed := self._outbox.next_alarm()) is not None:
            try:
                payload = owed.payload()
            except ValueError as error:
                self._deny(owed, str(error))
            else:
                session.publish(owed, topic=owed.topic, payload=payload, qos=1, retain=False)
        while session.takes_state() and (message := self._outbox.next_state()) is not None:
            session.publish(
                message, topic=message.topic, payload=message.payload, qos=message.qos, retain=message.retain
            )

    def _settle(self, published: OwedMessage | Message, code: int, name: str) -> None:
        if code >= FAILURE:
            self._deny(published, name.lower())
        else:
            self._accept(published)

    def _accept(self, published: OwedMessage | Message) -> None:
        if self._denied.pop(published.topic, None) is not None and not self._denied:
            self._say("connected", "the broker takes again what it did not")
        if isinstance(published, OwedMessage) and self._outbox.acknowledged(published.key, self._listener.acknowledged):
            self._counts = replace(self._counts, acknowledged=self._counts.acknowledged + 1)

    def _deny(self, published: OwedMessage | Message, why: str) -> None:
        if len(self._denied) < _MOST_DENIED:
            self._denied[published.topic] = why
        user = self._settings.username or "this client"
        self._say(
            "denied", f"the broker does not take {published.topic} ({why}): {user} must be allowed to write there"
        )
        if isinstance(published, OwedMessage):
            self._counts = replace(self._counts, denied=self._counts.denied + 1)
            self._outbox.denied(published.key, self._clock() + self._pace.denied_s)

    def _hear(self, message: Received) -> None:
        if self._echo is not None and message.topic == self._echo.topic:
            if not message.retain:
                self._echo.heard(message.payload)
            return
        if self._ear.is_birth(message):
            self._outbox.repeat()
            self._announce()
            return
        command = self._ear.command(message)
        if command is not None:
            self._listener.commanded(command)

    def _leave(self, session: Session) -> None:
        """What is on its way may arrive, in half of the time; then the last will, said by ourselves."""
        if not session.is_accepted:
            return
        half_s = (self._clock() + self._leave_by_s) / 2
        while session.is_open and (session.in_flight or self._outbox.has_unsent) and self._clock() < half_s:
            self._turn(session, half_s - self._clock())
        will = self._login.will
        session.publish(will, topic=will.topic, payload=will.payload, qos=1, retain=will.retain)
        while session.is_on_its_way(will) and (left_s := self._leave_by_s - self._clock()) > 0:
            session.wait(self._waking, min(left_s, _TURN_S))
        self._said_farewell = session.is_open and not session.is_on_its_way(will)
        session.disconnect()

    def _say(self, state: LinkState, reason: str, since_s: float | None = None) -> None:
        link, now_s = self._link, self._clock()
        kept = (state in _CONNECTED) == link.is_up
        self._link = Link(state, link.since_s if kept else now_s if since_s is None else since_s, reason)

    def _delay_s(self, failures: int, *, refused: bool) -> float:
        pace = self._pace
        longest_s = pace.refused_s if refused else min(pace.longest_s, pace.first_s * 2 ** min(failures, 16))
        return longest_s * random.uniform(0.5, 1.0)  # many that lost one broker do not come back at once

    def _wait(self, delay_s: float) -> None:
        until_s = self._clock() + delay_s
        while (left_s := until_s - self._clock()) > 0 and not self._closing.wait(min(left_s, _TURN_S)):
            self._turned_s = self._clock()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # it is awake already, or gone
            self._waker.send(b"\0")


# --- what is heard


class Ear:
    """Judges what comes from the broker: what is no command changes nothing and is counted."""

    def __init__(self, commands: Mapping[str, Verb], birth_topic: str | None, clock: Callable[[], float]) -> None:
        self._commands = dict(commands)
        self._clock = clock
        self._allowed, self._counted_s = float(_BURST), clock()
        self._announced_s = float("-inf")
        self.birth_topic = birth_topic
        self.rejected = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """Where people ask."""
        return tuple(self._commands)

    def is_birth(self, message: Received) -> bool:
        """Whether Home Assistant has started just now; the first word of a second counts."""
        if message.topic != self.birth_topic or message.retain or message.payload != b"online":
            return False
        now_s = self._clock()
        fresh = now_s - self._announced_s >= _ANNOUNCED_EVERY_S
        self._announced_s = now_s if fresh else self._announced_s
        return fresh

    def command(self, message: Received) -> Command | None:
        """What is asked for; None for what is retained (nobody asks for it now), too long, malformed or too much."""
        topic = message.topic
        if topic == self.birth_topic:
            return None
        verb = self._commands.get(topic)
        command = None
        if verb is not None and not message.retain and len(message.payload) <= MAX_PAYLOAD_BYTES:
            with contextlib.suppress(CommandError):
                command = parse_command(verb, message.payload, by="mqtt")
        if command is None or not self._is_allowed():
            self.rejected += 1
            return None
        return command

    def _is_allowed(self) -> bool:
        now_s = self._clock()
        refilled = self._allowed + (now_s - self._counted_s) * _COMMANDS_A_SECOND
        self._allowed, self._counted_s = min(float(_BURST), refilled), now_s
        if self._allowed < 1.0:
            return False
        self._allowed -= 1.0
        return True


def _wake_pair() -> tuple[socket.socket, socket.socket]:
    """(whoever writes to this, wakes whoever waits for that)."""
    waker, waking = socket.socketpair()
    waker.setblocking(False)
    waking.setblocking(False)
    return waker, waking
