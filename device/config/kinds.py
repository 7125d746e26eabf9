"""What a key may say: kinds of values, each in words and as a check."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from device.config.wording import alternatives, shown


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
