"""Memory stays bounded and the reason is told, whatever a broker sends that no broker may send."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from device.config.settings import MqttSettings
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.ownership import Owner
from device.sinks.mqtt.timeouts import SessionTimeouts
from device.sinks.payloads import availability
from tests.system.broker.hostile_broker import TEXT_BYTES, HostileBroker, packet, publish, text
from tests.system.broker.hostile_broker_client import Nobody
from tests.system.broker.telling import TOPICS, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.system

_GROWS_MB = 6.0  # 1.7 at most were seen; 437 without bounds, 12 to 25 with the cycles that paho leaves behind
"""One message of the largest size is 0.25 MB, and in an answer's properties ten times as much."""

_WATCHED_S = 8.0
_SUBSCRIBED_S = 2.0  # after the login: the client has asked who publishes under its name by then
_SAID_WITHIN_S = 40.0  # a busy machine is slow to fill what the kernel buffers


def _unreleased(is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001 - as all attacks are called
    for mid in itertools.cycle(range(1, 65536)):
        yield publish(2, mid, b"auricle/nursery/command/pause", bytes(3000 if is_v5 else 200_000), is_v5=is_v5)


def _long_topics(is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001
    for number in itertools.count():
        yield publish(0, 0, b"%d/" % number + b"t" * TEXT_BYTES, b"", is_v5=is_v5)


def _many_levels(is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001 - a library that splits them needs a megabyte
    while True:
        yield publish(0, 0, b"ab/" * (TEXT_BYTES // 3), b"", is_v5=is_v5)


def _levels_of_ours(is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001
    topic = b"auricle/nursery/command/sensitivity"
    while True:
        yield publish(0, 0, b"/" * len(topic), bytes(3000 if is_v5 else 200_000), is_v5=is_v5)


def _many_properties(is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001
    properties = b"".join(b"\x26" + text(b"k") + text(b"v") for _ in range(500)) if is_v5 else b""
    while True:
        yield packet(0x30, text(b"auricle/nursery/command/pause") + _sized(properties) * is_v5)


def _unread_answers(is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001
    for mid in itertools.cycle(range(1, 65536)):
        yield publish(1, mid, b"auricle/nursery/command/pause", b"", is_v5=is_v5)


def _huge_suback(is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001
    while True:
        yield packet(0x90, b"\0\1" + (b"\0" if is_v5 else b"") + bytes(250_000))


def _endless_message(is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001
    yield b"\x30\xff\xff\xff\x7f" + text(b"auricle/nursery/command/pause") + (b"\0" if is_v5 else b"")
    while True:
        yield bytes(1 << 16)


def _logins(is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001
    while True:
        yield packet(0x20, b"\0\0\0" if is_v5 else b"\0\0")


def _nothing(_is_v5: bool) -> Iterator[bytes]:  # noqa: FBT001
    return iter(())


def _endless_properties(_is_v5: bool) -> bytes:  # noqa: FBT001
    properties = b"".join(b"\x26" + text(b"%d" % number) + text(b"v") for number in range(30_000))
    return packet(0x20, b"\0\0" + _sized(properties))


def _sized(properties: bytes) -> bytes:
    """Properties behind their length, which is encoded as that of a packet."""
    return packet(0, properties)[1:]


_ATTACKS: dict[str, tuple[Callable[[bool], HostileBroker], str]] = {
    "messages of QoS 2 that are never released": (lambda _: HostileBroker(_unreleased), "sends a message of QoS 2"),
    "a message without end": (lambda _: HostileBroker(_endless_message), "more than is ever read"),
    "messages whose answers it does not read": (
        lambda _: HostileBroker(_unread_answers, reads=False, waits_s=_SUBSCRIBED_S),
        "sends much, but reads nothing",
    ),
    "an answer of 250 KB to a subscription": (lambda _: HostileBroker(_huge_suback), "more than any broker needs"),
    "the login answered again and again": (lambda _: HostileBroker(_logins), "answers one login twice"),
    "a login answered with 30,000 properties": (
        lambda _: HostileBroker(_nothing, login=_endless_properties),
        "more than any broker needs",
    ),
    "topics of 60 KB": (lambda _: HostileBroker(_long_topics, waits_s=_SUBSCRIBED_S), "more than"),
    "topics of 20,000 levels": (lambda _: HostileBroker(_many_levels, waits_s=_SUBSCRIBED_S), "more than"),
    "topics of many levels, no longer than ours": (lambda _: HostileBroker(_levels_of_ours, waits_s=_SUBSCRIBED_S), ""),
    "messages with 500 properties": (lambda _: HostileBroker(_many_properties, waits_s=_SUBSCRIBED_S), ""),
}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("attack", _ATTACKS)
def test_memory_is_bounded_and_the_reason_told(attack: str, protocol: str) -> None:
    make, said = _ATTACKS[attack]
    with make(protocol == "5") as broker:
        told = _told_by_client(broker.port, protocol, said)
        assert broker.connections >= 1
    assert max(line["mb"] for line in told) - told[0]["mb"] < _GROWS_MB
    if said:
        assert any(said in line["reason"] for line in told), {line["reason"] for line in told}


def test_a_keepalive_that_ends_first_is_no_silence_of_a_broker_that_reads_nothing() -> None:
    with HostileBroker(_unread_answers, reads=False, waits_s=_SUBSCRIBED_S) as broker:
        mqtt = Mqtt(
            MqttSettings(host="127.0.0.1", port=broker.port, protocol="5"),
            client_id="auricle-nursery",
            will=availability(TOPICS, online=False),
            owner=Owner("device", "run", "host"),
            owner_topic=TOPICS.owner,
            password=None,
            handler=Nobody(),
            commands=TOPICS.commands,
            timeouts=SessionTimeouts(keepalive_s=5, answer_s=1000.0),
        )
        mqtt.start()
        try:
            until(lambda: mqtt.link.state == "lost", "the end of the connection", _SAID_WITHIN_S)
            assert "sends much, but reads nothing" in mqtt.link.reason
        finally:
            mqtt.close(deadline_s=time.monotonic())


def _told_by_client(port: int, protocol: str, said: str) -> list[dict[str, Any]]:
    """What a client of that broker tells of itself, from before its first connection on."""
    command = [sys.executable, "-m", "tests.system.broker.hostile_broker_client", str(port), protocol]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        began_s, told = time.monotonic(), []
        try:
            for line in client.stdout:
                told.append(json.loads(line))
                is_said = said in told[-1]["reason"] or time.monotonic() - began_s > _SAID_WITHIN_S
                if is_said and time.monotonic() - began_s > _WATCHED_S:
                    break
        finally:
            client.kill()
    return told
