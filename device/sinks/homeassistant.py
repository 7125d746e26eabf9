"""Announces an instance to Home Assistant: one retained message that describes all its entities. Pure.

Device discovery, https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload; its schema is
docs/schemas/discovery.schema.json. All entities are available while the daemon runs and a microphone delivers sound,
and at no other time. Home Assistant removes an entity only on request: an entity that is left out stays, an entity
with nothing but its platform is removed.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from device.messages import AlarmChange
from device.sinks.payloads import OFF, OFFLINE, ON, ONLINE, Message, Topics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BIRTH = "online"
"""What Home Assistant publishes when it has started; the full state is to be published again then."""

PRESS = "{}"
"""What its buttons publish: a command without arguments."""

_QOS = 1


@dataclass(frozen=True, slots=True)
class AnnouncedDevice:
    """An instance as a device of Home Assistant.

    Attributes:
        topics: of the instance.
        discovery_topic: prefix of Home Assistant's discovery topics, such as `homeassistant`.
        labels: (model, label) of all that raise alarms.
        version: of Auricle.
    """

    topics: Topics
    discovery_topic: str
    labels: Sequence[tuple[str, str]]
    version: str

    @property
    def device_id(self) -> str:
        """Unique among all instances of one broker; A-Z, a-z, 0-9, _ and - only, as the topic requires."""
        return self.topics.base.replace("/", "_")

    @property
    def topic(self) -> str:
        """Topic of the announcement."""
        return f"{self.discovery_topic}/device/{self.device_id}/config"


def birth_topic(discovery_topic: str) -> str:
    """Topic where Home Assistant publishes that it has started."""
    return f"{discovery_topic}/status"


def platforms(device: AnnouncedDevice) -> dict[str, str]:
    """Component -> platform, of all entities: what a later announcement may have to remove."""
    return {name: component["platform"] for name, component in _components(device).items()}


def discovery(device: AnnouncedDevice, before: Mapping[str, str]) -> Message:
    """The announcement.

    Args:
        device: the instance.
        before: `platforms` of all earlier announcements; entities that no longer exist are removed.
    """
    components = _components(device)
    removed = {name: {"platform": platform} for name, platform in before.items() if name not in components}
    members = {
        "device": {
            "identifiers": [device.device_id],
            "name": f"Auricle {device.topics.instance}",
            "manufacturer": "Auricle",
            "model": "Bedside listener",
            "sw_version": device.version,
        },
        "origin": {"name": "Auricle", "sw_version": device.version},
        "availability": [_available(device.topics.available), _available(device.topics.microphone_available)],
        "availability_mode": "all",
        "components": {**components, **removed},
    }
    return Message(device.topic, _json(members), retain=True)


def removal(device: AnnouncedDevice) -> Message:
    """Makes Home Assistant remove the device, with all its entities."""
    return Message(device.topic, b"", retain=True)


def _available(topic: str) -> dict[str, str]:
    return {"topic": topic, "payload_available": ONLINE.decode(), "payload_not_available": OFFLINE.decode()}


def _components(device: AnnouncedDevice) -> dict[str, dict[str, Any]]:
    components: dict[str, dict[str, Any]] = {}
    occurrences = Counter(label for _, label in device.labels)
    for model, label in device.labels:
        name = _display_name(label) if occurrences[label] == 1 else f"{_display_name(label)} ({model})"
        components[f"sound.{model}.{label}"] = _sound(device.topics, model, label, name)
        components[f"alarm.{model}.{label}"] = _alarm(device.topics, model, label, name)
    components |= _technical(device.topics)
    for key, component in components.items():
        component["unique_id"] = f"{device.device_id}.{key}"
    return components


def _sound(topics: Topics, model: str, label: str, name: str) -> dict[str, Any]:
    return {
        "platform": "binary_sensor",
        "name": name,
        "device_class": "sound",
        "state_topic": topics.sound(model, label),
        "payload_on": ON.decode(),
        "payload_off": OFF.decode(),
        "qos": _QOS,
    }


def _alarm(topics: Topics, model: str, label: str, name: str) -> dict[str, Any]:
    """Fed by the alarm messages themselves, so that none is missed; their members become attributes."""
    return {
        "platform": "event",
        "name": f"{name} alarm",
        "state_topic": topics.alarm("sound", model=model, name=label),
        "event_types": list(get_args(AlarmChange)),
        "qos": _QOS,
    }


def _technical(topics: Topics) -> dict[str, dict[str, Any]]:
    """The entities that every instance has."""
    return {
        "technical": {
            "platform": "event",
            "name": "Technical alarm",
            "state_topic": topics.technical_alarms,
            "event_types": list(get_args(AlarmChange)),
            "entity_category": "diagnostic",
            "qos": _QOS,
        },
        "faults": {
            "platform": "binary_sensor",
            "name": "Fault",
            "device_class": "problem",
            "state_topic": topics.faults,
            "value_template": "{{ 'ON' if value_json.open else 'OFF' }}",
            "json_attributes_topic": topics.faults,
            "entity_category": "diagnostic",
            "qos": _QOS,
        },
        "hearing": {
            "platform": "binary_sensor",
            "name": "Hearing",
            "device_class": "running",
            "state_topic": topics.state,
            "value_template": "{{ 'ON' if value_json.hearing else 'OFF' }}",
            "entity_category": "diagnostic",
            "qos": _QOS,
        },
        "level": {
            "platform": "sensor",
            "name": "Level",
            "state_topic": topics.level,
            "value_template": "{{ value_json.rms_dbfs }}",
            "unit_of_measurement": "dBFS",  # no device_class: that of sound pressure wants dB or dBA
            "state_class": "measurement",
            "suggested_display_precision": 1,
            "entity_category": "diagnostic",
        },
        "coverage": {
            "platform": "sensor",
            "name": "Listened",
            "state_topic": topics.coverage,
            "value_template": "{{ (100 * value_json.listened) | round(1) if value_json.listened is number else None }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "suggested_display_precision": 1,
            "entity_category": "diagnostic",
            "qos": _QOS,
        },
        "acknowledge": {
            "platform": "button",
            "name": "Acknowledge",
            "command_topic": topics.command("acknowledge"),
            "payload_press": PRESS,
            "qos": _QOS,
        },
        "self_test": {
            "platform": "button",
            "name": "Self-test",
            "command_topic": topics.command("self_test"),
            "payload_press": PRESS,
            "entity_category": "diagnostic",
            "qos": _QOS,
        },
    }


def _display_name(label: str) -> str:
    return label.replace("_", " ").replace("-", " ").capitalize()


def _json(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
