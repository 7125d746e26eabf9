"""Settings from a configuration file, on top of those of the profile that it names."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from device.config.key_lines import key_lines
from device.config.microphone.microphone_settings import MicrophoneSettings
from device.config.profiles import DEFAULT_PROFILE, PROFILES
from device.config.push.notify_settings import CREDENTIAL, NotifySettings
from device.config.push.watcher_settings import WatcherSettings
from device.config.settings import (
    BundleSettings,
    ClipSettings,
    JournalSettings,
    LogSettings,
    MqttSettings,
    Settings,
)
from device.config.table_reader import first_problem, read_settings
from device.config.toml_text import parse_leniently, parse_toml, read_text
from device.config.web_settings import WebSettings
from device.config.wording import alternatives, shown
from device.errors import ConfigError, ConfiguredError
from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from device.config.key_lines import KeyPath


def load_config(path: str | os.PathLike[str]) -> Settings:
    """Read the settings in a file, on top of those of the profile that it names.

    Raises:
        ConfigError: the file cannot be read or is invalid; one line, which begins with the path as given.
    """
    return parse_config(read_text(path), source=os.fspath(path), folder=Path(path).parent)


def parse_config(text: str, *, source: str, folder: Path | None = None) -> Settings:
    """Read the settings in a TOML text, on top of those of the profile that it names.

    Args:
        text: content of a configuration file.
        source: name of the text in an error's sentence.
        folder: base of relative paths; None leaves them relative.

    Raises:
        ConfigError: the text is not TOML, or is invalid: the first problem in it.
    """
    tables = parse_toml(text, source)
    settings, problems = read_settings(Settings, _merged(_profile_tables(tables.get("profile")), tables))
    if problems:
        lines = key_lines(text, tables)
        first = first_problem(problems, lines)
        line = first.line(lines)
        where = printable(source) if line is None else f"{printable(source)}, line {line}"
        raise ConfigError(f"{where}: {first.sentence}")
    return settings if folder is None else _with_absolute_paths(settings, folder)


@dataclass(frozen=True, slots=True)
class CheckedConfig:
    """A configuration file, and everything that is wrong with it.

    Attributes:
        settings: in which a key with a mistake has its default.
        mistakes: (line or None, sentence), in the order of the file.
        lines: of the keys.
    """

    settings: Settings
    mistakes: tuple[tuple[int | None, str], ...]
    lines: Mapping[KeyPath, int]


def check_config(path: str | os.PathLike[str]) -> CheckedConfig:
    """Read the settings in a file, and find all of its mistakes.

    Raises:
        ConfigError: the file cannot be read, or is so little TOML that nothing can be said about its keys.
    """
    tables, text, syntax_problems = parse_leniently(read_text(path), os.fspath(path))
    settings, problems = read_settings(Settings, _merged(_profile_tables(tables.get("profile")), tables))
    lines = key_lines(text, tables)
    found = [(problem.line, problem.sentence) for problem in syntax_problems]
    found += [(problem.line(lines), problem.sentence) for problem in problems]
    found.sort(key=lambda mistake: math.inf if mistake[0] is None else mistake[0])
    return CheckedConfig(_with_absolute_paths(settings, Path(path).parent), tuple(found), lines)


def located(error: ConfiguredError, path: str | os.PathLike[str]) -> ConfiguredError:
    """The error with the file and the line of its key before it; unchanged if it is about no key."""
    if not error.key:
        return error
    try:
        text = read_text(path)
        line = line_of(error.key, key_lines(text, parse_toml(text, os.fspath(path))))
    except ConfigError:  # the file was changed meanwhile
        return error
    where = printable(os.fspath(path)) if line is None else f"{printable(os.fspath(path))}, line {line}"
    return type(error)(f"{where}: {error}", key=error.key)


@contextlib.contextmanager
def locating(path: str | os.PathLike[str] | None) -> Iterator[None]:
    """Within this context, an error about a key names the file and the line of that key; None for no file."""
    try:
        yield
    except ConfiguredError as error:
        if path is None or not error.key:
            raise
        raise located(error, path) from error


def line_of(key: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """The line of a key, or of the nearest table around it; None if neither is in the file."""
    return next((lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in lines), None)


def profile(name: str = DEFAULT_PROFILE) -> Settings:
    """The settings of a built-in profile.

    Raises:
        ConfigError: no profile has this name.
    """
    if name not in PROFILES:
        there = alternatives([shown(known) for known in PROFILES])
        raise ConfigError(f"no profile is named {shown(name)}, it must be {there}")
    settings, _ = read_settings(Settings, {"profile": name, **PROFILES[name].tables})
    return settings


def _profile_tables(name: Any) -> Mapping[str, Any]:
    """Tables of the profile that a file names; an unknown name is reported by the reader."""
    known = PROFILES.get(name) if isinstance(name, str) else None
    return (known or PROFILES[DEFAULT_PROFILE]).tables


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        below = merged.get(name)
        merged[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _with_absolute_paths(settings: Settings, folder: Path) -> Settings:
    models = tuple(
        dataclasses.replace(model, bundle=str(folder / model.bundle)) if model.is_file else model
        for model in settings.models
    )
    return dataclasses.replace(
        settings,
        models=models,
        bundles=_paths_from(folder, settings.bundles, "public_key"),
        log=_paths_from(folder, settings.log, "file"),
        journal=_paths_from(folder, settings.journal, "file"),
        microphone=_paths_from(folder, settings.microphone, "password_file", "ca_file"),
        mqtt=_paths_from(folder, settings.mqtt, "password_file", "ca_file", "cert_file", "key_file"),
        clips=_paths_from(folder, settings.clips, "folder"),
        web=_paths_from(folder, settings.web, "accounts_file", "cert_file", "key_file"),
        notify=tuple(
            _paths_from(folder, each, "address_file", "token_file", "user_file", "ca_file") for each in settings.notify
        ),
        watcher=_paths_from(folder, settings.watcher, "url_file"),
    )


_TableWithPaths = TypeVar(
    "_TableWithPaths",
    BundleSettings,
    LogSettings,
    JournalSettings,
    MicrophoneSettings,
    MqttSettings,
    ClipSettings,
    NotifySettings,
    WatcherSettings,
    WebSettings,
)


def _paths_from(folder: Path, table: _TableWithPaths, *names: str) -> _TableWithPaths:
    """The table with these paths relative to the folder; None and keywords are not paths."""
    paths = {name: getattr(table, name) for name in names}
    keywords = {None, "auto", CREDENTIAL}
    absolute: dict[str, Any] = {name: str(folder / path) for name, path in paths.items() if path not in keywords}
    return dataclasses.replace(table, **absolute)
