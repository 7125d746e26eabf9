"""Where the files of one instance lie: as systemd says, or under the user's own folders.

An instance is one running daemon with one microphone; its name stands in every path, so that two on
one machine share nothing. Creates nothing.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SYSTEM_RUNTIME = Path("/run/auricle")
"""Where the unit file makes the instances' runtime folders."""

SYSTEM_STATE = Path("/var/lib/auricle")
"""Where it makes the folders of what outlives a daemon."""

_INSTANCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_STATUS_SOCKET = "status.sock"
_LOG = "heard.jsonl"
_JOURNAL = "alarms.db"
_CLIPS = "clips"


def checked_instance(name: str) -> str:
    """The name of an instance: it stands in paths, in a unit's name and in topics.

    Raises:
        ConfigError: it could not.
    """
    if _INSTANCE.fullmatch(name):
        return name
    raise ConfigError(f"{name!r} cannot name an instance, it must be 1 to 32 of a-z, 0-9, _ and -, as in auricle@anna")


def instance_name(given: str | None, *, config: str | None, profile: str) -> str:
    """What a daemon is called: as given, or as its file, or as its profile.

    Raises:
        ConfigError: it cannot be called so.
    """
    if given is not None:
        return checked_instance(given)
    try:
        return checked_instance(Path(config).stem if config else profile)
    except ConfigError as error:
        raise ConfigError(f"{error}; give one with --instance") from None


def runtime_folder(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of what lives only while the daemon does: its status socket."""
    given = environment.get("RUNTIME_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    own = environment.get("XDG_RUNTIME_DIR")
    return Path(own) / "auricle" / instance if own else _state_folder(instance, environment)


def status_socket(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The socket on which a running daemon tells its state."""
    return runtime_folder(instance, environment) / _STATUS_SOCKET


def status_sockets(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Instance -> socket, of all that may be running here: the system's first, then one's own."""
    own = runtime_folder("any", environment).parent
    found: dict[str, Path] = {}
    for folder in (SYSTEM_RUNTIME, own):
        for path in _sockets_in(folder):
            found.setdefault(path.parent.name, path)
    return found


def _sockets_in(folder: Path) -> Iterator[Path]:
    """Those of closed folders too: a daemon of another user's is no daemon that does not run."""
    with contextlib.suppress(OSError):  # there is no such folder
        sockets = (path / _STATUS_SOCKET for path in sorted(folder.iterdir()))
        yield from (socket for socket in sockets if _may_be_there(socket))


def _may_be_there(path: Path) -> bool:
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def log_file(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the log is written unless the configuration says otherwise."""
    given = environment.get("LOGS_DIRECTORY")
    folder = Path(given.split(":")[0]) if given else _state_folder(instance, environment)
    return folder / _LOG


def journal_file(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where alarms are kept unless the configuration says otherwise."""
    return _kept_folder(instance, environment) / _JOURNAL


def clips_folder(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the sound of alarms is kept, if that is wanted, unless the configuration says otherwise."""
    return _kept_folder(instance, environment) / _CLIPS


def journal_files(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Instance -> journal, of all that have kept one in its usual place: the system's first, then one's own."""
    own = _state_folder("any", environment).parent
    found: dict[str, Path] = {}
    for folder in (SYSTEM_STATE, own):
        with contextlib.suppress(OSError):  # there is no such folder
            for path in sorted(folder.iterdir()):
                if _may_be_there(path / _JOURNAL):
                    found.setdefault(path.name, path / _JOURNAL)
    return found


def _kept_folder(instance: str, environment: Mapping[str, str]) -> Path:
    given = environment.get("STATE_DIRECTORY")
    return Path(given.split(":")[0]) if given else _state_folder(instance, environment)


def _state_folder(instance: str, environment: Mapping[str, str]) -> Path:
    state = environment.get("XDG_STATE_HOME")
    base = Path(state) if state else Path(environment.get("HOME", "/tmp")) / ".local" / "state"  # noqa: S108 - no home: nothing else is writable
    return base / "auricle" / instance
