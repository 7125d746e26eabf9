"""What is published under the names that automations for Frigate know. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from device.sinks.payloads import OFF, ON, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.sinks.payloads import Topics

SILENCE_DBFS = -120.0
"""Digital silence under Frigate's topics, which only allow numbers: far below the level of any microphone."""

_FRIGATE_LABELS: Mapping[str, str] = MappingProxyType({"cry": "crying", "scream": "yell"})
_FULL_SCALE = 32768  # Frigate's rms counts steps of 16 bits


def frigate_sound(topics: Topics, label: str, *, on: bool) -> Message:
    """Whether a label is heard, under Frigate's name for it; not retained, as Frigate does it."""
    return Message(topics.frigate(_FRIGATE_LABELS.get(label, label)), ON if on else OFF)


def frigate_level(topics: Topics, rms_dbfs: float | None) -> tuple[Message, Message]:
    """The sound level in dBFS, and as steps of 16 bits. Digital silence is a floor, never full scale."""
    dbfs = SILENCE_DBFS if rms_dbfs is None or not rms_dbfs > SILENCE_DBFS else rms_dbfs
    steps = 0.0 if dbfs == SILENCE_DBFS else _FULL_SCALE * 10 ** (dbfs / 20)
    return (
        Message(topics.frigate("dBFS"), f"{dbfs:.1f}".encode(), qos=0),
        Message(topics.frigate("rms"), f"{steps:.1f}".encode(), qos=0),
    )
