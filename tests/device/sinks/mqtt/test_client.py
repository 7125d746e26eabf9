"""What the broker's thread does without a broker; tests/system/test_mqtt.py has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.commands import Acknowledge, Pause
from device.config.settings import MqttSettings
from device.errors import ConfigError
from device.sinks.mqtt.client import Ear, Mqtt
from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.mqtt.session import Received
from device.sinks.payloads import Message, Topics, availability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.commands import Command
    from device.sinks.mqtt.send_queue import Key

_TOPICS = Topics("auricle", "anna")
_BIRTH = "homeassistant/status"
_WORD = "known to nobody"


class Nobody:
    def connected(self) -> Iterable[Message]:
        return ()

    def acknowledged(self, key: Key) -> None: ...

    def commanded(self, command: Command) -> None: ...


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _mqtt(settings: MqttSettings) -> Mqtt:
    will = availability(_TOPICS, online=False)
    return Mqtt(settings, client_id="x", will=will, password=_WORD, listener=Nobody(), commands=_TOPICS.commands)


def _ear(clock: Clock | None = None) -> Ear:
    return Ear(_TOPICS.commands, _BIRTH, clock or Clock())


def _command(payload: bytes, verb: str = "pause", *, retain: bool = False) -> Received:
    return Received(f"auricle/anna/command/{verb}", payload, retain)


# --- before it begins


def test_what_never_began_ends_at_once_takes_nothing_and_shows_no_password() -> None:
    mqtt = _mqtt(MqttSettings(host="broker.local", username="auricle"))
    mqtt.publish(Message("auricle/anna/state", b"{}", retain=True))
    assert (mqtt.room, mqtt.offer([OwedMessage(("a", 0), "t", lambda: b"")])) == (0, 0)
    assert mqtt.link.state == "connecting"
    assert mqtt.stuck_for_s(1e9) == 0.0
    assert "broker.local:1883" in repr(mqtt)
    assert _WORD not in repr(mqtt) + repr(vars(mqtt))
    assert not mqtt.close(1.0)
    assert not mqtt.close(1.0)


def test_a_certificate_that_cannot_be_used_is_told_where_it_is_configured() -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        _mqtt(MqttSettings(host="broker.local", tls=True, ca_file="/no/such/authority.pem"))


# --- what is asked for


def test_a_command_is_what_its_topic_says() -> None:
    ear = _ear()
    assert ear.command(_command(b'{"duration_s": 60}')) == Pause(60.0, "mqtt")
    assert ear.command(_command(b"", "acknowledge")) == Acknowledge(None, "mqtt")
    assert ear.rejected == 0


@given(
    topic=st.sampled_from([*_TOPICS.commands, "auricle/anna/command", "auricle/other/command/pause", ""]) | st.text(),
    payload=st.binary(max_size=1500) | st.sampled_from([b"[" * 1000, b'{"duration_s":1e999}', b'{"alarm_id":[]}']),
    retain=st.booleans(),
)
def test_whatever_comes_is_a_command_or_is_counted(topic: str, payload: bytes, *, retain: bool) -> None:
    ear = _ear()
    command = ear.command(Received(topic, payload, retain))
    assert (command is None) == (ear.rejected == 1)
    assert command is None or (topic in _TOPICS.commands and not retain)


def test_what_was_kept_by_the_broker_is_asked_for_by_nobody() -> None:
    ear = _ear()
    assert ear.command(_command(b'{"duration_s": 60}', retain=True)) is None
    assert ear.rejected == 1


def test_commands_come_as_fast_as_people_press_and_no_faster() -> None:
    clock = Clock()
    ear = _ear(clock)
    heard = [ear.command(_command(b"", "resume")) is not None for _ in range(50)]
    assert heard == [True] * 10 + [False] * 40
    clock.now_s += 3.0
    assert sum(ear.command(_command(b"", "resume")) is not None for _ in range(50)) == 3


def test_what_is_malformed_uses_up_nobodys_commands() -> None:
    ear = _ear()
    for _ in range(1000):
        ear.command(_command(b"nonsense"))
    assert ear.command(_command(b"", "resume")) is not None


def test_home_assistant_is_born_at_most_once_a_second_and_never_from_what_was_kept() -> None:
    clock = Clock()
    ear = _ear(clock)
    born = Received(_BIRTH, b"online", retain=False)
    assert not ear.is_birth(Received(_BIRTH, b"online", retain=True))
    assert not ear.is_birth(Received(_BIRTH, b"offline", retain=False))
    assert [ear.is_birth(born) for _ in range(3)] == [True, False, False]
    clock.now_s += 1.0
    assert ear.is_birth(born)
    assert ear.command(born) is None
    assert ear.rejected == 0, "it is no command that was rejected"
