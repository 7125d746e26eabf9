"""How classes of settings say which keys a table may hold.

A class of settings is a dataclass derived from `TableSettings`, and each of its fields holds an entry
in its metadata: `Key`, `Table` or `NamedTables`. What is read, how an error is worded and what an
example shows is derived from these entries, so they cannot drift apart. Knows no setting by name.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.config.key_lines import KeyPath
    from device.config.kinds import Kind, Text


@dataclass(frozen=True, slots=True)
class Key:
    """A key: what it may say, and what it is for."""

    kind: Kind
    says: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is there once, `[listen]`."""

    made: type[TableSettings]


@dataclass(frozen=True, slots=True)
class NamedTables:
    """A table for each name, `[model.NAME]`.

    Attributes:
        key: what stands before the name; the field holds a tuple and has a name of its own.
        names: which names there may be.
        made: class of each; its first argument is the `name`.
        sample: the name that the example shows where there is no such table.
    """

    key: str
    names: Text
    made: type[Any]
    sample: str


Entry = Key | Table | NamedTables
Contradiction = tuple[tuple["KeyPath", ...], str]
"""Keys that do not go together, each from the table on that says so, and the sentence that says why."""


class TableSettings:
    """What all classes of settings share; each field of theirs has its `Entry` in `metadata["entry"]`."""

    __slots__ = ()

    def contradiction(self) -> Contradiction | None:
        """What does not go together here, though each key may say what it says."""
        return None


def key(default: Any, kind: Kind, says: str) -> Any:
    """A field of a class of settings that is a key of its table."""
    return field(default=default, metadata={"entry": Key(kind, says)})


def entry_of(item: dataclasses.Field[Any]) -> Entry:
    """What a field of a class of settings holds."""
    entry: Entry = item.metadata["entry"]
    return entry


def entries(made: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    """Key as in the file -> field, in the order of the class."""
    items = [item for item in dataclasses.fields(made) if "entry" in item.metadata]
    return {entry.key if isinstance(entry := entry_of(item), NamedTables) else item.name: item for item in items}


def every_key(made: type[Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Key]]:
    """All keys of a file, each with its path; what stands for any name is `NAME`."""
    for name, item in entries(made).items():
        match entry_of(item):
            case Key() as entry:
                yield (*path, name), entry
            case Table(made=inner):
                yield from every_key(inner, (*path, name))
            case NamedTables(made=inner):
                yield from every_key(inner, (*path, name, "NAME"))
