"""What was announced to the broker under earlier names, as the journal remembers it. Pure.

A device keeps its identity for ever, so that Home Assistant knows it under another name or topic. What the broker keeps
of an earlier name stays on the list until it was withdrawn.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


@dataclass(frozen=True, slots=True)
class Announced:
    """What the broker was ever given to keep, and Home Assistant to show.

    Attributes:
        device_id: identity of the device; empty in notes of earlier versions, which had one for each topic.
        components: component of Home Assistant -> its platform.
        topics: of all retained messages.
    """

    device_id: str
    components: Mapping[str, str] = field(default_factory=dict)
    topics: tuple[str, ...] = ()

    def with_topics(self, topics: Collection[str]) -> Announced:
        """The same, with these topics added."""
        return replace(self, topics=tuple(dict.fromkeys((*self.topics, *topics))))

    def without_topics(self, topics: Collection[str]) -> Announced:
        """The same, with these topics withdrawn."""
        return replace(self, topics=tuple(topic for topic in self.topics if topic not in topics))

    def to_json(self) -> str:
        """As the journal keeps it."""
        members = {"device_id": self.device_id, "components": dict(self.components), "topics": list(self.topics)}
        return json.dumps(members)


def read_announced(note: str | None) -> Announced | None:
    """What a note holds; None if there is none, or if it is malformed."""
    try:
        members = json.loads(note or "")
    except ValueError:
        return None
    if not isinstance(members, dict):
        return None
    if not isinstance(members.get("components"), dict):
        return Announced("", _texts(members))
    device_id, topics = members.get("device_id"), members.get("topics")
    if not isinstance(device_id, str) or not isinstance(topics, list):
        return None
    return Announced(device_id, _texts(members["components"]), tuple(str(topic) for topic in topics))


def _texts(members: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(platform) for name, platform in members.items()}
