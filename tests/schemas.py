"""Finds the schema of a published message: docs/schemas/topics.json names one for each topic below the instance's."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from collections.abc import Iterable

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"
TOPICS: dict[str, str] = json.loads((FOLDER / "topics.json").read_text("utf-8"))


@cache
def validator(file_name: str) -> Draft202012Validator:
    """The validator of a file of docs/schemas."""
    schema = json.loads((FOLDER / file_name).read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def documented_topic(topic: str) -> str:
    """The documented topic that matches a topic below the instance's.

    Raises:
        LookupError: no schema is documented for it.
    """
    for documented in TOPICS:
        if _matches(documented.split("/"), topic.split("/")):
            return documented
    raise LookupError(f"docs/schemas/topics.json names no schema for {topic}")


def check_message(topic: str, payload: bytes) -> str:
    """Validate a message as documented, JSON or else a text; returns the documented topic.

    Raises:
        LookupError: no schema is documented for it.
        ValidationError: it is not what the schema allows.
    """
    documented = documented_topic(topic)
    validator(TOPICS[documented]).validate(_value(payload))
    return documented


def check_all(heard: Iterable[tuple[str, bytes]], base: str) -> dict[str, Any]:
    """Validate all messages below `base` but commands, and the one discovery; returns the newest of that.

    Raises:
        LookupError: no schema is documented for one.
        ValidationError: one is not what its schema allows.
    """
    discoveries: dict[str, Any] = {}
    for topic, payload in heard:
        if topic.startswith(f"{base}/") and "/command/" not in topic:
            check_message(topic.removeprefix(f"{base}/"), payload)
        elif topic.startswith("homeassistant/device/"):
            discoveries[topic] = json.loads(payload)
    (newest,) = discoveries.values()
    validator("discovery.schema.json").validate(newest)
    return dict(newest)


def _value(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode()


def _matches(documented: list[str], topic: list[str]) -> bool:
    return len(documented) == len(topic) and all(a in {"+", b} for a, b in zip(documented, topic, strict=True))
