"""The kinds of values that a key may have: in words, as a check, in TOML, and in JSON Schema."""

from __future__ import annotations

import ipaddress
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from device.config.alerting.week_hours import WEEK_RANGE, week_range
from device.config.wording import alternatives, shown


class InvalidValueError(Exception):
    """A key may not have this value; the message, if there is one, says which part of it is wrong."""


class ValueKind(ABC):
    """What a key accepts."""

    __slots__ = ()

    @property
    @abstractmethod
    def expects(self) -> str:
        """What would work, worded to follow `must be`."""

    @abstractmethod
    def from_toml(self, value: Any) -> Any:
        """Return the setting for a TOML value; raises `InvalidValueError` if the key does not accept it."""

    def to_toml(self, setting: Any) -> Any:
        """Return the TOML value for a setting."""
        return setting

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """Return the keywords of JSON Schema (draft 4) that accept the same values."""


@dataclass(frozen=True, slots=True)
class Number(ValueKind):
    """A number from `low` to `high`, both included; never NaN, infinite, or a bool. An integer is accepted."""

    low: float
    high: float
    unit: str = ""

    @property
    def expects(self) -> str:
        """The range and the unit."""
        return f"a number from {self.low:g} to {self.high:g} {self.unit}".rstrip()

    def from_toml(self, value: Any) -> float:
        """Return the number as a float."""
        if type(value) in {int, float} and self.low <= value <= self.high:
            return float(value)
        raise InvalidValueError

    def json_schema(self) -> dict[str, Any]:
        """Return a number with its range."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Integer(ValueKind):
    """An integer from `low` to `high`, both included; never a bool, nor a float without a fraction."""

    low: int
    high: int

    @property
    def expects(self) -> str:
        """The range."""
        return f"a whole number from {self.low} to {self.high}"

    def from_toml(self, value: Any) -> int:
        """Return the integer itself."""
        if type(value) is int and self.low <= value <= self.high:
            return value
        raise InvalidValueError

    def json_schema(self) -> dict[str, Any]:
        """Return an integer with its range."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Ordinal(ValueKind):
    """The position of one of at most `last` things: counted from 1 in the file, from 0 in the settings."""

    last: int

    @property
    def expects(self) -> str:
        """The range."""
        return f"a whole number from 1 to {self.last}"

    def from_toml(self, value: Any) -> int:
        """Return one less."""
        return Integer(1, self.last).from_toml(value) - 1

    def to_toml(self, setting: int) -> int:
        """Return one more."""
        return setting + 1

    def json_schema(self) -> dict[str, Any]:
        """Return an integer, counted from 1."""
        return Integer(1, self.last).json_schema()


@dataclass(frozen=True, slots=True)
class Boolean(ValueKind):
    """True or false; never 0 or 1."""

    expects: str = "true or false"

    def from_toml(self, value: Any) -> bool:
        """Return the bool itself."""
        if isinstance(value, bool):
            return value
        raise InvalidValueError

    def json_schema(self) -> dict[str, Any]:
        """Return a boolean."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Choice(ValueKind):
    """One of several words."""

    words: tuple[str, ...]

    @property
    def expects(self) -> str:
        """All of the words."""
        return alternatives([shown(word) for word in self.words])

    def from_toml(self, value: Any) -> str:
        """Return the word itself."""
        if isinstance(value, str) and value in self.words:
            return value
        raise InvalidValueError

    def json_schema(self) -> dict[str, Any]:
        """Return the words."""
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Text(ValueKind):
    """A string of printable characters that matches `pattern` as a whole; `expects` describes the pattern."""

    pattern: str
    expects: str

    @property
    def whole_pattern(self) -> str:
        """The pattern for engines that search: JSON Schema's do."""
        return f"^(?:{self.pattern})$"

    def from_toml(self, value: Any) -> str:
        """Return the string itself."""
        if isinstance(value, str) and value.isprintable() and re.fullmatch(self.pattern, value):
            return value
        raise InvalidValueError

    def json_schema(self) -> dict[str, Any]:
        """Return the pattern; that characters must be printable is not expressed."""
        return {"type": "string", "pattern": self.whole_pattern}


@dataclass(frozen=True, slots=True)
class Several(ValueKind):
    """An array of what another kind accepts, each value at most once; it may be empty."""

    kind: ValueKind

    @property
    def expects(self) -> str:
        """What each value must be."""
        return f"an array, each value of it {self.kind.expects}"

    def from_toml(self, value: Any) -> tuple[Any, ...]:
        """Return the values as a tuple."""
        if not isinstance(value, list | tuple):
            raise InvalidValueError
        values = tuple(self.kind.from_toml(item) for item in value)
        if len(set(values)) < len(values):
            raise InvalidValueError
        return values

    def to_toml(self, setting: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the TOML value of each."""
        return tuple(self.kind.to_toml(item) for item in setting)

    def json_schema(self) -> dict[str, Any]:
        """Return an array of different values."""
        return {"type": "array", "items": self.kind.json_schema(), "uniqueItems": True}


@dataclass(frozen=True, slots=True)
class WeekRanges(ValueKind):
    """An array of hours, with days of the week or without, no two of which have a minute in common; it may be empty."""

    expects: str = 'an array of hours as "22:00-06:00" or "mon-fri 22:00-06:00", of which no two overlap'

    def from_toml(self, value: Any) -> tuple[str, ...]:
        """Return the ranges as they are written."""
        if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
            raise InvalidValueError
        try:
            parsed = [(text, week_range(text)) for text in value]
        except ValueError as error:
            raise InvalidValueError(str(error)) from error
        for (text, one), (other_text, other) in combinations(parsed, 2):
            if one.overlaps(other):
                raise InvalidValueError(f"{shown(other_text)} overlaps {shown(text)}")
        return tuple(value)

    def json_schema(self) -> dict[str, Any]:
        """Return an array of ranges; that they do not overlap, and name no day twice, is not expressed."""
        return Several(Text(WEEK_RANGE, "hours")).json_schema()


_HOST_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?"
_IPV6 = r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f.:]*:[0-9A-Fa-f.]*(%[A-Za-z0-9._-]{1,15})?"


@dataclass(frozen=True, slots=True)
class Host(ValueKind):
    """A host's name, or its address of IPv4 or IPv6, in brackets or not; never with a port."""

    expects: str = 'a host\'s name or address without a port, which the key "port" sets'

    def from_toml(self, value: Any) -> str:
        """Return the name or address, without brackets."""
        if not isinstance(value, str):
            raise InvalidValueError
        if re.fullmatch(_HOST_NAME, value):
            return value
        address = value[1:-1] if value.startswith("[") and value.endswith("]") else value
        try:
            if re.fullmatch(_IPV6, address):
                ipaddress.IPv6Address(address)
                return address
        except ValueError:
            pass
        raise InvalidValueError

    def json_schema(self) -> dict[str, Any]:
        """Return a pattern; how many groups an address of IPv6 has is not expressed."""
        return {"type": "string", "pattern": rf"^(?:{_HOST_NAME}|{_IPV6}|\[{_IPV6}\])$"}


@dataclass(frozen=True, slots=True)
class OrKeyword(ValueKind):
    """What another kind accepts, or one keyword that stands for None."""

    kind: ValueKind
    keyword: str

    @property
    def expects(self) -> str:
        """What the other kind expects, or the keyword."""
        return f"{self.kind.expects}, or {shown(self.keyword)}"

    def from_toml(self, value: Any) -> Any:
        """Return None for the keyword."""
        return None if value == self.keyword else self.kind.from_toml(value)

    def to_toml(self, setting: Any) -> Any:
        """Return the keyword for None."""
        return self.keyword if setting is None else self.kind.to_toml(setting)

    def json_schema(self) -> dict[str, Any]:
        """Return what the other kind accepts, or the keyword."""
        schema = self.kind.json_schema()
        if "enum" in schema:
            return {"enum": [*schema["enum"], self.keyword]}
        return {"anyOf": [schema, {"enum": [self.keyword]}]}
