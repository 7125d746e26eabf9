"""What the client's thread does without a broker; tests/system/broker has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.config.settings import MqttSettings
from device.errors import ConfigError
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.ownership import Owner
from device.sinks.mqtt.send_queue import OwedMessage
from device.sinks.payloads import Message, Topics, availability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from device.commands import Command
    from device.sinks.mqtt.send_queue import Key

_TOPICS = Topics("auricle", "anna")
_WORD = "known to nobody"


class Nobody:
    def connected(self) -> Iterable[Message]:
        return ()

    def acknowledged(self, key: Key) -> None: ...

    def commanded(self, command: Command) -> None: ...


def _mqtt(settings: MqttSettings) -> Mqtt:
    will = availability(_TOPICS, online=False)
    return Mqtt(
        settings,
        client_id="x",
        will=will,
        owner=Owner("device", "run", "host"),
        owner_topic=_TOPICS.owner,
        password=_WORD,
        handler=Nobody(),
        commands=_TOPICS.commands,
    )


def test_what_never_began_ends_at_once_takes_nothing_and_shows_no_password() -> None:
    mqtt = _mqtt(MqttSettings(host="broker.local", username="auricle"))
    mqtt.publish(Message("auricle/anna/state", b"{}", retain=True))
    assert (mqtt.room, mqtt.offer([OwedMessage(("a", 0), "t", lambda: b"")], 0)) == (0, 0)
    assert mqtt.link.state == "connecting"
    assert mqtt.stuck_for_s(1e9) == 0.0
    assert "broker.local:1883" in repr(mqtt)
    assert _WORD not in repr(mqtt) + repr(vars(mqtt))
    assert not mqtt.close(1.0)
    assert not mqtt.close(1.0)


def test_a_certificate_that_cannot_be_used_is_told_where_it_is_configured() -> None:
    with pytest.raises(ConfigError, match=r"authority\.pem"):
        _mqtt(MqttSettings(host="broker.local", tls=True, ca_file="/no/such/authority.pem"))
