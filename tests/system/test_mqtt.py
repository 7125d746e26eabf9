"""Delivery over a real broker: owed alarms arrive, whatever happens to broker, network, login and certificates."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from device.commands import Acknowledge, Pause
from device.config.settings import MqttSettings
from device.messages import Alarm, Transition
from device.sinks import homeassistant, payloads
from device.sinks.mqtt import ownership
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.mqtt.timeouts import SessionTimeouts
from device.sinks.payloads import Message, Topics
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from device.commands import Command
    from device.config.settings import MqttProtocol
    from device.sinks.mqtt.send_queue import Key
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system

_TOPICS = Topics("auricle", "anna")
_CRY = _TOPICS.alarm("sound", model="cry", name="cry")
_BIRTH = homeassistant.birth_topic("homeassistant")
_OFFLINE = payloads.availability(_TOPICS, online=False)
_ONLINE = payloads.availability(_TOPICS, online=True)
_QUICK = SessionTimeouts(
    keepalive_s=1,
    answer_s=2.0,
    acknowledge_s=3.0,
    first_s=0.1,
    longest_s=0.4,
    refused_s=0.4,
    denied_s=0.3,
    stable_s=1.0,
)
_WITHIN_S = 20.0
_RIGHT, _WRONG = "right-one", "wrong-one"


def _until(holds: Callable[[], object], what: str, within_s: float = _WITHIN_S) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            pytest.fail(f"{what} did not happen within {within_s:g} s")
        time.sleep(0.005)


class Owner:
    """Owes alarms as the journal does: in order, until they are acknowledged; remembers each call.

    Attributes:
        owed: messages that are not acknowledged, in the order of publication.
        acknowledged: (key, time) of each, in order.
        commands: what people asked for.
        most_in_flight: alarms that were ever held at once.
    """

    def __init__(self, *, announce: Sequence[Message] = (_ONLINE,)) -> None:
        self.owed: dict[Key, OwedMessage] = {}
        self.acknowledged: list[tuple[Key, float]] = []
        self.commands: list[Command] = []
        self.connections = 0
        self.most_in_flight = 0
        self._announce = tuple(announce)
        self._lock = threading.Lock()

    def owe(self, *keys: Key, topic: str = _CRY, first: bool = False) -> None:
        fresh = {key: OwedMessage(key, topic, lambda key=key: _payload(key)) for key in keys}  # type: ignore[misc]
        with self._lock:
            self.owed = {**fresh, **self.owed} if first else {**self.owed, **fresh}

    def connected(self) -> Iterable[Message]:
        self.connections += 1
        return self._announce

    def acknowledged_(self, key: Key) -> None:
        with self._lock:
            self.acknowledged.append((key, time.monotonic()))
            del self.owed[key]

    def commanded(self, command: Command) -> None:
        self.commands.append(command)

    def paid(self) -> list[Key]:
        return [key for key, _ in self.acknowledged]

    def feed(self, mqtt: Mqtt) -> None:
        room = mqtt.room
        if room:
            held = mqtt.held
            with self._lock:
                offered = []
                for key, owed in self.owed.items():
                    if key not in held.keys:
                        offered.append(owed)
                    if len(offered) == room:
                        break
            mqtt.offer(offered, held.generation)
            self.most_in_flight = max(self.most_in_flight, len(mqtt.held.keys))  # before they are acknowledged

    def until_paid(self, mqtt: Mqtt, within_s: float = _WITHIN_S) -> None:
        _fed(self, mqtt, lambda: not self.owed, "the acknowledgement of all that is owed", within_s)


@dataclass
class _Handler:
    """Passes the calls of `Mqtt` on to an owner."""

    owner: Owner

    def connected(self) -> Iterable[Message]:
        return self.owner.connected()

    def acknowledged(self, key: Key) -> None:
        self.owner.acknowledged_(key)

    def commanded(self, command: Command) -> None:
        self.owner.commanded(command)


def _fed(owner: Owner, mqtt: Mqtt, holds: Callable[[], object], what: str, within_s: float = _WITHIN_S) -> None:
    def fed_and_holds() -> object:
        owner.feed(mqtt)
        return holds()

    _until(fed_and_holds, what, within_s)


def _more_paid(owner: Owner, than: int) -> bool:
    return len(owner.paid()) > than


def _payload(key: Key) -> bytes:
    return json.dumps({"alarm_id": key[0], "seq": key[1]}).encode()


class Subscriber:
    """Another client of the broker, as users have them; keeps a session if it has an id.

    Attributes:
        heard: (topic, payload, retained) of each message.
    """

    def __init__(self, port: int, topic: str = "auricle/#", *, session: str = "") -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._ready = threading.Event()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, session, clean_session=not session, protocol=MQTTProtocolVersion.MQTTv311
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.on_message = lambda _c, _d, said: self.heard.append((said.topic, bytes(said.payload), said.retain))
        self._client.connect("127.0.0.1", port, 5)
        self._client.loop_start()
        assert self._ready.wait(_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish; returns when the broker has it."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(_WITHIN_S)

    def keys(self) -> list[Key]:
        told = [json.loads(payload) for topic, payload, _ in list(self.heard) if "/alarm/" in topic]
        return [(alarm["alarm_id"], alarm["seq"]) for alarm in told]

    def of(self, topic: str) -> list[bytes]:
        return [payload for name, payload, _ in list(self.heard) if name == topic]


class Telling:
    """Makes instances of `Mqtt` and closes them."""

    def __init__(self) -> None:
        self._open: list[Mqtt] = []

    def begin(
        self,
        settings: MqttSettings,
        owner: Owner,
        *,
        password: str | None = None,
        timeouts: SessionTimeouts = _QUICK,
        client_id: str = "auricle-anna",
    ) -> Mqtt:
        mqtt = Mqtt(
            settings,
            client_id=client_id,
            will=_OFFLINE,
            owner=ownership.Owner("device", secrets.token_hex(4), "host"),
            owner_topic=_TOPICS.owner,
            password=password,
            handler=_Handler(owner),
            commands=_TOPICS.commands,
            birth_topic=_BIRTH,
            timeouts=timeouts,
        )
        self._open.append(mqtt)
        mqtt.start()
        return mqtt

    def close(self) -> None:
        for mqtt in self._open:
            mqtt.close(3.0)


@pytest.fixture
def telling() -> Iterator[Telling]:
    made = Telling()
    yield made
    made.close()


def _settings(broker: Mosquitto, **other: Any) -> MqttSettings:
    return MqttSettings(host="127.0.0.1", port=broker.port, **other)


def _up(mqtt: Mqtt) -> None:
    _until(lambda: mqtt.link.is_up, f"a connection ({mqtt.link})")


def _reason(mqtt: Mqtt, state: str) -> str:
    _until(lambda: mqtt.link.state == state, f"the state {state} ({mqtt.link})")
    return mqtt.link.reason


_PROTOCOLS: tuple[MqttProtocol, ...] = ("5", "3.1.1")
both = pytest.mark.parametrize("protocol", _PROTOCOLS)


# --- owed alarms


@both
def test_what_is_owed_arrives_in_order_and_is_owed_no_longer(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    keys = [(f"a{number // 3}", number % 3) for number in range(150)]
    owner.owe(*keys)
    with Subscriber(broker.port) as subscriber:
        mqtt = telling.begin(_settings(broker, protocol=protocol), owner)
        owner.until_paid(mqtt)
        _until(lambda: len(subscriber.keys()) == len(keys), "all alarms arriving")
        assert subscriber.keys() == keys == owner.paid()
        assert not any(retained for _, _, retained in subscriber.heard)
        assert mqtt.counts == replace(mqtt.counts, connected=1, acknowledged=150, repeated=0, denied=0)


@both
def test_what_was_on_its_way_when_the_broker_died_comes_again_first_and_nothing_is_lost(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    with Subscriber(broker.port) as before:
        mqtt = telling.begin(_settings(broker, protocol=protocol, in_flight=10), owner)
        _up(mqtt)
        broker.signal(signal.SIGSTOP)  # messages from now on are not acknowledged
        owner.owe(*((f"a{number}", 0) for number in range(100)))
        owner.feed(mqtt)
        _until(lambda: len(mqtt.held.keys) == 10, "ten alarms on their way")
        sent = sorted(mqtt.held.keys)
        broker.kill()
        _reason(mqtt, "lost")
        assert not before.keys()
        assert not owner.paid()
        assert mqtt.room == 0, "what comes before a connection waits where it is owed"
        broker.start()
        owner.until_paid(mqtt)
    assert sorted(owner.paid()[:10]) == sent
    assert Counter(owner.paid()) == Counter({(f"a{number}", 0): 1 for number in range(100)})
    assert mqtt.counts.repeated == 10


def test_copies_that_come_of_a_lost_connection_carry_one_key(
    broker: Mosquitto, telling: Telling, private_folder: Path
) -> None:
    broker.kill()
    broker.configure("persistence true", "max_queued_messages 0")
    broker.start()
    owner = Owner()
    keys = [(f"a{number}", 0) for number in range(3000)]
    with Subscriber(broker.port, session="people") as subscriber:
        broker.signal(signal.SIGUSR1)  # the subscription outlives the broker
        _until((private_folder / "mosquitto.db").exists, "the broker saving")
        owner.owe(*keys)
        mqtt = telling.begin(_settings(broker), owner)
        for _ in range(3):
            wanted = len(owner.paid()) + 50
            _fed(owner, mqtt, partial(_more_paid, owner, wanted), "some being told")
            broker.kill()
            broker.start()
        before = len(owner.paid())
        owner.until_paid(mqtt)
        late = set(owner.paid()[before:])
        _until(lambda: late <= set(subscriber.keys()), "the last alarms arriving")
        assert set(subscriber.keys()) <= set(keys)
    assert Counter(owner.paid()) == Counter(keys), "each is acknowledged once, however often it was sent"
    assert mqtt.counts.repeated >= 3


def test_an_urgent_alarm_comes_first_after_a_reconnect_though_ten_thousand_are_owed(
    broker: Mosquitto, telling: Telling
) -> None:
    owner = Owner()
    mqtt = telling.begin(_settings(broker, in_flight=20), owner)
    _up(mqtt)
    broker.kill()
    _reason(mqtt, "lost")
    owner.owe(*((f"old{number}", 0) for number in range(10_000)))
    owner.owe(("urgent", 0), first=True)
    broker.start()
    _up(mqtt)
    up_s = time.monotonic()
    owner.until_paid(mqtt, within_s=60.0)
    urgent_s = next(at_s for key, at_s in owner.acknowledged if key == ("urgent", 0))
    assert urgent_s - up_s < 1.0
    assert len(owner.paid()) == 10_001
    assert 0 < owner.most_in_flight <= 20


def test_an_urgent_alarm_overtakes_what_is_owed_while_it_is_being_told(broker: Mosquitto, telling: Telling) -> None:
    owner = Owner()
    owner.owe(*((f"old{number}", 0) for number in range(5000)))
    mqtt = telling.begin(_settings(broker, in_flight=20), owner)
    _fed(owner, mqtt, lambda: len(owner.paid()) > 200, "some alarms being told")
    owner.owe(("urgent", 0), first=True)
    before = len(owner.paid())
    _fed(owner, mqtt, lambda: ("urgent", 0) in owner.paid(), "the urgent one being told")
    assert owner.paid().index(("urgent", 0)) <= before + 2 * 20


def test_no_more_is_on_its_way_than_the_broker_allows(broker: Mosquitto, telling: Telling) -> None:
    broker.kill()
    broker.configure("max_inflight_messages 3")  # it disconnects a client of MQTT 5 that sends more
    broker.start()
    owner = Owner(announce=[Message(f"auricle/anna/x{number}", b"1", retain=True) for number in range(50)])
    owner.owe(*((f"a{number}", 0) for number in range(500)))
    mqtt = telling.begin(_settings(broker, in_flight=100), owner)
    owner.until_paid(mqtt)
    assert mqtt.counts.connected == 1


def test_how_late_it_is_is_said_anew_for_each_try(broker: Mosquitto, telling: Telling) -> None:
    owner, tries = Owner(), []

    def payload() -> bytes:
        tries.append(time.monotonic())
        return _payload(("a", len(tries)))

    with Subscriber(broker.port) as _:
        mqtt = telling.begin(_settings(broker), owner)
        _up(mqtt)
        broker.signal(signal.SIGSTOP)
        owner.owed["a", 0] = OwedMessage(("a", 0), _CRY, payload)
        owner.feed(mqtt)
        _until(lambda: tries, "the first try")
        broker.kill()
        broker.start()
        owner.until_paid(mqtt)
    assert len(tries) >= 2


# --- broker, network


@both
def test_a_broker_that_hangs_is_noticed_and_what_was_on_its_way_comes_again(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    mqtt = telling.begin(_settings(broker, protocol=protocol), owner)
    _up(mqtt)
    broker.signal(signal.SIGSTOP)
    stopped_s = time.monotonic()
    assert "silent" in _reason(mqtt, "lost") or "answer" in mqtt.link.reason
    since_s = mqtt.link.since_s
    assert since_s < stopped_s + 0.5, "it is as long ago as the broker was last heard, not as that was noticed"
    owner.owe(("a", 0))
    time.sleep(1.0)
    assert mqtt.link.since_s == since_s, "it is as long ago as the connection was lost, however often it is tried"
    broker.signal(signal.SIGCONT)
    owner.until_paid(mqtt)
    assert mqtt.link.since_s > since_s


def test_a_broker_that_answers_pings_and_acknowledges_nothing_is_left(broker: Mosquitto, telling: Telling) -> None:
    with _Deaf(broker.port) as between:
        owner = Owner()
        owner.owe(("a", 0))
        settings = MqttSettings(host="127.0.0.1", port=between.port, protocol="3.1.1")
        mqtt = telling.begin(settings, owner, timeouts=replace(_QUICK, keepalive_s=1, acknowledge_s=1.5))
        _up(mqtt)
        owner.feed(mqtt)
        assert "acknowledged nothing" in _reason(mqtt, "lost")
        between.deaf = False
        owner.until_paid(mqtt)


class _Deaf:
    """A proxy between a client and a broker of MQTT 3.1.1; while it is deaf, it holds acknowledgements back."""

    def __init__(self, port: int) -> None:
        self.deaf = True
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for each in (self._listening, *self._sockets):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            broker = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [client, broker]
            threading.Thread(target=self._carry, args=(client, broker, False), daemon=True).start()
            threading.Thread(target=self._carry, args=(broker, client, True), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, back: bool) -> None:  # noqa: FBT001 - a thread's argument
        try:
            while data := source.recv(65536):
                sink.sendall(self._kept(data) if back and self.deaf else data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    @staticmethod
    def _kept(data: bytes) -> bytes:
        """The packets without PUBACKs; the broker's packets here are short and whole."""
        kept, rest = b"", data
        while rest:
            length = 2 + rest[1]
            kept, rest = kept + (b"" if rest[0] == 0x40 else rest[:length]), rest[length:]
        return kept


def test_nothing_waits_for_a_broker_that_takes_the_connection_and_says_nothing(telling: Telling) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        owner = Owner()
        begun_s = time.monotonic()
        settings = MqttSettings(host="127.0.0.1", port=mute.getsockname()[1])
        mqtt = telling.begin(settings, owner, timeouts=replace(_QUICK, answer_s=0.3))
        for number in range(5000):
            mqtt.publish(Message(f"auricle/anna/x{number}", b"1", retain=True))
        assert mqtt.offer([OwedMessage(("a", 0), _CRY, lambda: b"")], 0) == 0
        assert time.monotonic() - begun_s < 1.0
        assert mqtt.counts.dropped == 4000
        assert "does not answer" in _reason(mqtt, "lost")


def test_no_broker_at_all_is_a_lost_network_and_is_tried_at_a_capped_pace(broker: Mosquitto, telling: Telling) -> None:
    broker.kill()
    mqtt = telling.begin(_settings(broker), Owner())
    assert "nothing listens" in _reason(mqtt, "lost")
    time.sleep(2.0)
    broker.start()
    begun_s = time.monotonic()
    _up(mqtt)
    assert time.monotonic() - begun_s < 0.4 + 2.0, "the longest wait, and a busy machine"


def test_an_unknown_name_is_a_lost_network(telling: Telling) -> None:
    mqtt = telling.begin(MqttSettings(host="no-such-broker.invalid"), Owner())
    assert "no-such-broker.invalid" in _reason(mqtt, "lost")


def test_two_clients_of_one_id_are_told_and_do_not_chase_each_other(broker: Mosquitto, telling: Telling) -> None:
    first = telling.begin(_settings(broker), Owner(), timeouts=replace(_QUICK, first_s=60.0, longest_s=60.0))
    _up(first)
    second = telling.begin(_settings(broker), Owner())
    _up(second)
    assert "another client" in _reason(first, "lost")
    time.sleep(0.5)
    assert second.link.is_up


# --- logging in


def _with_password(broker: Mosquitto, folder: Path, *more: str, password: str = _RIGHT) -> None:
    command = [program("mosquitto_passwd"), "-b", "-c", str(folder / "passwords"), "auricle", password]
    subprocess.run(command, check=True, capture_output=True)
    broker.kill()
    broker.configure("allow_anonymous false", f"password_file {folder / 'passwords'}", *more)
    broker.start()


@both
def test_a_login_that_is_refused_is_no_lost_network_and_is_tried_slowly(
    broker: Mosquitto, telling: Telling, private_folder: Path, protocol: MqttProtocol
) -> None:
    _with_password(broker, private_folder)
    owner = Owner()
    owner.owe(("a", 0))
    settings = _settings(broker, protocol=protocol, username="auricle")
    wrong = telling.begin(settings, owner, password=_WRONG, timeouts=replace(_QUICK, refused_s=60.0))
    right = telling.begin(settings, owner, password=_RIGHT, client_id="right")
    assert "refuses the login" in _reason(wrong, "refused")
    assert _WRONG not in repr(wrong)
    owner.until_paid(right)
    time.sleep(1.0)
    assert broker.log.count("auricle-anna") <= 4, "one try: its connection, refusal and end"


def test_a_login_that_was_refused_is_let_in_once_the_password_is_right(
    broker: Mosquitto, telling: Telling, private_folder: Path
) -> None:
    _with_password(broker, private_folder, password=_WRONG)
    mqtt = telling.begin(_settings(broker, username="auricle"), Owner(), password=_RIGHT)
    _reason(mqtt, "refused")
    _with_password(broker, private_folder, password=_RIGHT)
    _up(mqtt)


def _denying(folder: Path, *rights: str) -> str:
    path = folder / "rights"
    path.write_text("\n".join(["user auricle", *rights, ""]))
    path.chmod(0o600)
    return f"acl_file {path}"


def test_an_alarm_that_the_broker_does_not_take_stays_owed_until_it_may_be_written(
    broker: Mosquitto, telling: Telling, private_folder: Path
) -> None:
    rights = ("topic write auricle/anna/available", "topic write auricle/anna/alarm/technical/#")
    _with_password(broker, private_folder, _denying(private_folder, *rights))
    owner = Owner()
    keys = [("a", 0), ("a", 1), ("b", 0), ("a", 2)]
    owner.owe(*keys)
    mqtt = telling.begin(_settings(broker, username="auricle"), owner, password=_RIGHT)
    _fed(owner, mqtt, lambda: mqtt.counts.denied >= 3, "the broker denying")
    assert "auricle must be allowed to write" in _reason(mqtt, "denied")
    assert _CRY in mqtt.link.reason
    owner.owe(("fault", 0), topic=_TOPICS.alarm("technical", model="", name="silence"))
    _fed(owner, mqtt, lambda: owner.paid() == [("fault", 0)], "what may be written arriving even so")
    _denying(private_folder, "topic readwrite auricle/anna/#")
    broker.signal(signal.SIGHUP)
    owner.until_paid(mqtt)
    assert [key for key in owner.paid() if key[0] == "a"] == [("a", 0), ("a", 1), ("a", 2)]
    assert mqtt.link.state == "connected"
    assert mqtt.counts.connected == 1


def test_mqtt_3_cannot_say_that_an_alarm_is_not_taken(
    broker: Mosquitto, telling: Telling, private_folder: Path
) -> None:
    _with_password(broker, private_folder, _denying(private_folder, "topic write auricle/anna/available"))
    owner = Owner()
    owner.owe(("a", 0))
    mqtt = telling.begin(_settings(broker, protocol="3.1.1", username="auricle"), owner, password=_RIGHT)
    owner.until_paid(mqtt)
    assert mqtt.counts.denied == 0, "MQTT 3.1.1 acknowledges what is thrown away; docs/mqtt.md says so"


# --- TLS


class Authority:
    """Signs certificates, with openssl, for tests."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        self._openssl(
            "req",
            "-x509",
            *_NEW_KEY,
            "-keyout",
            self._key,
            "-out",
            self.certificate,
            "-subj",
            f"/CN={name}",
            "-days",
            "2",
        )

    def sign(self, name: str, *, days: int = 2, alternative: str = "IP:127.0.0.1") -> tuple[Path, Path]:
        """A certificate and its key; one of 0 days has expired when this returns."""
        certificate, key, request = (self._folder / f"{name}{end}" for end in (".pem", ".key", ".csr"))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n")
        self._openssl("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
            "-days", str(days), "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        if days == 0:  # OpenSSL 3.5 refuses a negative number
            time.sleep(1.1)
        return certificate, key

    @staticmethod
    def _openssl(*arguments: str | Path) -> None:
        subprocess.run([program("openssl"), *arguments], check=True, capture_output=True)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _with_tls(broker: Mosquitto, authority: Authority, server: tuple[Path, Path], *more: str) -> None:
    broker.kill()
    certificate, key = server
    broker.configure(f"cafile {authority.certificate}", f"certfile {certificate}", f"keyfile {key}", *more)
    broker.start()


@pytest.fixture
def authority(private_folder: Path) -> Authority:
    return Authority(private_folder)


@both
def test_a_broker_whose_own_authority_is_configured_is_trusted(
    broker: Mosquitto, telling: Telling, authority: Authority, protocol: MqttProtocol
) -> None:
    _with_tls(broker, authority, authority.sign("server"))
    owner = Owner()
    owner.owe(*((f"a{number}", 0) for number in range(300)))
    settings = _settings(broker, protocol=protocol, tls=True, ca_file=str(authority.certificate))
    mqtt = telling.begin(settings, owner)
    owner.until_paid(mqtt)
    assert mqtt.counts.connected == 1


def test_what_is_wrong_with_a_brokers_certificate_is_said_and_no_password_is_sent(
    broker: Mosquitto, telling: Telling, authority: Authority, private_folder: Path
) -> None:
    other = Authority(private_folder, "other")
    cases = [
        (authority.sign("expired", days=0), authority, "has expired"),
        (authority.sign("elsewhere", alternative="DNS:elsewhere"), authority, "not for 127.0.0.1"),
        (authority.sign("server"), other, "not vouched for"),
        (authority.sign("server2"), None, "set ca_file"),
    ]
    for server, trusted, said in cases:
        _with_tls(broker, authority, server)
        ca_file = str(trusted.certificate) if trusted else None
        mqtt = telling.begin(_settings(broker, tls=True, ca_file=ca_file, username="u"), Owner(), password=_RIGHT)
        assert said in _reason(mqtt, "refused")
        mqtt.close(3.0)
        assert "as auricle-anna" not in broker.log


@pytest.fixture
def ipv6_broker(private_folder: Path) -> Iterator[Mosquitto]:
    from tests.system.conftest import Mosquitto

    running = Mosquitto(private_folder, address="::1")
    running.start()
    yield running
    running.kill()


@both
def test_a_broker_at_an_address_of_ipv6_receives_what_is_owed(
    ipv6_broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    owner.owe(("a", 0))
    mqtt = telling.begin(MqttSettings(host="::1", port=ipv6_broker.port, protocol=protocol), owner)
    owner.until_paid(mqtt)
    assert mqtt.link.reason == f"connected to [::1]:{ipv6_broker.port}"


def test_a_certificate_for_an_address_of_ipv6_is_compared_with_it(
    ipv6_broker: Mosquitto, telling: Telling, authority: Authority
) -> None:
    _with_tls(ipv6_broker, authority, authority.sign("server", alternative="IP:::1"))
    settings = MqttSettings(host="::1", port=ipv6_broker.port, tls=True, ca_file=str(authority.certificate))
    owner = Owner()
    owner.owe(("a", 0))
    mqtt = telling.begin(settings, owner)
    owner.until_paid(mqtt)
    mqtt.close(3.0)
    for alternative in ("IP:::2", "IP:127.0.0.1", "DNS:localhost"):
        _with_tls(ipv6_broker, authority, authority.sign("elsewhere", alternative=alternative))
        refused = telling.begin(settings, Owner())
        reason = "the broker's certificate is not for ::1: name the host as its certificate does"
        assert _reason(refused, "refused") == reason
        refused.close(3.0)


def test_a_port_of_ipv6_on_which_nothing_listens_is_one_sentence(ipv6_broker: Mosquitto, telling: Telling) -> None:
    ipv6_broker.kill()
    mqtt = telling.begin(MqttSettings(host="::1", port=ipv6_broker.port), Owner())
    assert _reason(mqtt, "lost") == f"nothing listens at [::1]:{ipv6_broker.port}: is the broker running?"


def test_a_port_without_tls_and_one_with_it_are_told(broker: Mosquitto, telling: Telling, authority: Authority) -> None:
    plain = telling.begin(_settings(broker, tls=True, ca_file=str(authority.certificate)), Owner())
    _until(lambda: plain.link.state in {"lost", "refused"}, "the first try")
    assert "speak TLS" in plain.link.reason
    _with_tls(broker, authority, authority.sign("server"))
    encrypted = telling.begin(_settings(broker), Owner())
    assert "without TLS" in _reason(encrypted, "lost")


def test_a_client_is_known_by_its_certificate(
    broker: Mosquitto, telling: Telling, authority: Authority, private_folder: Path
) -> None:
    rights = private_folder / "rights"
    rights.write_text("user anna\ntopic readwrite auricle/anna/#\n")
    rights.chmod(0o600)
    own = ("require_certificate true", "use_identity_as_username true", f"acl_file {rights}")
    _with_tls(broker, authority, authority.sign("server"), *own)

    def settings(name: str | None, days: int = 2) -> MqttSettings:
        files = [str(path) for path in authority.sign(name, days=days)] if name else [None, None]
        known = {"tls": True, "ca_file": str(authority.certificate)}
        return _settings(broker, cert_file=files[0], key_file=files[1], **known)

    owner, stranger = Owner(), Owner()
    owner.owe(("a", 0))
    owner.until_paid(telling.begin(settings("anna"), owner))
    stranger.owe(("a", 0))
    berta = telling.begin(settings("berta"), stranger, client_id="berta")
    _fed(stranger, berta, lambda: berta.counts.denied, "the broker denying")
    without = telling.begin(settings(None), Owner(), client_id="without")
    assert "cert_file" in _reason(without, "refused")
    expired = telling.begin(settings("carla", days=0), Owner(), client_id="carla")
    assert "expired" in _reason(expired, "refused")


# --- current state


def test_the_newest_of_each_topic_is_told_once_there_is_a_connection_and_after_every_new_one(
    broker: Mosquitto, telling: Telling
) -> None:
    broker.kill()
    mqtt = telling.begin(_settings(broker), Owner())
    for number in range(100):
        mqtt.publish(Message("auricle/anna/state", b"%d" % number, retain=True))
        mqtt.publish(Message("auricle/anna/level", b"%d" % number, qos=0))
    broker.start()
    with Subscriber(broker.port) as subscriber:
        _until(lambda: subscriber.of("auricle/anna/state"), "the state arriving")
        _until(lambda: subscriber.of(_ONLINE.topic), "the availability arriving")
        assert set(subscriber.of("auricle/anna/state")) == {b"99"}
        assert subscriber.of("auricle/anna/level") in ([], [b"99"])
    broker.kill()  # and with it all retained messages
    broker.start()
    with Subscriber(broker.port) as subscriber:
        _until(lambda: subscriber.of("auricle/anna/state") == [b"99"], "the state arriving again")
        _until(lambda: subscriber.of(_ONLINE.topic) == [b"online"], "the availability arriving again")
        assert not subscriber.of("auricle/anna/level"), "what is not retained is told once"


@both
def test_all_is_told_again_when_home_assistant_starts(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    announced = homeassistant.AnnouncedDevice("auricle_1", _TOPICS, "homeassistant", (("cry", "cry"),), "0.1.0")
    owner = Owner(announce=(homeassistant.discovery(announced, {}), _ONLINE))
    with Subscriber(broker.port, "#") as subscriber:
        mqtt = telling.begin(_settings(broker, protocol=protocol), owner)
        mqtt.publish(payloads.sound(_TOPICS, "cry", "cry", on=True))
        wanted = (announced.topic, _ONLINE.topic, _TOPICS.sound("cry", "cry"))
        _until(lambda: all(subscriber.of(topic) for topic in wanted), "the first announcement")
        _until(lambda: "SUBSCRIBE" in broker.log and _BIRTH in broker.log, "the subscription")
        subscriber.heard.clear()
        subscriber.say(_BIRTH, b"offline")
        subscriber.say(_BIRTH, homeassistant.BIRTH.encode())
        _until(lambda: all(subscriber.of(topic) for topic in wanted), "the second announcement")
        subscriber.heard.clear()
        for _ in range(200):  # another client floods the broker
            subscriber.say(_BIRTH, homeassistant.BIRTH.encode())
        time.sleep(0.3)
        assert len(subscriber.of(announced.topic)) <= 3
        assert mqtt.counts.rejected == 0


# --- closing


def test_the_broker_says_offline_for_one_that_died(broker: Mosquitto) -> None:
    with Subscriber(broker.port) as subscriber:
        script = _CHILD.format(port=broker.port)
        root = str(Path(__file__).resolve().parents[2])
        child = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": root})
        try:
            _until(lambda: subscriber.of(_ONLINE.topic) == [b"online"], "the child being online")
        finally:
            child.kill()
            child.wait()
        _until(lambda: subscriber.of(_ONLINE.topic) == [b"online", b"offline"], "the last will")
    with Subscriber(broker.port) as later:
        _until(lambda: (_ONLINE.topic, b"offline", True) in later.heard, "the retained last will")


_CHILD = """
import time
from device.config.settings import MqttSettings
from device.messages import Alarm, Transition
from device.sinks import payloads
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.ownership import Owner

topics = payloads.Topics("auricle", "anna")

class Handler:
    def connected(self):
        return [payloads.availability(topics, online=True)]

settings = MqttSettings(host="127.0.0.1", port={port})
will = payloads.availability(topics, online=False)
me = dict(owner=Owner("device", "run", "host"), owner_topic=topics.owner)
Mqtt(settings, client_id="child", will=will, password=None, handler=Handler(), commands={{}}, **me).start()
time.sleep(60)
"""


@both
def test_a_clean_leave_says_offline_first_and_leaves_no_will_behind(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    with Subscriber(broker.port) as subscriber:
        mqtt = telling.begin(_settings(broker, protocol=protocol), owner)
        _up(mqtt)
        owner.owe(("a", 0))
        owner.feed(mqtt)
        mqtt.publish(payloads.sound(_TOPICS, "cry", "cry", on=False))
        assert mqtt.close(5.0)
        assert mqtt.close(5.0), "again, and nothing happens"
        _until(lambda: subscriber.of(_ONLINE.topic) == [b"online", b"offline"], "offline arriving")
        assert owner.paid() == [("a", 0)], "what was on its way had time to arrive"
        assert subscriber.of(_TOPICS.sound("cry", "cry")) == [b"OFF"]
        time.sleep(0.2)
        assert subscriber.of(_ONLINE.topic) == [b"online", b"offline"], "no will comes after"
        assert "Sending will" not in broker.log
    assert mqtt.link.state == "closed"
    assert mqtt.offer([OwedMessage(("b", 0), _CRY, lambda: b"")], 1) == 0


def test_leaving_a_broker_that_hangs_takes_no_longer_than_it_may(broker: Mosquitto, telling: Telling) -> None:
    owner = Owner()
    mqtt = telling.begin(_settings(broker), owner, timeouts=replace(_QUICK, keepalive_s=30, acknowledge_s=30))
    _up(mqtt)
    broker.signal(signal.SIGSTOP)
    owner.owe(("a", 0))
    owner.feed(mqtt)
    begun_s = time.monotonic()
    assert not mqtt.close(1.0)
    assert time.monotonic() - begun_s < 1.5
    assert mqtt.link.state == "closed"


# --- commands


@both
def test_a_command_is_heard_and_what_is_none_changes_nothing(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    acknowledge, pause = _TOPICS.command("acknowledge"), _TOPICS.command("pause")
    with Subscriber(broker.port) as people:
        people.say(acknowledge, b'{"alarm_id": "kept by the broker"}', retain=True)
        mqtt = telling.begin(_settings(broker, protocol=protocol), owner)
        _up(mqtt)
        _until(lambda: "SUBACK" in broker.log.split("auricle-anna")[-1] or people.of(_ONLINE.topic), "the subscription")
        time.sleep(0.2)
        hostile = [
            (acknowledge, b"\xff\xfe"),
            (acknowledge, b"[" * 900),
            (acknowledge, b'{"alarm_id": 7}'),
            (acknowledge, b'{"alarm_id": "a", "and": "more"}'),
            (acknowledge, b" " * 2000),
            (pause, b'{"duration_s": 1e9}'),
            (pause, b'{"duration_s": NaN}'),
            (pause, b""),
        ]
        for topic, payload in hostile:
            people.say(topic, payload)
        people.say(f"{_TOPICS.base}/command/reboot", b"{}")
        people.say(f"{_TOPICS.base}/command/pause/now", b'{"duration_s": 60}')
        people.say("auricle/other/command/pause", b'{"duration_s": 60}')
        people.say(acknowledge, homeassistant.PRESS.encode())
        people.say(pause, b'{"duration_s": 60}')
        _until(lambda: len(owner.commands) >= 2, "the commands being heard")
        assert owner.commands == [Acknowledge(None, "mqtt"), Pause(60.0, "mqtt")]
        assert mqtt.counts.rejected >= len(hostile)
        assert mqtt.counts.connected == 1


def test_a_flood_of_commands_is_cut_off_and_alarms_go_on(broker: Mosquitto, telling: Telling) -> None:
    owner = Owner()
    with Subscriber(broker.port) as people:
        mqtt = telling.begin(_settings(broker), owner)
        _up(mqtt)
        _until(lambda: people.of(_ONLINE.topic), "the connection")
        time.sleep(0.2)
        begun_s = time.monotonic()
        for _ in range(500):
            people.say(_TOPICS.command("acknowledge"), b"")
        owner.owe(("a", 0))
        owner.until_paid(mqtt)
        elapsed_s = time.monotonic() - begun_s
        assert 1 <= len(owner.commands) <= 10 + elapsed_s + 1
        assert mqtt.counts.rejected >= 400 - elapsed_s


@both
def test_a_huge_command_is_never_read_and_alarms_go_on(
    broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    with Subscriber(broker.port, "nothing") as people:
        mqtt = telling.begin(_settings(broker, protocol=protocol), owner)
        _up(mqtt)
        time.sleep(0.2)
        people.say(_TOPICS.command("acknowledge"), b"x" * 5_000_000)
        if protocol == "3.1.1":  # with MQTT 5 the broker knows the largest packet
            _until(lambda: mqtt.counts.connected == 2, "a new connection")
        owner.owe(("a", 0))
        owner.until_paid(mqtt)
        assert not owner.commands


def test_a_retained_command_is_obeyed_neither_when_it_is_said_nor_later(broker: Mosquitto, telling: Telling) -> None:
    owner = Owner()
    with Subscriber(broker.port) as people:
        mqtt = telling.begin(_settings(broker), owner)
        _until(lambda: people.of(_ONLINE.topic), "the connection")
        time.sleep(0.2)
        people.say(_TOPICS.command("pause"), b'{"duration_s": 60}', retain=True)
        _until(lambda: mqtt.counts.rejected == 1, "the command being rejected")
        mqtt.close(3.0)
        again = telling.begin(_settings(broker), owner, client_id="again")
        _up(again)
        time.sleep(0.3)
        assert not owner.commands


# --- examples of the documentation


_DOCS = Path(__file__).resolve().parents[2] / "docs" / "mqtt.md"


def _shown(language: str) -> str:
    return _DOCS.read_text().split(f"```{language}\n", 1)[1].split("```", 1)[0]


def test_the_subscriber_of_the_documentation_hears_each_alarm_once(broker: Mosquitto, telling: Telling) -> None:
    alarm = Alarm("s-cry-cry-0", "sound", "cry", "cry", "high", "active", acknowledged=False, score=0.9, detail="")
    body = payloads.alarm_body(
        Transition(alarm, 4, "raised", "begin", 0.0),
        instance="anna",
        start_utc_s=None,
        decided_utc_s=1795227247.35,
        time_quality="synchronized",
        captured_to_decided_s=None,
    )
    command = [sys.executable, "-c", _shown("python"), "127.0.0.1", str(broker.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as people:
        try:
            _until(lambda: "my-pager 1 auricle/+/alarm/#" in broker.log, "the subscription")
            owner = Owner()
            for number in range(2):  # the second is a copy, as after a lost connection
                late_s = 7200.0 * number
                payload = payloads.alarm_payload(body, decided_to_told_s=late_s, not_durable=False)
                owner.owed["copy", number] = OwedMessage(("copy", number), _CRY, lambda payload=payload: payload)  # type: ignore[misc]
            later = payloads.alarm_payload(
                body.replace('"seq":4', '"seq":5').replace("raised", "ended"), decided_to_told_s=9.0, not_durable=False
            )
            owner.owed["copy", 2] = OwedMessage(("copy", 2), _CRY, lambda: later)
            owner.until_paid(telling.begin(_settings(broker), owner))
            assert people.stdout is not None
            lines = [people.stdout.readline().decode().strip() for _ in range(2)]
        finally:
            people.kill()
    assert lines == ["2026-11-21T02:14:07.350Z high cry raised", "2026-11-21T02:14:07.350Z high cry ended LATE"]
