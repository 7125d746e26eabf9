"""The sentence for a file that a key names and that cannot be read, with what would work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.config.wording import bracketed, shown
from device.printable import printable

if TYPE_CHECKING:
    import os

    from device.config.key_lines import KeyPath


def key_is(key: KeyPath, path: str | os.PathLike[str]) -> str:
    """A key and its value as the subject of a sentence: `"ca_file" in [mqtt] is "/etc/ca.pem"`."""
    return f'{shown(key[-1])} in {bracketed(key[:-1])} is "{printable(str(path))}"'


def unreadable(key: KeyPath, path: str | os.PathLike[str], error: OSError | ValueError) -> str:
    """Why the file that a key names cannot be read, in one sentence.

    Args:
        key: that names the file.
        path: of the file.
        error: that reading it raised; ValueError for a path with a NUL.
    """
    match error:
        case FileNotFoundError() | NotADirectoryError():
            why = "which is not there; correct the path (one that is not absolute begins at the configuration's folder)"
        case PermissionError():
            why = "which this user may not read; ask as the daemon's user, as with sudo -u auricle, or let that read it"
        case IsADirectoryError():
            why = "which is a folder; name a file"
        case OSError():
            why = f"which cannot be read ({error.strerror or error}); look at the disk, or name another file"
        case _:
            why = f"which is no path ({error}); correct it"
    return f"{key_is(key, path)}, {why}"
