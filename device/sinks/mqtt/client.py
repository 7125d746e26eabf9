"""Publishes over MQTT: alarms until the broker has acknowledged each, and the newest of everything else.

Keeps nothing for ever: it accepts from its owner as many alarms as may be unacknowledged at once, sends them again
after every loss of the connection, and reports what was acknowledged. Its one thread connects, waits, sends and
receives; nobody else ever waits for the network, and all that it holds is bounded. Touches no disk.

Alarms are published at QoS 1 into a session that begins empty each time: the broker keeps nothing for us,
and what it had not acknowledged is sent again, first and in order, so that it arrives at least once.
Import it only if a broker is configured: paho-mqtt takes a tenth of a second to import.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from device.sinks.mqtt.command_filter import CommandFilter
from device.sinks.mqtt.connection import Trouble, endpoint, hung_up, tls_context, trouble_of
from device.sinks.mqtt.flood.flood_breaker import FloodBreaker
from device.sinks.mqtt.link import CONNECTED_STATES, Counts, Link
from device.sinks.mqtt.loss_counter import LossCounter
from device.sinks.mqtt.ownership import Ownership, OwnTopics
from device.sinks.mqtt.paho_client import Login
from device.sinks.mqtt.send_queue import OwedMessage, SendQueue
from device.sinks.mqtt.session import FAILURE, Session, wake_pair
from device.sinks.mqtt.timeouts import SessionTimeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from device.commands import Verb
    from device.config.settings import MqttSettings
    from device.sinks.mqtt.link import Echo, Handler, LinkState, Received
    from device.sinks.mqtt.ownership import Owner
    from device.sinks.mqtt.send_queue import Held
    from device.sinks.payloads import Message

_TURN_S = 0.5
_MAX_DENIED_TOPICS = 1000


class Mqtt:
    """The client of one broker, from `start` to `close`; its work is done by a thread of its own.

    Args:
        settings: with a host.
        client_id: of this instance; of two clients with the same id the broker disconnects one.
        will: published by the broker if we die, and by ourselves before we disconnect; that we are offline.
        owner: who we are.
        owner_topic: where the broker keeps who publishes under our name.
        password: None for none.
        handler: called by the client's thread.
        commands: topic -> verb of the commands there.
        birth_topic: where Home Assistant publishes `online` when it has started; None for none.
        echo: a topic of our own to receive as well; None for none.
        timeouts: of sessions and retries; None for the usual ones.
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
        owner: Owner,
        owner_topic: str,
        password: str | None,
        handler: Handler,
        commands: Mapping[str, Verb],
        birth_topic: str | None = None,
        echo: Echo | None = None,
        timeouts: SessionTimeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._timeouts = timeouts or SessionTimeouts()
        self._clock = clock
        self._tls = tls_context(settings)
        self._will = will
        self._login = Login(client_id, settings.username, password, will)
        # Who asks whether the name is free must not push out who has it.
        self._asking_login = Login(f"{client_id}-{owner.run}", settings.username, password, None)
        self._ownership = Ownership(owner, OwnTopics(owner_topic, will.topic))
        self._owner_topic = owner_topic
        self._losses = LossCounter(self._timeouts.stable_s)
        self._is_name_free = False  # as was just asked
        self._is_contested = False  # our connection may have been given to another client of our id
        self._handler = handler
        self._echo = echo
        self._command_filter = CommandFilter(commands, birth_topic, clock)
        self._queue = SendQueue(settings.in_flight)
        self._link = Link("connecting", clock(), "the first connection is being made")
        self._counts = Counts()
        self._denied_topics: dict[str, str] = {}  # topic -> why
        self._breaker = FloodBreaker()
        self._last_turn_s: float | None = None
        self._unanswered_since_s: float | None = None
        self._lost_since_s: float | None = None  # until the broker answers over another connection
        self._leave_by_s = float("inf")
        self._closing = threading.Event()
        self._published_will = False
        self._waker, self._waking = wake_pair()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def __repr__(self) -> str:
        return f"Mqtt({endpoint(self._settings)}, {self._link.state}, {self._queue!r})"

    @property
    def link(self) -> Link:
        """State of the connection; from any thread."""
        return self._link

    @property
    def counts(self) -> Counts:
        """Totals since the start; from any thread."""
        commands = self._command_filter
        return replace(
            self._counts,
            rejected=commands.rejected,
            unread=commands.unread,
            rejection=commands.rejection,
            dropped=self._queue.dropped,
        )

    @property
    def held(self) -> Held:
        """Not to be offered now: accepted and not acknowledged, or denied by the broker a short time ago."""
        return self._queue.held(self._clock())

    @property
    def room(self) -> int:
        """How many changes of alarms would be accepted now."""
        self._queue.retry_denied(self._clock())
        return self._queue.room if self._link.is_up and not self._closing.is_set() else 0

    def stuck_for_s(self, now_s: float) -> float:
        """How long ago the thread last turned; it turns twice a second, but connecting may take seconds."""
        last_turn_s = self._last_turn_s
        return 0.0 if last_turn_s is None or not self._thread.is_alive() else max(0.0, now_s - last_turn_s)

    @property
    def unanswered_since_s(self) -> float | None:
        """Since when the broker has left something unacknowledged, by the client's clock; None if it has not.

        A new connection changes nothing about that, only an acknowledgement does.
        """
        return self._unanswered_since_s

    def start(self) -> None:
        """Start the thread; once."""
        self._last_turn_s = self._clock()
        self._thread.start()

    def offer(self, messages: Iterable[OwedMessage], generation: int) -> int:
        """Accept, in order, as many as may be unacknowledged; how many. None while there is no connection.

        A change of an alarm is not accepted while an earlier one of that alarm is denied.

        Args:
            messages: chosen by what was `held`.
            generation: of what was held; nothing is accepted if there is another connection by now.
        """
        if not self.room:
            return 0
        count = self._queue.accept(messages, self._clock(), generation)
        if count:
            self._wake()
        return count

    def publish(self, message: Message) -> None:
        """Publish the newest message of its topic: now, or once connected; a retained one over each connection."""
        self._queue.put(message)
        self._wake()

    def close(self, deadline_s: float) -> bool:
        """Publish the last will and disconnect; whether the broker acknowledged it within the deadline. Idempotent."""
        if not self._closing.is_set():
            self._leave_by_s = self._clock() + 0.9 * deadline_s
            self._closing.set()
        self._wake()
        if self._thread.ident is not None:
            self._thread.join(deadline_s)
        if not self._thread.is_alive():
            self._waker.close()
            self._waking.close()
        return self._published_will

    # --- the thread

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            begun_s = self._clock()
            trouble = self._run_connection()
            if self._is_name_free:
                self._is_name_free = False
                continue
            if self._clock() - begun_s >= self._timeouts.stable_s and not trouble.refused:
                failures = 0
            since_s = self._unanswered_since_s if trouble.since_s is None else trouble.since_s
            self._losses.lost(trouble.reason, self._clock())
            self._set_link("refused" if trouble.refused else "lost", trouble.reason, since_s)
            self._lost_since_s = self._link.since_s if self._lost_since_s is None else self._lost_since_s
            self._wait(self._delay_s(failures, refused=trouble.refused))
            failures += not trouble.flooded
        self._set_link("closed", "Auricle has left the broker")

    def _run_connection(self) -> Trouble:
        """Run one connection to its end; why it ended."""
        login = self._asking_login if self._is_contested else self._login
        session = Session(self._settings, login, self._tls, self._timeouts, self._clock)
        self._breaker.connection_opened()
        trouble = self._run_session(session)
        if self._ownership.is_publishing:
            self._is_contested = trouble.taken_over
        self._ownership.end()
        return trouble

    def _run_session(self, session: Session) -> Trouble:
        try:
            session.open()
            while session.is_open and not self._closing.is_set():
                self._turn(session)
            if session.is_open:
                self._leave(session)
        except OSError as error:
            return trouble_of(error, self._settings)
        except Exception as error:  # noqa: BLE001 - without this thread no alarm would be published any more
            return Trouble(f"{type(error).__name__} on the way to the broker: {error}", refused=True)
        finally:
            session.close()
            self._update_unanswered(session)
            self._queue.connection_closed(session.unacknowledged_states)
        return session.trouble or hung_up(self._settings, client_id=self._login.client_id, accepted=session.is_accepted)

    def _turn(self, session: Session, longest_s: float = _TURN_S) -> None:
        self._last_turn_s = self._clock()
        if self._ownership.is_publishing:
            self._send(session)
        session.wait(self._waking, min(longest_s, _TURN_S))
        for message in session.pop_received():
            self._receive(message)
        self._follow_flood(session)
        for published, code, name in session.pop_acknowledged():
            self._process_answer(published, code, name)
        if session.is_accepted and session.is_open:
            self._follow_ownership(session)
        self._update_unanswered(session)

    def _follow_flood(self, session: Session) -> None:
        step = self._breaker.step(session.dropped, self._clock())
        self._command_filter.count_unread(self._breaker.new)
        if step == "unsubscribe":
            session.unsubscribe()
        elif step == "subscribe" and self._ownership.is_publishing:
            session.subscribe_kept(self._ownership.topics)
            self._subscribe(session)

    def _subscribe(self, session: Session) -> None:
        echo_topic = None if self._echo is None else self._echo.topic
        session.subscribe(self._command_filter.topics, self._command_filter.birth_topic, echo_topic)

    def _update_unanswered(self, session: Session) -> None:
        if not session.is_accepted:
            return
        if session.has_answered or not (session.in_flight or self._queue.has_unsent):
            self._lost_since_s = None
        since_s = (self._lost_since_s, session.unanswered_since_s, self._queue.unacknowledged_since_s)
        self._unanswered_since_s = min((each for each in since_s if each is not None), default=None)

    def _follow_ownership(self, session: Session) -> None:
        """Publish nothing before it is known that no other device publishes under our name."""
        now_s = self._clock()
        if not self._ownership.is_begun:
            self._begin_ownership(session, now_s)
        match self._ownership.step(now_s, can_read=not session.is_subscription_denied):
            case "publish" if self._is_contested:  # the name is free again: connect under our own id
                self._is_contested, self._is_name_free = False, True
                self._ownership.end()
                session.disconnect()
            case "publish":
                self._start_session(session)
            case "answer":
                self._queue.put(self._ownership.message)
            case "announce":
                self._announce()
            case "stand_back":
                session.disconnect()
                session.trouble = Trouble(self._ownership.conflict, refused=True)
        self._follow_losses(now_s)

    def _begin_ownership(self, session: Session, now_s: float) -> None:
        self._ownership.begin(now_s, contested=self._is_contested)
        session.subscribe_kept(self._ownership.topics)
        question = self._ownership.question
        session.publish(question, topic=question.topic, payload=question.payload, qos=1, retain=False)

    def _follow_losses(self, now_s: float) -> None:
        """Once a connection has lasted, the losses before it are no problem any more."""
        self._losses.lasts(now_s)
        if self._link.losses and not self._losses.problem:
            self._set_link(self._link.state, self._link.reason)

    def _start_session(self, session: Session) -> None:
        """The name is ours: send first what was in flight before, then the full state."""
        self._counts = replace(self._counts, connected=self._counts.connected + 1)
        self._losses.made(self._clock())
        self._denied_topics.clear()
        session.is_subscription_denied = False
        if not self._breaker.is_open:
            self._subscribe(session)
        repeated = self._queue.connection_opened()
        self._counts = replace(self._counts, repeated=self._counts.repeated + repeated)
        self._link = replace(self._link, certificate=session.certificate)
        self._set_link("connected", f"connected to {endpoint(self._settings)}")
        self._queue.put(self._ownership.message)
        self._announce()

    def _announce(self) -> None:
        self._queue.announce(self._handler.connected())

    def _send(self, session: Session) -> None:
        """Send alarms first; other messages have their own share, so that ten thousand alarms do not delay them."""
        if session.is_subscription_denied and self._link.state == "connected":
            self._set_link("connected", "connected, but the broker does not let this client listen to commands")
        while session.can_send_alarm(self._settings.in_flight) and (owed := self._queue.next_alarm()) is not None:
            try:
                payload = owed.payload()
            except ValueError as error:
                self._deny(owed, str(error))
            else:
                session.publish(owed, topic=owed.topic, payload=payload, qos=1, retain=False)
        while session.can_send_state() and (message := self._queue.next_state()) is not None:
            session.publish(
                message, topic=message.topic, payload=message.payload, qos=message.qos, retain=message.retain
            )

    def _process_answer(self, published: OwedMessage | Message, code: int, name: str) -> None:
        if published.topic == self._owner_topic:
            return  # a broker that denies it lets no other device be recognized; all else works
        if code >= FAILURE:
            self._deny(published, name.lower())
        else:
            self._acknowledge(published)

    def _acknowledge(self, published: OwedMessage | Message) -> None:
        if self._denied_topics.pop(published.topic, None) is not None and not self._denied_topics:
            self._set_link("connected", "the broker takes again what it did not")
        if isinstance(published, OwedMessage) and self._queue.acknowledge(published.key, self._handler.acknowledged):
            self._counts = replace(self._counts, acknowledged=self._counts.acknowledged + 1)

    def _deny(self, published: OwedMessage | Message, why: str) -> None:
        if len(self._denied_topics) < _MAX_DENIED_TOPICS:
            self._denied_topics[published.topic] = why
        user = self._settings.username or "this client"
        self._set_link(
            "denied", f"the broker does not take {published.topic} ({why}): {user} must be allowed to write there"
        )
        if isinstance(published, OwedMessage):
            self._counts = replace(self._counts, denied=self._counts.denied + 1)
            self._queue.deny(published.key, self._clock() + self._timeouts.denied_s)

    def _receive(self, message: Received) -> None:
        if self._ownership.receive(message, self._clock()):
            return
        if self._echo is not None and message.topic == self._echo.topic:
            if not message.retain:
                self._echo.received(message.payload)
            return
        if self._command_filter.is_birth(message):
            self._queue.repeat_retained()
            self._announce()
            return
        command = self._command_filter.command(message)
        if command is not None:
            self._handler.commanded(command)

    def _leave(self, session: Session) -> None:
        """Wait half of the time for what is in flight, then publish the last will and disconnect."""
        if not self._ownership.is_publishing:
            session.disconnect()
            return
        half_s = (self._clock() + self._leave_by_s) / 2
        while session.is_open and (session.in_flight or self._queue.has_unsent) and self._clock() < half_s:
            self._turn(session, half_s - self._clock())
        will = self._will
        session.publish(will, topic=will.topic, payload=will.payload, qos=1, retain=will.retain)
        while session.is_in_flight(will) and (left_s := self._leave_by_s - self._clock()) > 0:
            session.wait(self._waking, min(left_s, _TURN_S))
        self._published_will = session.is_open and not session.is_in_flight(will)
        session.disconnect()

    def _set_link(self, state: LinkState, reason: str, since_s: float | None = None) -> None:
        link, now_s = self._link, self._clock()
        kept = (state in CONNECTED_STATES) == link.is_up
        begun_s = link.since_s if kept else now_s if since_s is None else since_s
        self._link = Link(state, begun_s, reason, self._losses.problem, link.certificate)

    def _delay_s(self, failures: int, *, refused: bool) -> float:
        timeouts = self._timeouts
        doubled_s = timeouts.first_s * 2 ** min(failures, 16)
        longest_s = timeouts.refused_s if refused else min(timeouts.longest_s, doubled_s)
        return longest_s * random.uniform(0.5, 1.0)  # many clients that lost one broker do not return at once

    def _wait(self, delay_s: float) -> None:
        until_s = self._clock() + delay_s
        while (left_s := until_s - self._clock()) > 0 and not self._closing.wait(min(left_s, _TURN_S)):
            self._last_turn_s = self._clock()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # a wake-up is pending already, or the socket is closed
            self._waker.send(b"\0")
