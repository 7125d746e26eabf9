"""TOML in, frozen and validated settings out: the one place of every default, and the profiles.

A class for each table of the file, a field for each of its keys, with the range, the meaning and the
default beside it: what a key may say, the example that `auricle config --example` prints and every
error's sentence come from there. A new table is a new class and one field of `Settings`. Knows no
model: what a model says of itself travels with it, and a label's settings only overrule it. Knows no
folder of bundles either: whoever does, asks `missing_models`.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, get_args

from device.errors import ConfigError
from device.messages import Priority
from device.toml_lines import key_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from device.toml_lines import Path as KeyPath

MAX_FILE_BYTES = 2**20
MAX_TIME_S = 3600.0
DEFAULT_PROFILE = "nursery"
BUNDLE_SUFFIX = ".tflite"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")  # of models and labels, as in a bundle
_SHOWN_CHARACTERS = 60
_TOP = "at the top of the file"


# --- what a key may say


class _UnfitError(Exception):
    """A value is none that its key may have."""


class Kind(Protocol):
    """What a key may say: in words, and as a check."""

    @property
    def expects(self) -> str:
        """What would work, to stand behind `must be`."""

    def read(self, value: Any) -> Any:
        """The setting that a TOML value means; raises `_UnfitError` where it means none."""


@dataclass(frozen=True, slots=True)
class Number:
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
        raise _UnfitError


@dataclass(frozen=True, slots=True)
class Integer:
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
        raise _UnfitError


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off; never 0 or 1."""

    expects: str = "true or false"

    def read(self, value: Any) -> bool:
        """The bool itself."""
        if isinstance(value, bool):
            return value
        raise _UnfitError


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    @property
    def expects(self) -> str:
        """What would work."""
        return _alternatives([_shown(word) for word in self.words])

    def read(self, value: Any) -> str:
        """The word itself."""
        if isinstance(value, str) and value in self.words:
            return value
        raise _UnfitError


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a model or label, as bundles allow it."""

    what: str

    @property
    def expects(self) -> str:
        """What would work."""
        return f"the name of a {self.what} (up to 64 of a-z, 0-9, _ and -, not beginning with _ or -)"

    def read(self, value: Any) -> str:
        """The name itself."""
        if isinstance(value, str) and _NAME.fullmatch(value):
            return value
        raise _UnfitError


@dataclass(frozen=True, slots=True)
class BundleName:
    """A shipped bundle's name, or a file."""

    expects: str = f'the name of a shipped bundle, or a file with a "/" or "{BUNDLE_SUFFIX}" in its path'

    def read(self, value: Any) -> str:
        """The name or path itself."""
        if isinstance(value, str) and value.strip() and value.isprintable():
            return value
        raise _UnfitError


@dataclass(frozen=True, slots=True)
class OrWord:
    """What another kind allows, or one word that stands for None."""

    kind: Kind
    word: str

    @property
    def expects(self) -> str:
        """What would work."""
        return f"{self.kind.expects}, or {_shown(self.word)}"

    def read(self, value: Any) -> Any:
        """None for the word."""
        return None if value == self.word else self.kind.read(value)


# --- what a table holds


@dataclass(frozen=True, slots=True)
class Key:
    """A key: what it may say, and what it is for."""

    kind: Kind
    says: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is there once, `[listen]`."""

    made: type[_Settings]


@dataclass(frozen=True, slots=True)
class NamedTables:
    """A table for each name, `[model.NAME]`; `key` is what stands before the name."""

    key: str
    made: type[_Settings]


class _Settings:
    """What all classes of settings share."""

    __slots__ = ()

    def contradiction(self) -> tuple[tuple[KeyPath, ...], str] | None:
        """The keys (from this table on) that do not go together, and the sentence that says why."""
        return None


def _key(default: Any, kind: Kind, says: str) -> Any:
    return field(default=default, metadata={"entry": Key(kind, says)})


_PROBABILITY = OrWord(Number(0.001, 0.999), "model")
_TIME_S = OrWord(Number(0.0, MAX_TIME_S, "s"), "model")


@dataclass(frozen=True, slots=True)
class LabelSettings(_Settings):
    """What is overruled of one label of a model; "model" leaves a key as the model itself says."""

    name: str
    on: float | None = _key(None, _PROBABILITY, "Score from which on a window counts for an onset.")
    off: float | None = _key(None, _PROBABILITY, "Score below which a window counts for the end; at most `on`.")
    confirm_s: float | None = _key(None, _TIME_S, "An alert wants this much sound to count ...")
    confirm_of_s: float | None = _key(None, _TIME_S, "... within this much sound; at least `confirm_s`.")
    min_length_s: float | None = _key(None, _TIME_S, "Nothing is told before it has lasted this long.")
    hold_s: float | None = _key(None, _TIME_S, "It is over after this long below `off`.")
    cooldown_s: float | None = _key(None, _TIME_S, "Heard again within this time, it is the same event.")
    priority: Priority | None = field(
        default=None,
        metadata={"entry": Key(OrWord(Choice(get_args(Priority)), "model"), "How urgent its alert is.")},
    )

    def operating_point(self) -> dict[str, float]:
        """What is overruled of the model's operating point: field of `OperatingPoint` -> value."""
        named = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, float)}

    def contradiction(self) -> tuple[tuple[KeyPath, ...], str] | None:
        """Thresholds or confirmation times that exclude each other."""
        if self.on is not None and self.off is not None and self.off > self.on:
            return (("on",), ("off",)), f'"off" is {self.off:g}, must be at most "on", which is {self.on:g}'
        if self.confirm_s is not None and self.confirm_of_s is not None and self.confirm_s > self.confirm_of_s:
            least = f'must be at least "confirm_s", which is {self.confirm_s:g}'
            return (("confirm_s",), ("confirm_of_s",)), f'"confirm_of_s" is {self.confirm_of_s:g}, {least}'
        return None


@dataclass(frozen=True, slots=True)
class ModelSettings(_Settings):
    """A model that listens, under a name of your choice, which its events carry.

    Attributes:
        name: of the table, unique.
        labels: what is overruled of its labels; those that are not named are as the model says.
    """

    name: str
    bundle: str = _key("", BundleName(), "The model; a path that is not absolute begins at this file's folder.")
    enabled: bool = _key(default=True, kind=Switch(), says="Whether it listens at all.")
    threads: int = _key(1, Integer(1, 16), "Threads that its network may use.")
    listens_while: str | None = _key(
        None,
        OrWord(Name("label"), "always"),
        "Listen only while this label, of a model further up, is on.",
    )
    labels: tuple[LabelSettings, ...] = field(default=(), metadata={"entry": NamedTables("label", LabelSettings)})

    def __post_init__(self) -> None:
        """A model whose bundle is not named is the bundle of its own name."""
        object.__setattr__(self, "bundle", self.bundle or self.name)

    @property
    def is_file(self) -> bool:
        """Whether `bundle` is a path; a shipped bundle's name otherwise."""
        return "/" in self.bundle or self.bundle.endswith(BUNDLE_SUFFIX)

    def label(self, name: str) -> LabelSettings:
        """What is overruled of a label: nothing, where the settings do not name it."""
        return next((label for label in self.labels if label.name == name), LabelSettings(name))


@dataclass(frozen=True, slots=True)
class ListenSettings(_Settings):
    """How the stream is cut into windows."""

    hop_s: float = _key(
        0.5,
        Number(0.1, 2.0, "s"),
        "From one window to the next; every model says of which step it must be a multiple.",
    )


@dataclass(frozen=True, slots=True)
class RecordingSettings(_Settings):
    """How a recording is read."""

    channel: int | None = _key(None, OrWord(Integer(0, 63), "mix"), "The channel that is heard, or the mean of all.")


@dataclass(frozen=True, slots=True)
class DeafnessSettings(_Settings):
    """When a microphone is held to be deaf."""

    gates_to_zero: bool = _key(
        default=False,
        kind=Switch(),
        says="This microphone gives digital zeros where nothing is loud: they are then quiet, not deafness.",
    )


@dataclass(frozen=True, slots=True)
class ReplaySettings(_Settings):
    """How recordings are replayed; nothing here changes what is heard."""

    workers: int = _key(1, Integer(1, 64), "Processes that share the recordings.")


@dataclass(frozen=True, slots=True)
class Profile:
    """Settings for a purpose: one line about it, and its tables as a file would hold them."""

    summary: str
    tables: Mapping[str, Any]


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "nursery": Profile("an infant crying", {"model": {"cry": {"label": {"cry": {}}}}}),
        "stethoscope": Profile("crackles and wheezes in the lung", {"model": {"lung": {}}}),
    },
)


@dataclass(frozen=True, slots=True)
class Settings(_Settings):
    """All settings, validated; `profile` and `load_config` make them.

    Attributes:
        models: in the order of the profile, then of the file; `listening` are those that are enabled.
    """

    profile: str = _key(DEFAULT_PROFILE, Choice(tuple(PROFILES)), "What is not said below is as in this profile.")
    listen: ListenSettings = field(default_factory=ListenSettings, metadata={"entry": Table(ListenSettings)})
    models: tuple[ModelSettings, ...] = field(default=(), metadata={"entry": NamedTables("model", ModelSettings)})
    recording: RecordingSettings = field(
        default_factory=RecordingSettings, metadata={"entry": Table(RecordingSettings)}
    )
    deafness: DeafnessSettings = field(default_factory=DeafnessSettings, metadata={"entry": Table(DeafnessSettings)})
    replay: ReplaySettings = field(default_factory=ReplaySettings, metadata={"entry": Table(ReplaySettings)})

    @property
    def listening(self) -> tuple[ModelSettings, ...]:
        """The models that are enabled."""
        return tuple(model for model in self.models if model.enabled)

    def contradiction(self) -> tuple[tuple[KeyPath, ...], str] | None:
        """Nothing would listen."""
        if self.listening:
            return None
        keys = tuple(("model", model.name, "enabled") for model in self.models)
        return keys, 'no model is left to listen, one must have "enabled" true'


# --- from text


def load_config(path: str | os.PathLike[str]) -> Settings:
    """The settings in a file, over those of the profile it names.

    Raises:
        ConfigError: the file cannot be read, or says something that cannot be; one line, which begins
            with the path as given.
    """
    source = os.fspath(path)
    try:
        with Path(source).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ConfigError(f"{_source(source)}: cannot be read as a configuration file: {reason.lower()}") from error
    return parse_config(_decoded(data, source), source=source, folder=Path(source).parent)


def parse_config(text: str, *, source: str, folder: Path | None = None) -> Settings:
    """The settings that a TOML text makes, over those of the profile it names.

    Args:
        text: of a file.
        source: what the text is called in an error's sentence.
        folder: where paths that are not absolute begin; None leaves them as they are.

    Raises:
        ConfigError: the text is no TOML, or says something that cannot be: the first such thing in it.
    """
    said = _parsed(text, source)
    reader = _Reader()
    settings: Settings = reader.read(Settings, _merged(_profile_tables(said.get("profile")), said), ())
    if reader.problems:
        raise ConfigError(_first(reader.problems, key_lines(text, said), source))
    return settings if folder is None else _anchored(settings, folder)


def profile(name: str = DEFAULT_PROFILE) -> Settings:
    """The settings of a built-in profile.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PROFILES:
        there = _alternatives([_shown(known) for known in PROFILES])
        raise ConfigError(f"no profile is named {_shown(name)}, it must be {there}")
    settings: Settings = _Reader().read(Settings, {"profile": name, **_profile_tables(name)}, ())
    return settings


def missing_models(settings: Settings, available: Collection[str]) -> tuple[str, ...]:
    """Names of the bundles that should listen but are not among those available; files are not looked for."""
    wanted = dict.fromkeys(model.bundle for model in settings.listening if not model.is_file)
    return tuple(name for name in wanted if name not in available)


def missing_sentence(settings: Settings, missing: Collection[str]) -> str:
    """The sentence that says which models a profile still lacks, and what would work."""
    models = "model" if len(missing) == 1 else "models"
    named = ", ".join(_shown(name) for name in missing)
    way = f'set "bundle" in [model.NAME] to a {BUNDLE_SUFFIX} file, or give one with --model'
    return f"profile {_shown(settings.profile)} lacks the {models} {named}: no such bundle is shipped; {way}"


def example_config() -> str:
    """A configuration file that holds every key, commented out, with its meaning, range and default."""
    head = [
        "# Auricle's configuration. Every key may be left out; what stands here are the defaults.",
        *(f'# Profile "{name}": {known.summary}.' for name, known in PROFILES.items()),
        "",
    ]
    return "\n".join([*head, *_example(profile(), ())]).rstrip() + "\n"


def _decoded(data: bytes, source: str) -> str:
    where = _source(source)
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"{where}: is larger than {MAX_FILE_BYTES // 2**20} MiB, which no configuration file is")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{where}: is UTF-16 text, must be saved as UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wrong = f"byte 0x{data[error.start]:02x} is no UTF-8 text, the file must be saved as UTF-8"
        raise ConfigError(f"{where}, line {line}: {wrong}") from None


def _parsed(text: str, source: str) -> dict[str, Any]:
    if text.startswith("\ufeff"):
        raise ConfigError(
            f"{_source(source)}, line 1: begins with a byte-order mark, must be saved as UTF-8 without it"
        )
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax_error(str(error), text, source)) from None
    except RecursionError:
        raise ConfigError(f"{_source(source)}: arrays or tables are nested deeper than can be read") from None
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError(f"{_source(source)}: is no valid TOML: {_printable(str(error))}") from None


_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def _syntax_error(message: str, text: str, source: str) -> str:
    place = _PLACE.search(message)
    what = _printable(message[: place.start()] if place else message)
    what = f"no valid TOML: {what[:1].lower()}{what[1:]}"
    if place is None:
        return f"{_source(source)}: {what}"
    if place[1] is None:
        return f"{_source(source)}, line {max(1, len(text.splitlines()))}: {what}, at the end of the file"
    return f"{_source(source)}, line {place[1]}: {what}, at column {place[2]}"


def _profile_tables(name: Any) -> Mapping[str, Any]:
    """Of a profile as it is named in a file; a name that is none is complained of elsewhere."""
    known = PROFILES.get(name) if isinstance(name, str) else None
    return (known or PROFILES[DEFAULT_PROFILE]).tables


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        below = both.get(key)
        both[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return both


def _anchored(settings: Settings, folder: Path) -> Settings:
    models = tuple(
        dataclasses.replace(model, bundle=str(folder / model.bundle)) if model.is_file else model
        for model in settings.models
    )
    return dataclasses.replace(settings, models=models)


# --- from tables


@dataclass(frozen=True, slots=True)
class _Problem:
    """A complaint, and the keys it is about."""

    paths: tuple[KeyPath, ...]
    sentence: str

    def line(self, lines: Mapping[KeyPath, int]) -> int | None:
        """Where its last key stands; None where none of them is known to stand in the file."""
        return max((lines[path] for path in self.paths if path in lines), default=None)


class _Reader:
    """Turns tables into settings and keeps what it has to complain of in `problems`."""

    def __init__(self) -> None:
        self.problems: list[_Problem] = []

    def read(self, made: type[_Settings], table: Mapping[str, Any], path: KeyPath, **given: Any) -> Any:
        """The settings of one table; a key that is complained of has its default."""
        complaints = len(self.problems)
        entries = _entries(made)
        for key in table:
            if key not in entries:
                self._complain((*path, key), _unknown(made, table, path, key))
        values = {
            entries[key].name: self._value(entries[key], value, (*path, key))
            for key, value in table.items()
            if key in entries
        }
        sound = {name: value for name, value in values.items() if value is not _UNFIT}
        settings = made(**given, **sound)
        contradiction = settings.contradiction() if len(self.problems) == complaints else None
        if contradiction:
            self._contradict(path, *contradiction)
        return settings

    def _value(self, item: dataclasses.Field[Any], value: Any, path: KeyPath) -> Any:
        match _entry(item):
            case Key(kind=kind):
                return self._key(kind, value, path)
            case Table(made=made):
                return self.read(made, value, path) if self._is_table(value, path, _bracketed(path)) else _UNFIT
            case NamedTables(made=made):
                return self._named(made, value, path)

    def _key(self, kind: Kind, value: Any, path: KeyPath) -> Any:
        try:
            return kind.read(value)
        except _UnfitError:
            self._complain(path, f"{_shown(path[-1])}{_inside(path)} is {_shown(value)}, must be {kind.expects}")
            return _UNFIT

    def _named(self, made: type[_Settings], value: Any, path: KeyPath) -> Any:
        pattern = f"{_bracketed(path)[:-1]}.NAME]"
        if not self._is_table(value, path, pattern):
            return _UNFIT
        name = Name(str(path[-1]))
        tables = [
            self.read(made, table, (*path, key), name=self._key_name(name, key, (*path, key)))
            for key, table in value.items()
            if self._is_table(table, (*path, key), pattern)
        ]
        return tuple(tables)

    def _key_name(self, kind: Name, key: str, path: KeyPath) -> str:
        try:
            return kind.read(key)
        except _UnfitError:
            self._complain(path, f"{_shown(key)}{_inside(path)} must be {kind.expects}")
            return key

    def _is_table(self, value: Any, path: KeyPath, pattern: str) -> bool:
        if not isinstance(value, dict):
            self._complain(path, f"{_shown(path[-1])}{_inside(path)} is {_shown(value)}, must be a table {pattern}")
        return isinstance(value, dict)

    def _complain(self, path: KeyPath, sentence: str) -> None:
        self.problems.append(_Problem((path,), sentence))

    def _contradict(self, path: KeyPath, keys: tuple[KeyPath, ...], sentence: str) -> None:
        inside = f"in {_bracketed(path)} " if path else ""
        self.problems.append(_Problem(tuple((*path, *key) for key in keys), f"{inside}{sentence}"))


_UNFIT = object()
"""What stands for a value that was complained of."""


def _entry(item: dataclasses.Field[Any]) -> Key | Table | NamedTables:
    entry: Key | Table | NamedTables = item.metadata["entry"]
    return entry


def _entries(made: type[Any]) -> dict[str, dataclasses.Field[Any]]:
    """Key as in the file -> field, in the order of the class."""
    items = [item for item in dataclasses.fields(made) if "entry" in item.metadata]
    return {_key_of(item): item for item in items}


def _key_of(item: dataclasses.Field[Any]) -> str:
    entry = _entry(item)
    return entry.key if isinstance(entry, NamedTables) else item.name


def _first(problems: list[_Problem], lines: Mapping[KeyPath, int], source: str) -> str:
    """The complaint that comes first in the file; those whose line is not known come last."""
    first = min(problems, key=lambda problem: problem.line(lines) or math.inf)
    line = first.line(lines)
    where = _source(source) if line is None else f"{_source(source)}, line {line}"
    return f"{where}: {first.sentence}"


# --- in words


def _unknown(made: type[_Settings], table: Mapping[str, Any], path: KeyPath, key: str) -> str:
    is_table = isinstance(table[key], dict)
    what = f"table {_bracketed((*path, key))}" if is_table else f"key {_shown(key)} {_within(path)}"
    home = dict(_homes(Settings)).get(key)
    if home is not None and not is_table:
        return f"unknown {what}; it belongs {home}"
    valid = _entries(made)
    near = difflib.get_close_matches(key.lower(), valid, n=1, cutoff=0.5)
    if near:
        return f"unknown {what}; did you mean {_written(valid[near[0]], path)}?"
    return f"unknown {what}; there may be {_alternatives([_written(item, path) for item in valid.values()])}"


def _homes(made: type[Any], path: KeyPath = ()) -> Iterator[tuple[str, str]]:
    """Every key that is no table, and where it belongs."""
    for key, item in _entries(made).items():
        match _entry(item):
            case Key():
                yield key, _within(path)
            case Table(made=inner):
                yield from _homes(inner, (*path, key))
            case NamedTables(made=inner):
                yield from _homes(inner, (*path, key, "NAME"))


def _written(item: dataclasses.Field[Any], path: KeyPath) -> str:
    """How a key or table is written in the file."""
    match _entry(item):
        case Key():
            return _shown(item.name)
        case Table():
            return _bracketed((*path, item.name))
        case NamedTables(key=key):
            return _bracketed((*path, key, "NAME"))


def _inside(path: KeyPath) -> str:
    return f" in {_bracketed(path[:-1])}" if len(path) > 1 else ""


def _within(path: KeyPath) -> str:
    return f"in {_bracketed(path)}" if path else _TOP


def _bracketed(path: KeyPath) -> str:
    bare = re.compile(r"[A-Za-z0-9_-]{1,60}")
    return f"[{'.'.join(str(part) if bare.fullmatch(str(part)) else _shown(part) for part in path)}]"


def _alternatives(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _shown(value: Any) -> str:
    """A value as TOML writes it, on one line and not too long."""
    if isinstance(value, str):
        return f'"{_cut(_printable(value))}"'
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


def _printable(text: str) -> str:
    """Text on one line: what would break it, or a terminal, is escaped."""
    return text if text.isprintable() else json.dumps(text)[1:-1]


def _source(source: str) -> str:
    return _printable(source)


# --- the example


def _example(settings: Any, path: KeyPath) -> Iterator[str]:
    for key, item in _entries(type(settings)).items():
        value = getattr(settings, item.name)
        match _entry(item):
            case Key(kind=kind, says=says):
                yield f"# {says} Must be {kind.expects}."
                yield f"# {key} = {_toml(kind, value)}"
            case Table():
                yield from _example_table(value, (*path, key))
            case NamedTables():
                for named in value:
                    yield from _example_table(named, (*path, key, named.name))


def _example_table(settings: Any, path: KeyPath) -> Iterator[str]:
    summary = str(type(settings).__doc__).splitlines()[0]
    yield from ("", f"# {summary}", _bracketed(path))
    yield from _example(settings, path)


def _toml(kind: Kind, value: Any) -> str:
    return _shown(kind.word if isinstance(kind, OrWord) and value is None else value)
