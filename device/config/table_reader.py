"""From parsed TOML tables to frozen settings, and a report of every problem in them."""

from __future__ import annotations

import contextlib
import datetime as dt
import difflib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from device.config.kinds import InvalidValueError
from device.config.schema import Key, NamedTables, Table, TableArray, TableSettings, every_key, members
from device.config.wording import alternatives, bracketed, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from device.config.key_lines import KeyPath
    from device.config.kinds import Text, ValueKind
    from device.config.schema import Entry

SettingsT = TypeVar("SettingsT", bound=TableSettings)


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence about what is wrong, and the keys that it concerns."""

    paths: tuple[KeyPath, ...]
    sentence: str

    def line(self, lines: Mapping[KeyPath, int]) -> int | None:
        """Line of the last of its keys; None if the lines of none of them are known."""
        return max((lines[path] for path in self.paths if path in lines), default=None)


def read_settings(root: type[SettingsT], tables: Mapping[str, Any]) -> tuple[SettingsT, list[Problem]]:
    """Make settings of the tables of a TOML text, and collect everything that is wrong with them.

    Args:
        root: class of the whole file.
        tables: as parsed by `tomllib`.

    Returns:
        The settings, in which a key with a problem has its default; and the problems.
    """
    reader = _TableReader(root)
    settings: SettingsT = reader.table(root, tables, ())
    return settings, reader.problems


def first_problem(problems: Sequence[Problem], lines: Mapping[KeyPath, int]) -> Problem:
    """The problem that comes first in the file; those of unknown line come last."""
    return min(problems, key=lambda problem: problem.line(lines) or math.inf)


_INVALID = object()
"""What is read for a value that has a problem; its key then has the default."""


class _TableReader:
    """Makes settings of tables, collects problems."""

    def __init__(self, root: type[TableSettings]) -> None:
        self.problems: list[Problem] = []
        self._table_of_key: dict[str | int, str] = {}
        for path, _ in every_key(root):
            self._table_of_key.setdefault(path[-1], _within(path[:-1]))

    def table(self, settings_class: type[TableSettings], table: Mapping[str, Any], path: KeyPath, **name: str) -> Any:
        before = len(self.problems)
        known = members(settings_class)
        for key in [key for key in table if key not in known]:
            self._report((*path, key), self._unknown(settings_class, table, path, key))
        values = {
            known[key].attribute: self._value(known[key].entry, value, (*path, key))
            for key, value in table.items()
            if key in known
        }
        settings = settings_class(**name, **{key: value for key, value in values.items() if value is not _INVALID})
        if len(self.problems) == before:
            self._report_conflict(settings, path)
        return settings

    def _value(self, entry: Entry, value: Any, path: KeyPath) -> Any:
        match entry:
            case Key(kind=kind):
                return self._key(kind, value, path)
            case Table(settings_class=inner):
                return self.table(inner, value, path) if self._is_table(value, path, bracketed(path)) else _INVALID
            case NamedTables():
                return self._named_tables(entry, value, path)
            case TableArray():
                return self._table_array(entry, value, path)

    def _key(self, kind: ValueKind, value: Any, path: KeyPath) -> Any:
        try:
            return kind.from_toml(value)
        except InvalidValueError as error:
            sentence = f"{shown(path[-1])}{_inside(path)} is {shown(value)}, must be {kind.expects}"
            cure = str(error) or _cure(kind, value)
            self._report(path, f"{sentence}; {cure}" if cure else sentence)
            return _INVALID

    def _named_tables(self, entry: NamedTables, value: Any, path: KeyPath) -> Any:
        header = bracketed((*path, "NAME"))
        if not self._is_table(value, path, header):
            return _INVALID
        return tuple(
            self.table(entry.settings_class, table, (*path, name), name=name)
            for name, table in value.items()
            if self._is_table(table, (*path, name), header) and self._is_name(entry.names, name, path)
        )

    def _table_array(self, entry: TableArray, value: Any, path: KeyPath) -> Any:
        if isinstance(value, list):
            return tuple(
                self.table(entry.settings_class, table, (*path, index))
                for index, table in enumerate(value)
                if self._is_table(table, (*path, index), bracketed((*path, index)))
            )
        header = bracketed((*path, 0))
        what = f"[{path[-1]}]" if isinstance(value, dict) else f"{path[-1]} = {shown(value)}"
        self._report(path, f"write {header} instead of {what}: there may be several")
        return _INVALID

    def _is_name(self, names: Text, name: str, path: KeyPath) -> bool:
        try:
            names.from_toml(name)
        except InvalidValueError:
            self._report((*path, name), f"{shown(name)} in {bracketed(path)} must be {names.expects}")
            return False
        return True

    def _is_table(self, value: Any, path: KeyPath, header: str) -> bool:
        if isinstance(value, dict):
            return True
        self._report(path, f"{shown(path[-1])}{_inside(path)} is {shown(value)}, must be a table {header}")
        return False

    def _report_conflict(self, settings: TableSettings, path: KeyPath) -> None:
        conflict = settings.conflict()
        if conflict:
            keys, sentence = conflict
            where = f"in {bracketed(path)} " if path else ""
            self.problems.append(Problem(tuple((*path, *below) for below in keys), where + sentence))

    def _report(self, path: KeyPath, sentence: str) -> None:
        self.problems.append(Problem((path,), sentence))

    def _unknown(self, settings_class: type[TableSettings], table: Mapping[str, Any], path: KeyPath, key: str) -> str:
        if isinstance(table[key], dict):
            what = f"unknown table {bracketed((*path, key))}"
        elif key in self._table_of_key:
            return f"unknown key {shown(key)} {_within(path)}; it belongs {self._table_of_key[key]}"
        else:
            what = f"unknown key {shown(key)} {_within(path)}"
        valid = {known: _as_written(entry, (*path, known)) for known, (_, entry, _) in members(settings_class).items()}
        near = difflib.get_close_matches(key.lower(), valid, n=1, cutoff=0.5)
        hint = f"did you mean {valid[near[0]]}?" if near else f"there may be {alternatives(list(valid.values()))}"
        return f"{what}; {hint}"


def _cure(kind: ValueKind, value: Any) -> str:
    """What to write instead, if the same value would be accepted in another form; empty if not."""
    other = _in_other_form(value)
    try:
        if other is None:
            return ""
        kind.from_toml(other)
    except InvalidValueError:
        return ""
    return f"write {shown(other)} without quotes" if isinstance(value, str) else f"write {shown(other)}"


def _in_other_form(value: Any) -> Any:
    """What was probably meant by a value of the wrong type; None if that cannot be guessed."""
    match value:
        case str():
            return _parsed_text(value.strip())
        case bool():
            return None
        case 0 | 1:
            return bool(value)
        case dt.time():
            return f"{value:%H:%M}"
        case int() | float():
            return str(value)
    return None


def _parsed_text(text: str) -> Any:
    """The number or the truth value that a text spells; None if it spells none."""
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if text.lower() in words:
        return words[text.lower()]
    for parse in (int, float):
        with contextlib.suppress(ValueError):
            return parse(text.replace(",", "."))
    return None


def _as_written(entry: Entry, path: KeyPath) -> str:
    """A key or table as the file writes it."""
    match entry:
        case Key():
            return shown(path[-1])
        case Table():
            return bracketed(path)
        case NamedTables():
            return bracketed((*path, "NAME"))
        case TableArray():
            return bracketed((*path, 0))


def _inside(path: KeyPath) -> str:
    return f" in {bracketed(path[:-1])}" if len(path) > 1 else ""


def _within(path: KeyPath) -> str:
    return f"in {bracketed(path)}" if path else "at the top of the file"
