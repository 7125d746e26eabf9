"""From tables to frozen settings: what a key may say, what is complained of, and the example of it all.

A class of settings is a dataclass derived from `TableSettings`, and each of its fields holds an entry
in its metadata: `Key`, `Table` or `NamedTables`. What is read, how an error is worded and what an
example shows is derived from these entries, so they cannot drift apart. Knows no setting by name.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import textwrap
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from device.config.toml_text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from device.config.toml_text import KeyPath

Made = TypeVar("Made", bound="TableSettings")

_SHOWN_CHARACTERS = 60
_COMMENT_COLUMNS = 100
_TOP = "at the top of the file"


# --- what a key may say


class UnfitError(Exception):
    """A value is none that its key may have."""


class Kind(ABC):
    """What a key may say: in words, and as a check."""

    __slots__ = ()

    @property
    @abstractmethod
    def expects(self) -> str:
        """What would work, to stand behind `must be`."""

    @abstractmethod
    def read(self, value: Any) -> Any:
        """The setting that a TOML value means; raises `UnfitError` where it means none."""

    def write(self, setting: Any) -> Any:
        """The TOML value that means a setting."""
        return setting


@dataclass(frozen=True, slots=True)
class Number(Kind):
    """A number from `low` to `high`, both included; never NaN, infinite, or a bool."""

    low: float
    high: float
    unit: str = ""

    @property
    def expects(self) -> str:
        """What would work."""
        return f"a number from {self.low:g} to {self.high:g} {self.unit}".rstrip()

    def read(self, value: Any) -> float:
        """An integer will do."""
        if type(value) in {int, float} and self.low <= value <= self.high:
            return float(value)
        raise UnfitError


@dataclass(frozen=True, slots=True)
class Integer(Kind):
    """A whole number from `low` to `high`, both included; never a bool, nor a float that is whole."""

    low: int
    high: int

    @property
    def expects(self) -> str:
        """What would work."""
        return f"a whole number from {self.low} to {self.high}"

    def read(self, value: Any) -> int:
        """The number itself."""
        if type(value) is int and self.low <= value <= self.high:
            return value
        raise UnfitError


@dataclass(frozen=True, slots=True)
class Ordinal(Kind):
    """One of things that people count from 1, up to `last`, and programs from 0."""

    last: int

    @property
    def expects(self) -> str:
        """What would work."""
        return f"a whole number from 1 to {self.last}"

    def read(self, value: Any) -> int:
        """One less."""
        return Integer(1, self.last).read(value) - 1

    def write(self, setting: int) -> int:
        """One more."""
        return setting + 1


@dataclass(frozen=True, slots=True)
class Switch(Kind):
    """On or off; never 0 or 1."""

    expects: str = "true or false"

    def read(self, value: Any) -> bool:
        """The bool itself."""
        if isinstance(value, bool):
            return value
        raise UnfitError


@dataclass(frozen=True, slots=True)
class Choice(Kind):
    """One of some words."""

    words: tuple[str, ...]

    @property
    def expects(self) -> str:
        """What would work."""
        return alternatives([shown(word) for word in self.words])

    def read(self, value: Any) -> str:
        """The word itself."""
        if isinstance(value, str) and value in self.words:
            return value
        raise UnfitError


@dataclass(frozen=True, slots=True)
class Text(Kind):
    """A string of printable characters that matches `pattern` as a whole; `expects` says that in words."""

    pattern: str
    expects: str

    def read(self, value: Any) -> str:
        """The string itself."""
        if isinstance(value, str) and value.isprintable() and re.fullmatch(self.pattern, value):
            return value
        raise UnfitError


@dataclass(frozen=True, slots=True)
class OrWord(Kind):
    """What another kind allows, or one word that stands for None."""

    kind: Kind
    word: str

    @property
    def expects(self) -> str:
        """What would work."""
        return f"{self.kind.expects}, or {shown(self.word)}"

    def read(self, value: Any) -> Any:
        """None for the word."""
        return None if value == self.word else self.kind.read(value)

    def write(self, setting: Any) -> Any:
        """The word for None."""
        return self.word if setting is None else self.kind.write(setting)


# --- what a table holds


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


# --- from tables to settings


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
        self._homes = dict(_homes(root))

    def table(self, made: type[TableSettings], table: Mapping[str, Any], path: KeyPath, **given: Any) -> Any:
        before = len(self.complaints)
        entries = _entries(made)
        for name in [name for name in table if name not in entries]:
            self._complain((*path, name), self._unknown(made, table, path, name))
        values = {
            entries[name].name: self._value(_entry(entries[name]), value, (*path, name))
            for name, value in table.items()
            if name in entries
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
                return self.table(made, value, path) if self._is_table(value, path, _bracketed(path)) else _UNFIT
            case NamedTables():
                return self._named(entry, value, path)

    def _key(self, kind: Kind, value: Any, path: KeyPath) -> Any:
        try:
            return kind.read(value)
        except UnfitError:
            self._complain(path, f"{shown(path[-1])}{_inside(path)} is {shown(value)}, must be {kind.expects}")
            return _UNFIT

    def _named(self, entry: NamedTables, value: Any, path: KeyPath) -> Any:
        pattern = _bracketed((*path, "NAME"))
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
            self._complain((*path, name), f"{shown(name)} in {_bracketed(path)} must be {names.expects}")
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
            where = f"in {_bracketed(path)} " if path else ""
            self.complaints.append(Complaint(tuple((*path, *below) for below in keys), where + sentence))

    def _complain(self, path: KeyPath, sentence: str) -> None:
        self.complaints.append(Complaint((path,), sentence))

    def _unknown(self, made: type[TableSettings], table: Mapping[str, Any], path: KeyPath, name: str) -> str:
        if isinstance(table[name], dict):
            what = f"unknown table {_bracketed((*path, name))}"
        elif name in self._homes:
            return f"unknown key {shown(name)} {_within(path)}; it belongs {self._homes[name]}"
        else:
            what = f"unknown key {shown(name)} {_within(path)}"
        valid = {known: _written(_entry(item), (*path, known)) for known, item in _entries(made).items()}
        near = difflib.get_close_matches(name.lower(), valid, n=1, cutoff=0.5)
        hint = f"did you mean {valid[near[0]]}?" if near else f"there may be {alternatives(list(valid.values()))}"
        return f"{what}; {hint}"


_UNFIT = object()
"""What stands for a value that was complained of."""


def _entry(item: dataclasses.Field[Any]) -> Entry:
    entry: Entry = item.metadata["entry"]
    return entry


def _entries(made: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    """Key as in the file -> field, in the order of the class."""
    items = [item for item in dataclasses.fields(made) if "entry" in item.metadata]
    return {entry.key if isinstance(entry := _entry(item), NamedTables) else item.name: item for item in items}


# --- in words


def _homes(made: type[Any], path: KeyPath = ()) -> Iterator[tuple[str, str]]:
    """Every key that is no table, and where it belongs."""
    for name, item in _entries(made).items():
        match _entry(item):
            case Key():
                yield name, _within(path)
            case Table(made=inner):
                yield from _homes(inner, (*path, name))
            case NamedTables(made=inner):
                yield from _homes(inner, (*path, name, "NAME"))


def _written(entry: Entry, path: KeyPath) -> str:
    """How a key or table is written in the file."""
    match entry:
        case Key():
            return shown(path[-1])
        case Table():
            return _bracketed(path)
        case NamedTables():
            return _bracketed((*path, "NAME"))


def _inside(path: KeyPath) -> str:
    return f" in {_bracketed(path[:-1])}" if len(path) > 1 else ""


def _within(path: KeyPath) -> str:
    return f"in {_bracketed(path)}" if path else _TOP


def _bracketed(path: KeyPath) -> str:
    bare = re.compile(r"[A-Za-z0-9_-]{1,60}")
    return f"[{'.'.join(str(part) if bare.fullmatch(str(part)) else shown(part) for part in path)}]"


def alternatives(words: Sequence[str]) -> str:
    """Words as a sentence offers them: a, b or c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def shown(value: Any) -> str:
    """A value as TOML writes it, on one line and not too long."""
    if isinstance(value, str):
        return f'"{_cut(printable(value))}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 128:  # Python refuses to write out very long ones
        return "a number of very many digits"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict):
        return "a table"
    return "an array" if isinstance(value, list) else f"the date or time {value}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


# --- the example


def example_lines(settings: TableSettings, path: KeyPath = ()) -> Iterator[str]:
    """Lines of a TOML text that makes these settings, every key commented out below its meaning and range."""
    for name, item in _entries(type(settings)).items():
        value = getattr(settings, item.name)
        match _entry(item):
            case Key(kind=kind, says=says):
                yield from _comment(f"{says} Must be {kind.expects}.")
                yield f"# {name} = {shown(kind.write(value))}"
            case Table():
                yield from _example_table(value, (*path, name))
            case NamedTables(made=made, sample=sample):
                for named in value or (made(name=sample),):
                    yield from _example_table(named, (*path, name, named.name))


def _example_table(settings: TableSettings, path: KeyPath) -> Iterator[str]:
    yield ""
    yield from _comment(str(type(settings).__doc__).splitlines()[0])
    yield _bracketed(path)
    yield from example_lines(settings, path)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _COMMENT_COLUMNS, initial_indent="# ", subsequent_indent="#   ")
