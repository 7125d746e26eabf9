"""How Home Assistant learns of an instance: one retained message that names all its entities. Pure.

Device discovery, https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload; its form is in
docs/schemas/discovery.schema.json. Whatever is named here is available while the daemon runs and a
microphone is heard, and at no other time. Home Assistant forgets an entity only where it is told to: one
that is left out stays, one of which nothing but the platform is said goes.
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
"""What Home Assistant says of itself when it has started; all it must know is to be told again then."""

PRESS = "{}"
"""What its buttons publish: a command without particulars."""

_QOS = 1


@dataclass(frozen=True, slots=True)
class Announced:
    """What is announced of an instance.

    Attributes:
        topics: of the instance.
        discovery_topic: where Home Assistant looks for announcements, such as `homeassistant`.
        labels: (model, label) of all that raises alarms.
        version: of Auricle.
    """

    topics: Topics
    discovery_topic: str
    labels: Sequence[tuple[str, str]]
    version: str

    @property
    def device_id(self) -> str:
        """Unique among all instances of one broker; of A-Z, a-z, 0-9, _ and -, as the topic demands."""
        return self.topics.base.replace("/", "_")

    @property
    def topic(self) -> str:
        """Where it is announced."""
        return f"{self.discovery_topic}/device/{self.device_id}/config"


def birth_topic(discovery_topic: str) -> str:
    """Where Home Assistant says that it has started."""
    return f"{discovery_topic}/status"


def platforms(announced: Announced) -> dict[str, str]:
    """Component -> platform, of all that is announced: what a later announcement may have to take back."""
    return {name: component["platform"] for name, component in _components(announced).items()}


def discovery(announced: Announced, before: Mapping[str, str]) -> Message:
    """The announcement.

    Args:
        announced: what there is.
        before: `platforms` of what was announced at any time before; what is not there any more is taken back.
    """
    components = _components(announced)
    gone = {name: {"platform": platform} for name, platform in before.items() if name not in components}
    told = {
        "device": {
            "identifiers": [announced.device_id],
            "name": f"Auricle {announced.topics.instance}",
            "manufacturer": "Auricle",
            "model": "Bedside listener",
            "sw_version": announced.version,
        },
        "origin": {"name": "Auricle", "sw_version": announced.version},
        "availability": [_available(announced.topics.available), _available(announced.topics.microphone_available)],
        "availability_mode": "all",
        "components": {**components, **gone},
    }
    return Message(announced.topic, _json(told), retain=True)


def removal(announced: Announced) -> Message:
    """What makes Home Assistant forget the device, with all its entities."""
    return Message(announced.topic, b"", retain=True)


def _available(topic: str) -> dict[str, str]:
    return {"topic": topic, "payload_available": ONLINE.decode(), "payload_not_available": OFFLINE.decode()}


def _components(announced: Announced) -> dict[str, dict[str, Any]]:
    components: dict[str, dict[str, Any]] = {}
    named = Counter(label for _, label in announced.labels)
    for model, label in announced.labels:
        name = _shown(label) if named[label] == 1 else f"{_shown(label)} ({model})"
        components[f"sound.{model}.{label}"] = _sound(announced.topics, model, label, name)
        components[f"alarm.{model}.{label}"] = _alarm(announced.topics, model, label, name)
    components |= _technical(announced.topics)
    for key, component in components.items():
        component["unique_id"] = f"{announced.device_id}.{key}"
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
    """Told by the alarms themselves, so that none is missed while a connection is; their members become attributes."""
    return {
        "platform": "event",
        "name": f"{name} alarm",
        "state_topic": topics.alarm("sound", model=model, name=label),
        "event_types": list(get_args(AlarmChange)),
        "qos": _QOS,
    }


def _technical(topics: Topics) -> dict[str, dict[str, Any]]:
    """What every instance has."""
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


def _shown(label: str) -> str:
    return label.replace("_", " ").replace("-", " ").capitalize()


def _json(told: Mapping[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
