"""The configuration as a JSON Schema, so that editors complete a file and check it while it is written.

Its keywords mean the same in draft 4, which Taplo implements, and in later drafts; draft 4 is declared because
there 1.0 is no integer, as in TOML. What relates two keys to each other, and characters that do not print, are
left to `auricle config --check`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from device.config.kinds import InvalidValueError
from device.config.schema import Key, NamedTables, Table, TableArray, members
from device.config.settings import Settings

if TYPE_CHECKING:
    from device.config.kinds import ValueKind
    from device.config.schema import Entry, TableSettings

_DRAFT = "http://json-schema.org/draft-04/schema#"
_ABOUT = "Every key may be left out. auricle config --check FILE finds what a schema cannot say."


def schema_text() -> str:
    """The schema of a configuration file as indented JSON, ending in a newline."""
    schema = {"$schema": _DRAFT, "title": "Configuration of Auricle", **_table(Settings), "description": _ABOUT}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _table(settings_class: type[TableSettings]) -> dict[str, Any]:
    return {
        "description": str(settings_class.__doc__).splitlines()[0],
        "type": "object",
        "properties": {name: _member(entry, default) for name, (_, entry, default) in members(settings_class).items()},
        "additionalProperties": False,
    }


def _member(entry: Entry, default: Any) -> dict[str, Any]:
    match entry:
        case Key():
            return _key(entry, default)
        case Table(settings_class=settings_class):
            return _table(settings_class)
        case NamedTables():
            return _named_tables(entry)
        case TableArray(settings_class=settings_class):
            item = _table(settings_class)
            return {"description": item["description"], "type": "array", "items": item}


def _named_tables(entry: NamedTables) -> dict[str, Any]:
    return {
        "description": f"One table for each name, which must be {entry.names.expects}.",
        "type": "object",
        "patternProperties": {entry.names.whole_pattern: _table(entry.settings_class)},
        "additionalProperties": False,
    }


def _key(entry: Key, default: Any) -> dict[str, Any]:
    described = {"description": f"{entry.description} Must be {entry.kind.expects}.", **entry.kind.json_schema()}
    return described | _default(entry.kind, default)


def _default(kind: ValueKind, setting: Any) -> dict[str, Any]:
    """The default as the file writes it; nothing if it depends on the table's name, as a model's bundle does."""
    value = kind.to_toml(setting)
    try:
        kind.from_toml(value)
    except InvalidValueError:
        return {}
    return {"default": value}
