"""Which announcements to Home Assistant are an instance's own, also those of earlier versions."""

from __future__ import annotations

import json

import pytest

from device.sinks.homeassistant import AnnouncedDevice, discovery
from device.sinks.payloads import Topics
from device.tools.mqtt_forget import announces

ANNA = Topics("auricle", "anna")


def _announcement(topics: Topics) -> bytes:
    device = AnnouncedDevice("auricle_1", topics, "homeassistant", (("cry", "cry"),), "0.1.0")
    return discovery(device, {}).payload


def test_an_announcement_is_known_by_the_topics_of_its_entities() -> None:
    assert announces(_announcement(ANNA), ANNA)
    assert not announces(_announcement(Topics("auricle", "anna-2")), ANNA)
    assert not announces(_announcement(Topics("home/auricle", "anna")), ANNA)


def test_the_long_names_of_earlier_versions_are_known_too() -> None:
    level = {"platform": "sensor", "unique_id": "auricle_1.level", "state_topic": "auricle/anna/level"}
    members = {"origin": {"name": "Auricle"}, "components": {"level": level}}
    assert announces(json.dumps(members).encode(), ANNA)
    assert not announces(json.dumps({**members, "origin": {"name": "Zigbee2MQTT"}}).encode(), ANNA)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"origin":3}',
        b'{"origin":{"name":"Auricle"},"components":[3]}',
        b"[" * 5000,
        b'{"components":' * 5000,
    ],
)
def test_what_is_no_announcement_is_nobodys(payload: bytes) -> None:
    """Whoever may publish announcements could end the command in a traceback by one that is nested deeply."""
    assert not announces(payload, ANNA)
