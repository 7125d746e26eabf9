"""An example configuration file: every key, commented out, below its description, range and default."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from device.config.loading import profile
from device.config.profiles import PROFILES
from device.config.schema import Key, NamedTables, Table, TableArray, members
from device.config.wording import bracketed, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.config.key_lines import KeyPath
    from device.config.schema import TableSettings

_COMMENT_COLUMNS = 100

SCHEMA_FILE = "config.schema.json"
"""Where the example expects the JSON Schema: beside itself."""


def example_config() -> str:
    """A configuration file of the default profile, in which every key is commented out."""
    head = [
        f"#:schema ./{SCHEMA_FILE}",
        "# Auricle's configuration. Every key may be left out; what stands here are the defaults.",
        f"# Editors that know Taplo complete and check it: auricle config --schema > {SCHEMA_FILE}",
        *(f'# Profile "{name}": {known.summary}.' for name, known in PROFILES.items()),
        "",
    ]
    return "\n".join([*head, *example_lines(profile()), ""])


def example_lines(settings: TableSettings, path: KeyPath = (), *, mark: str = "# ") -> Iterator[str]:
    """Yield the lines of a TOML text for these settings, every key commented out below its description and range.

    Args:
        settings: of a table.
        path: of it.
        mark: that comments a key out.
    """
    for name, (attribute, entry, _) in members(type(settings)).items():
        value = getattr(settings, attribute)
        match entry:
            case Key(kind=kind, description=description):
                yield from _comment(f"{description} Must be {kind.expects}.")
                yield f"{mark}{name} = {shown(kind.to_toml(value))}"
            case Table():
                yield from _table_lines(value, (*path, name))
            case NamedTables(settings_class=settings_class, example_name=example_name):
                first, *further = value or (settings_class(name=example_name),)
                yield from _table_lines(first, (*path, name, first.name))
                for named in further:
                    yield from ("", f"# Its keys are those of {bracketed((*path, name, first.name))}.")
                    yield bracketed((*path, name, named.name))
            case TableArray(settings_class=settings_class):
                for element in value:
                    yield from _table_lines(element, (*path, name, 0))
                if not value:
                    yield from _absent_table_lines(settings_class(), (*path, name, 0))


def _table_lines(settings: TableSettings, path: KeyPath) -> Iterator[str]:
    yield ""
    yield from _comment(str(type(settings).__doc__).splitlines()[0])
    yield bracketed(path)
    yield from example_lines(settings, path)


def _absent_table_lines(settings: TableSettings, path: KeyPath) -> Iterator[str]:
    """Of a table whose header alone would add one: the header is commented out too, with another mark."""
    yield ""
    yield from _comment(f"{str(type(settings).__doc__).splitlines()[0]} Uncomment the header with its keys.")
    yield f"#{bracketed(path)}"
    yield from example_lines(settings, path, mark="#")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, _COMMENT_COLUMNS, initial_indent="# ", subsequent_indent="#   ")
