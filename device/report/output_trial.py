"""Refuses outputs that would overwrite an input or each other, and tries the others, before anything is opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.report.result_files import STDOUT, is_stdout, try_output

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def try_outputs(outputs: Mapping[str, Sequence[str | Path]], inputs: Iterable[str]) -> None:
    """Check all files that a replay will write.

    Args:
        outputs: option -> the files that it will write.
        inputs: files that the replay reads: recordings, models, configuration.

    Raises:
        ConfigError: an output is an input, by whatever name, or another output, or cannot be written.
    """
    read = {identity: path for path in inputs if (identity := _identity(path)) is not None}
    written: dict[tuple[int, int] | str, str] = {}
    for option, paths in outputs.items():
        for path in paths:
            identity = _identity(path)
            if identity is not None and identity in read:
                raise ConfigError(f"{option} {path} is the input {read[identity]}; name another file")
            _check_unique(option, path, identity, written)
            _try(option, path)


def _check_unique(
    option: str, path: str | Path, identity: tuple[int, int] | None, written: dict[tuple[int, int] | str, str]
) -> None:
    if is_stdout(path):
        key: tuple[int, int] | str = STDOUT
    elif Path(path).exists() and not Path(path).is_file():
        return  # a pipe or a device, such as /dev/null, may be named twice
    else:
        key = identity or str(Path(path).resolve())
    if key in written and key == STDOUT:
        raise ConfigError("two results are to go to standard output (-); give one of them a file")
    if key in written:
        raise ConfigError(f"{option} {path} is the same file as {written[key]}; name another file")
    written[key] = f"{option} {path}"


def _identity(path: str | Path) -> tuple[int, int] | None:
    """Device and inode: the same for every name of a file; None for what is no regular file."""
    try:
        status = os.fstat(1) if is_stdout(path) else Path(path).stat()
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if Path(path).is_file() or is_stdout(path) else None


def _try(option: str, path: str | Path) -> None:
    try:
        try_output(path)
    except IsADirectoryError as error:
        raise ConfigError(f"{option} {path} is a folder; one recording gives one file") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(
            f"{option} {path} cannot be written ({why}); check its folder, its permissions and its disk"
        ) from error
