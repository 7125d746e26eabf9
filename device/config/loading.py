"""Settings from a configuration file, over those of the profile that it names."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from device.config.key_lines import key_lines
from device.config.profiles import DEFAULT_PROFILE, PROFILES
from device.config.reader import first_complaint, read_settings
from device.config.settings import ClipSettings, JournalSettings, LogSettings, MqttSettings, Settings
from device.config.toml_text import parse_toml, printable, read_text
from device.config.wording import alternatives, shown
from device.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def load_config(path: str | os.PathLike[str]) -> Settings:
    """The settings in a file, over those of the profile it names.

    Raises:
        ConfigError: the file cannot be read, or says something that cannot be; one line, which begins
            with the path as given.
    """
    return parse_config(read_text(path), source=os.fspath(path), folder=Path(path).parent)


def parse_config(text: str, *, source: str, folder: Path | None = None) -> Settings:
    """The settings that a TOML text makes, over those of the profile it names.

    Args:
        text: of a file.
        source: what the text is called in an error's sentence.
        folder: where paths that are not absolute begin; None leaves them as they are.

    Raises:
        ConfigError: the text is no TOML, or says something that cannot be: the first such thing in it.
    """
    said = parse_toml(text, source)
    settings, complaints = read_settings(Settings, _merged(_profile_tables(said.get("profile")), said))
    if complaints:
        lines = key_lines(text, said)
        first = first_complaint(complaints, lines)
        line = first.line(lines)
        where = printable(source) if line is None else f"{printable(source)}, line {line}"
        raise ConfigError(f"{where}: {first.sentence}")
    return settings if folder is None else _anchored(settings, folder)


def profile(name: str = DEFAULT_PROFILE) -> Settings:
    """The settings of a built-in profile.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PROFILES:
        there = alternatives([shown(known) for known in PROFILES])
        raise ConfigError(f"no profile is named {shown(name)}, it must be {there}")
    settings, _ = read_settings(Settings, {"profile": name, **PROFILES[name].tables})
    return settings


def _profile_tables(name: Any) -> Mapping[str, Any]:
    """Of a profile as it is named in a file; a name that is none is complained of elsewhere."""
    known = PROFILES.get(name) if isinstance(name, str) else None
    return (known or PROFILES[DEFAULT_PROFILE]).tables


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for name, value in over.items():
        below = both.get(name)
        both[name] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return both


def _anchored(settings: Settings, folder: Path) -> Settings:
    models = tuple(
        dataclasses.replace(model, bundle=str(folder / model.bundle)) if model.is_file else model
        for model in settings.models
    )
    return dataclasses.replace(
        settings,
        models=models,
        log=_paths_from(folder, settings.log, "file"),
        journal=_paths_from(folder, settings.journal, "file"),
        mqtt=_paths_from(folder, settings.mqtt, "password_file", "ca_file", "cert_file", "key_file"),
        clips=_paths_from(folder, settings.clips, "folder"),
    )


_Anchored = TypeVar("_Anchored", LogSettings, JournalSettings, MqttSettings, ClipSettings)


def _paths_from(folder: Path, table: _Anchored, *names: str) -> _Anchored:
    """The table with these paths beginning in the folder; what is None or "auto" is no path."""
    paths = {name: getattr(table, name) for name in names}
    there: dict[str, Any] = {name: str(folder / path) for name, path in paths.items() if path not in {None, "auto"}}
    return dataclasses.replace(table, **there)
