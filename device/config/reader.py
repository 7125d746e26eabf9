"""From tables to frozen settings, with a complaint for each thing that is wrong."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from device.config.kinds import UnfitError
from device.config.schema import Key, NamedTables, Table, TableSettings, entries, entry_of, every_key
from device.config.wording import alternatives, bracketed, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from device.config.key_lines import KeyPath
    from device.config.kinds import Kind, Text
    from device.config.schema import Entry

Made = TypeVar("Made", bound=TableSettings)

_TOP = "at the top of the file"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong, and the keys that are."""

    paths: tuple[KeyPath, ...]
    sentence: str

    def line(self, lines: Mapping[KeyPath, int]) -> int | None:
        """Where the last of its keys stands; None where none of them is known to stand in the file."""
        return max((lines[path] for path in self.paths if path in lines), default=None)


def read_settings(root: type[Made], tables: Mapping[str, Any]) -> tuple[Made, list[Complaint]]:
    """Settings made of a TOML text's tables, and all that is wrong with these.

    Args:
        root: class of the whole file.
        tables: as `tomllib` gives them.

    Returns:
        The settings, with the default for each key that is complained of; and the complaints.
    """
    reader = _Reader(root)
    settings: Made = reader.table(root, tables, ())
    return settings, reader.complaints


def first_complaint(complaints: Sequence[Complaint], lines: Mapping[KeyPath, int]) -> Complaint:
    """The one that comes first in the file; those whose line is not known come last."""
    return min(complaints, key=lambda complaint: complaint.line(lines) or math.inf)


class _Reader:
    """Makes settings of tables and keeps what it has to complain of."""

    def __init__(self, root: type[TableSettings]) -> None:
        self.complaints: list[Complaint] = []
        self._homes = {path[-1]: _within(path[:-1]) for path, _ in every_key(root)}

    def table(self, made: type[TableSettings], table: Mapping[str, Any], path: KeyPath, **given: Any) -> Any:
        before = len(self.complaints)
        known = entries(made)
        for name in [name for name in table if name not in known]:
            self._complain((*path, name), self._unknown(made, table, path, name))
        values = {
            known[name].name: self._value(entry_of(known[name]), value, (*path, name))
            for name, value in table.items()
            if name in known
        }
        settings = made(**given, **{name: value for name, value in values.items() if value is not _UNFIT})
        if len(self.complaints) == before:
            self._check(settings, path)
        return settings

    def _value(self, entry: Entry, value: Any, path: KeyPath) -> Any:
        match entry:
            case Key(kind=kind):
                return self._key(kind, value, path)
            case Table(made=made):
                return self.table(made, value, path) if self._is_table(value, path, bracketed(path)) else _UNFIT
            case NamedTables():
                return self._named(entry, value, path)

    def _key(self, kind: Kind, value: Any, path: KeyPath) -> Any:
        try:
            return kind.read(value)
        except UnfitError:
            self._complain(path, f"{shown(path[-1])}{_inside(path)} is {shown(value)}, must be {kind.expects}")
            return _UNFIT

    def _named(self, entry: NamedTables, value: Any, path: KeyPath) -> Any:
        pattern = bracketed((*path, "NAME"))
        if not self._is_table(value, path, pattern):
            return _UNFIT
        return tuple(
            self.table(entry.made, table, (*path, name), name=name)
            for name, table in value.items()
            if self._is_table(table, (*path, name), pattern) and self._is_name(entry.names, name, path)
        )

    def _is_name(self, names: Text, name: str, path: KeyPath) -> bool:
        try:
            names.read(name)
        except UnfitError:
            self._complain((*path, name), f"{shown(name)} in {bracketed(path)} must be {names.expects}")
            return False
        return True

    def _is_table(self, value: Any, path: KeyPath, pattern: str) -> bool:
        if isinstance(value, dict):
            return True
        self._complain(path, f"{shown(path[-1])}{_inside(path)} is {shown(value)}, must be a table {pattern}")
        return False

    def _check(self, settings: TableSettings, path: KeyPath) -> None:
        contradiction = settings.contradiction()
        if contradiction:
            keys, sentence = contradiction
            where = f"in {bracketed(path)} " if path else ""
            self.complaints.append(Complaint(tuple((*path, *below) for below in keys), where + sentence))

    def _complain(self, path: KeyPath, sentence: str) -> None:
        self.complaints.append(Complaint((path,), sentence))

    def _unknown(self, made: type[TableSettings], table: Mapping[str, Any], path: KeyPath, name: str) -> str:
        if isinstance(table[name], dict):
            what = f"unknown table {bracketed((*path, name))}"
        elif name in self._homes:
            return f"unknown key {shown(name)} {_within(path)}; it belongs {self._homes[name]}"
        else:
            what = f"unknown key {shown(name)} {_within(path)}"
        valid = {known: _written(entry_of(item), (*path, known)) for known, item in entries(made).items()}
        near = difflib.get_close_matches(name.lower(), valid, n=1, cutoff=0.5)
        hint = f"did you mean {valid[near[0]]}?" if near else f"there may be {alternatives(list(valid.values()))}"
        return f"{what}; {hint}"


_UNFIT = object()
"""What stands for a value that was complained of."""


def _written(entry: Entry, path: KeyPath) -> str:
    """How a key or table is written in the file."""
    match entry:
        case Key():
            return shown(path[-1])
        case Table():
            return bracketed(path)
        case NamedTables():
            return bracketed((*path, "NAME"))


def _inside(path: KeyPath) -> str:
    return f" in {bracketed(path[:-1])}" if len(path) > 1 else ""


def _within(path: KeyPath) -> str:
    return f"in {bracketed(path)}" if path else _TOP
