"""The example of a configuration file: every key, commented out, with its meaning, range and default."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from device.config.loading import profile
from device.config.profiles import PROFILES
from device.config.schema import Key, NamedTables, Table, entries, entry_of
from device.config.wording import bracketed, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.config.key_lines import KeyPath
    from device.config.schema import TableSettings

_COMMENT_COLUMNS = 100


def example_config() -> str:
    """A configuration file that holds every key, commented out, with its meaning, range and default."""
    head = [
        "# Auricle's configuration. Every key may be left out; what stands here are the defaults.",
        *(f'# Profile "{name}": {known.summary}.' for name, known in PROFILES.items()),
        "",
    ]
    return "\n".join([*head, *example_lines(profile()), ""])


def example_lines(settings: TableSettings, path: KeyPath = ()) -> Iterator[str]:
    """Lines of a TOML text that makes these settings, every key commented out below its meaning and range."""
    for name, item in entries(type(settings)).items():
        value = getattr(settings, item.name)
        match entry_of(item):
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
    yield bracketed(path)
    yield from example_lines(settings, path)


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _COMMENT_COLUMNS, initial_indent="# ", subsequent_indent="#   ")
