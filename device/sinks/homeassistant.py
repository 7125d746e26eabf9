"""Announces an instance to Home Assistant: one retained message that describes all its entities. Pure.

Device discovery, https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload; its schema is
docs/schemas/discovery.schema.json. Every broker keeps the announcement of every device, so entities have Home
Assistant's abbreviations as members (`stat_t` is `state_topic`, `p` is `platform`, and so on, see
https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages), and what is its
default is left out.

Each entity states its availability: what is heard depends on the daemon and the microphone, all else on the daemon
alone. A list for the whole device cannot be combined with that: Home Assistant would refuse the entity. It removes an
entity only on request: an entity that is left out stays, an entity with nothing but its platform is removed.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from device.commands import MAX_PAUSE_S, MAX_SENSITIVITY
from device.messages import AlarmChange, LabelMode, ModeSwitch
from device.sinks.payloads import Message, Topics

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

BIRTH = "online"
"""What Home Assistant publishes when it has started; the full state is to be published again then."""

PRESS = "{}"
"""What most of its buttons publish: a command without arguments."""

PRESS_PAUSE = f'{{"duration_s":{MAX_PAUSE_S:.0f}}}'
"""What the button that pauses signals publishes: the daemon limits it to `longest_pause_s`."""

_QOS = 1


@dataclass(frozen=True, slots=True)
class AnnouncedDevice:
    """An instance as a device of Home Assistant.

    Attributes:
        device_id: unique among all instances of one broker, and the same for ever; A-Z, a-z, 0-9, _ and - only.
        topics: of the instance.
        discovery_topic: prefix of Home Assistant's discovery topics, such as `homeassistant`.
        labels: (model, label) of all that raise alarms.
        version: of Auricle.
        page_url: of the device's own page; None if it has none.
        fixed: those labels that have no sensitivity.
        scheduled: label -> whether it has a switch, of those that are scheduled.
        listens_in: whether people may listen in, and how many do is an entity.
        below_instance: whether the instance's name is a level of the announcement's topic.
    """

    device_id: str
    topics: Topics
    discovery_topic: str
    labels: Sequence[tuple[str, str]]
    version: str
    page_url: str | None = None
    fixed: Collection[tuple[str, str]] = ()
    scheduled: Mapping[str, bool] = field(default_factory=dict)
    listens_in: bool = False
    below_instance: bool = False

    @property
    def topic(self) -> str:
        """Topic of the announcement."""
        instance = self.topics.instance if self.below_instance else None
        return announcement_topic(self.discovery_topic, self.device_id, instance)


def announcement_topic(discovery_topic: str, device_id: str, instance: str | None = None) -> str:
    """Topic on which a device is announced.

    Home Assistant calls the optional level a node. A broker's rights can name it, but not a part of the id's level.

    Args:
        discovery_topic: prefix, such as `homeassistant`.
        device_id: `+` matches all devices.
        instance: a level of its own; None for none.
    """
    return f"{discovery_topic}/device/{'' if instance is None else f'{instance}/'}{device_id}/config"


def birth_topic(discovery_topic: str) -> str:
    """Topic where Home Assistant publishes that it has started."""
    return f"{discovery_topic}/status"


def platforms(device: AnnouncedDevice) -> dict[str, str]:
    """Component -> platform, of all entities: what a later announcement may have to remove."""
    return {name: component["p"] for name, component in _components(device).items()}


def discovery(device: AnnouncedDevice, before: Mapping[str, str]) -> Message:
    """The announcement.

    Args:
        device: the instance.
        before: `platforms` of all earlier announcements; entities that no longer exist are removed.
    """
    components = _components(device)
    removed = {name: {"p": platform} for name, platform in before.items() if name not in components}
    members = {
        "device": {
            "identifiers": [device.device_id],
            "name": f"Auricle {device.topics.instance}",
            "manufacturer": "Auricle",
            "model": "Bedside listener",
            "sw_version": device.version,
            **({} if device.page_url is None else {"configuration_url": device.page_url}),
        },
        "origin": {"name": "Auricle", "sw_version": device.version},
        "components": {**components, **removed},
    }
    return Message(device.topic, _json(members), retain=True)


def _components(device: AnnouncedDevice) -> dict[str, dict[str, Any]]:
    topics = device.topics
    heard, told = _level_and_coverage(topics), {**_conditions(topics), **_buttons(topics)}
    occurrences = Counter(label for _, label in device.labels)
    for model, label in device.labels:
        name = _display_name(label) if occurrences[label] == 1 else f"{_display_name(label)} ({model})"
        heard[f"sound.{model}.{label}"] = _sound(topics, model, label, name)
        heard[f"score.{model}.{label}"] = _score(topics, model, label, name)
        told[f"alarm.{model}.{label}"] = _alarm(topics, model, label, name)
        if (model, label) not in device.fixed:
            told[f"sensitivity.{model}.{label}"] = _sensitivity(topics, model, label, name)
    for label, has_switch in device.scheduled.items():
        told[f"mode.{label}"] = _mode(topics, label)
        if has_switch:
            told[f"switch.{label}"] = _switch(topics, label)
    if device.listens_in:
        told["listening_in"] = _listening_in(topics)
    daemon, microphone = {"t": topics.available}, {"t": topics.microphone_available}
    both, alone = {"avty": [daemon, microphone], "avty_mode": "all"}, {"avty": [daemon]}
    return {
        key: {**component, "uniq_id": f"{device.device_id}.{key}", **(both if key in heard else alone)}
        for key, component in {**heard, **told}.items()
    }


def _sound(topics: Topics, model: str, label: str, name: str) -> dict[str, Any]:
    return {
        "p": "binary_sensor",
        "name": name,
        "dev_cla": "sound",
        "stat_t": topics.sound(model, label),
        "qos": _QOS,
    }


def _alarm(topics: Topics, model: str, label: str, name: str) -> dict[str, Any]:
    """Fed by the alarm messages themselves, so that none is missed; their members become attributes."""
    return {
        "p": "event",
        "name": f"{name} alarm",
        "stat_t": topics.alarm("sound", model=model, name=label),
        "evt_typ": list(get_args(AlarmChange)),
        "qos": _QOS,
    }


def _score(topics: Topics, model: str, label: str, name: str) -> dict[str, Any]:
    return {
        "p": "sensor",
        "name": f"{name} score",
        "stat_t": topics.score(model, label),
        "val_tpl": "{{ value_json.highest }}",
        "stat_cla": "measurement",
        "sug_dsp_prc": 2,
        "ent_cat": "diagnostic",
    }


def _sensitivity(topics: Topics, model: str, label: str, name: str) -> dict[str, Any]:
    members = f'"model":"{model}","label":"{label}","sensitivity":'
    return {
        "p": "number",
        "name": f"{name} sensitivity",
        "stat_t": topics.sensitivity(model, label),
        "val_tpl": "{{ value_json.sensitivity }}",
        "json_attr_t": topics.sensitivity(model, label),
        "cmd_t": topics.command("sensitivity"),
        "cmd_tpl": f"{{{members}{{{{ value | int }}}}}}",
        "min": -MAX_SENSITIVITY,
        "max": MAX_SENSITIVITY,
        "step": 1,
        "mode": "slider",
        "ent_cat": "config",
        "qos": _QOS,
    }


def _listening_in(topics: Topics) -> dict[str, Any]:
    return {
        "p": "sensor",
        "name": "Listening in",
        "stat_t": topics.state,
        "val_tpl": "{{ value_json.listening_in | default(0) }}",
        "stat_cla": "measurement",
        "qos": _QOS,
    }


def _mode(topics: Topics, label: str) -> dict[str, Any]:
    return {
        "p": "sensor",
        "name": f"{_display_name(label)} mode",
        "stat_t": topics.mode(label),
        "val_tpl": "{{ value_json.mode }}",
        "json_attr_t": topics.mode(label),
        "dev_cla": "enum",
        "ops": list(get_args(LabelMode)),
        "qos": _QOS,
    }


def _switch(topics: Topics, label: str) -> dict[str, Any]:
    return {
        "p": "select",
        "name": f"{_display_name(label)} switch",
        "stat_t": topics.mode(label),
        "val_tpl": "{{ value_json.switch }}",
        "cmd_t": topics.command("mode"),
        "cmd_tpl": f'{{"label":"{label}","mode":"{{{{ value }}}}"}}',
        "ops": list(get_args(ModeSwitch)),
        "qos": _QOS,
    }


def _conditions(topics: Topics) -> dict[str, dict[str, Any]]:
    """What every instance says of itself, also while it hears nothing."""
    return {
        "technical": {
            "p": "event",
            "name": "Technical alarm",
            "stat_t": topics.technical_alarms,
            "evt_typ": list(get_args(AlarmChange)),
            "ent_cat": "diagnostic",
            "qos": _QOS,
        },
        "faults": {
            "p": "binary_sensor",
            "name": "Fault",
            "dev_cla": "problem",
            "stat_t": topics.faults,
            "val_tpl": "{{ 'ON' if value_json.open else 'OFF' }}",
            "json_attr_t": topics.faults,
            "ent_cat": "diagnostic",
            "qos": _QOS,
        },
        "hearing": {
            "p": "binary_sensor",
            "name": "Hearing",
            "dev_cla": "running",
            "stat_t": topics.state,
            "val_tpl": "{{ 'ON' if value_json.hearing else 'OFF' }}",
            "ent_cat": "diagnostic",
            "qos": _QOS,
        },
        "paused": {
            "p": "binary_sensor",
            "name": "Paused",
            "stat_t": topics.state,
            "val_tpl": "{{ 'ON' if value_json.paused else 'OFF' }}",
            "qos": _QOS,
        },
        "unacknowledged": {
            "p": "sensor",
            "name": "Unacknowledged alarms",
            "stat_t": topics.state,
            "val_tpl": "{{ value_json.unacknowledged }}",
            "stat_cla": "measurement",
            "qos": _QOS,
        },
    }


def _level_and_coverage(topics: Topics) -> dict[str, dict[str, Any]]:
    """What every instance says of the sound."""
    return {
        "level": {
            "p": "sensor",
            "name": "Level",
            "stat_t": topics.level,
            "val_tpl": "{{ value_json.rms_dbfs }}",
            "unit_of_meas": "dBFS",  # no device_class: that of sound pressure wants dB or dBA
            "stat_cla": "measurement",
            "sug_dsp_prc": 1,
            "ent_cat": "diagnostic",
        },
        "coverage": {
            "p": "sensor",
            "name": "Listened",
            "stat_t": topics.coverage,
            "val_tpl": "{{ (100 * value_json.listened) | round(1) if value_json.listened is number else None }}",
            "unit_of_meas": "%",
            "stat_cla": "measurement",
            "sug_dsp_prc": 1,
            "ent_cat": "diagnostic",
            "qos": _QOS,
        },
    }


def _buttons(topics: Topics) -> dict[str, dict[str, Any]]:
    buttons: dict[str, dict[str, Any]] = {
        "acknowledge": _button("Acknowledge", topics.command("acknowledge")),
        "pause": _button("Pause", topics.command("pause"), PRESS_PAUSE),
        "resume": _button("Resume", topics.command("resume")),
        "self_test": _button("Self-test", topics.command("self_test")),
    }
    buttons["self_test"]["ent_cat"] = "diagnostic"
    return buttons


def _button(name: str, topic: str, payload: str = PRESS) -> dict[str, Any]:
    return {"p": "button", "name": name, "cmd_t": topic, "pl_prs": payload, "qos": _QOS}


def _display_name(label: str) -> str:
    return label.replace("_", " ").replace("-", " ").capitalize()


def _json(members: Mapping[str, Any]) -> bytes:
    return json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
