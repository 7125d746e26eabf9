"""How a class of settings declares the keys of its table.

A class of settings is a frozen dataclass derived from `TableSettings`. `key`, `table` and `named_tables`
declare its fields. The reader, the wording of errors, the example and the JSON Schema all derive from
these declarations, so they cannot drift apart. Knows no setting by name.

Libraries were compared on a table of this file's size (fresh process, x86-64, Python 3.11). These modules
import in 160 ms and 2.5 MB for all tables; pydantic 2.14 takes 400 ms, 17 MB of memory and 7 MB of disk for
five tables. msgspec 0.22 takes 45 ms and 2 MB, but has no wheel for 32-bit ARM. Neither names the line, the
value together with its table, or the nearest key, so the reader below would remain beside either.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.config.key_lines import KeyPath
    from device.config.kinds import Text, ValueKind


@dataclass(frozen=True, slots=True)
class Key:
    """A key: the values that it accepts, and what it is for."""

    kind: ValueKind
    description: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that occurs once, such as `[listen]`."""

    settings_class: type[TableSettings]


@dataclass(frozen=True, slots=True)
class NamedTables:
    """Any number of tables, each with a name of the user's choice: `[model.NAME]`.

    Attributes:
        key: the part before the name; the field itself is named differently and holds a tuple.
        names: which names are valid.
        settings_class: class of each table; its first argument is the `name`.
        example_name: the name in the example if there is no such table.
    """

    key: str
    names: Text
    settings_class: type[Any]
    example_name: str


@dataclass(frozen=True, slots=True)
class TableArray:
    """Any number of tables with one header, in order: `[[notify]]`."""

    settings_class: type[Any]


Entry = Key | Table | NamedTables | TableArray

Conflict = tuple[tuple["KeyPath", ...], str]
"""Keys that exclude each other, each relative to the table that reports them, and a sentence that says why."""


class Member(NamedTuple):
    """A field of a class of settings.

    Attributes:
        attribute: name of the attribute that holds it.
        entry: what it declares.
        default: the default setting of a key; `dataclasses.MISSING` for a table.
    """

    attribute: str
    entry: Entry
    default: Any


class TableSettings:
    """Base of all classes of settings; each field carries its `Entry` in `metadata["entry"]`."""

    __slots__ = ()

    def conflict(self) -> Conflict | None:
        """Return which keys exclude each other, although each value is valid by itself; None if none do."""
        return None


def key(default: Any, kind: ValueKind, description: str) -> Any:
    """Declare a key of a table."""
    return field(default=default, metadata={"entry": Key(kind, description)})


def table(settings_class: type[Any]) -> Any:
    """Declare a table that occurs once; all of its keys have defaults."""
    return field(default_factory=settings_class, metadata={"entry": Table(settings_class)})


def named_tables(key: str, names: Text, settings_class: type[Any], example_name: str) -> Any:
    """Declare tables with names of the user's choice; none by default."""
    return field(default=(), metadata={"entry": NamedTables(key, names, settings_class, example_name)})


def table_array(settings_class: type[Any]) -> Any:
    """Declare tables with one header, `[[NAME]]`; none by default."""
    return field(default=(), metadata={"entry": TableArray(settings_class)})


def members(settings_class: type[Any]) -> dict[str, Member]:
    """Return key or table as written in the file -> member, in the order of the class."""
    declared = [
        Member(item.name, item.metadata["entry"], item.default)
        for item in dataclasses.fields(settings_class)
        if item.metadata
    ]
    return {
        member.entry.key if isinstance(member.entry, NamedTables) else member.attribute: member for member in declared
    }


def every_key(settings_class: type[Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Key]]:
    """Yield all keys of a file with their paths, in which `NAME` stands for any name, and 0 for any of an array."""
    for name, (_, entry, _) in members(settings_class).items():
        match entry:
            case Key():
                yield (*path, name), entry
            case Table(settings_class=inner):
                yield from every_key(inner, (*path, name))
            case NamedTables(settings_class=inner):
                yield from every_key(inner, (*path, name, "NAME"))
            case TableArray(settings_class=inner):
                yield from every_key(inner, (*path, name, 0))
