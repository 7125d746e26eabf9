"""Paths of an instance's files: in the folders that systemd names, or under the user's own.

An instance is one running daemon with one microphone. Its name is part of every path, so that two on
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

    from device.config.settings import Settings

SYSTEM_RUNTIME = Path("/run/auricle")
"""Parent of the instances' runtime folders, which the unit file creates."""

SYSTEM_STATE = Path("/var/lib/auricle")
"""Parent of the instances' state folders, which the unit file creates."""

SYSTEM_WEB_STATE = Path("/var/lib/auricle-web")
"""Parent of the folders in which the pages of instances keep accounts and logins, which their unit file creates."""

SYSTEM_WARD_STATE = Path("/var/lib/auricle-ward")
"""Parent of the folders in which the pages of wards keep theirs: a bed of the same name has other accounts."""

SYSTEM_CONFIG = Path("/etc/auricle")
"""Folder of the files of the system's instances, which `auricle install` makes."""

_INSTANCE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_STATUS_SOCKET = "status.sock"
_COMMAND_SOCKET = "command.sock"
_LOG = "heard.jsonl"
_JOURNAL = "alarms.db"
_CLIPS = "clips"


def checked_instance(name: str) -> str:
    """The name, which becomes part of paths, of a unit's name and of topics.

    Raises:
        ConfigError: it is not valid there.
    """
    if _INSTANCE.fullmatch(name):
        return name
    raise ConfigError(f"{name!r} cannot name an instance, it must be 1 to 32 of a-z, 0-9, _ and -, as in auricle@anna")


def instance_name(given: str | None, *, config: str | None, profile: str) -> str:
    """A daemon's name: the given one, or that of its file, or that of its profile.

    Raises:
        ConfigError: that is no valid name.
    """
    if given is not None:
        return checked_instance(given)
    try:
        return checked_instance(Path(config).stem if config else profile)
    except ConfigError as error:
        raise ConfigError(f"{error}; give one with --instance") from None


def runtime_folder(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """Folder of files that live as long as the daemon, as its status socket."""
    given = environment.get("RUNTIME_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    own = environment.get("XDG_RUNTIME_DIR")
    return Path(own) / "auricle" / instance if own else _state_folder(instance, environment)


def status_socket(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The socket on which a running daemon serves its state."""
    return runtime_folder(instance, environment) / _STATUS_SOCKET


def command_socket(status: Path) -> Path:
    """The socket on which the daemon with this status socket takes commands."""
    return status.with_name(_COMMAND_SOCKET)


def status_sockets(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Instance -> socket, for all that may run here; the system's daemons before the user's own."""
    own = runtime_folder("any", environment).parent
    found: dict[str, Path] = {}
    for folder in (SYSTEM_RUNTIME, own):
        for path in _sockets_in(folder):
            found.setdefault(path.parent.name, path)
    return found


def _sockets_in(folder: Path) -> Iterator[Path]:
    """Also in unreadable folders: the daemon of another user may run there."""
    with contextlib.suppress(OSError):  # the folder does not exist
        sockets = (path / _STATUS_SOCKET for path in sorted(folder.iterdir()))
        yield from (socket for socket in sockets if _may_exist(socket))


def _may_exist(path: Path) -> bool:
    try:
        path.lstat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def log_file(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The log's default path."""
    given = environment.get("LOGS_DIRECTORY")
    folder = Path(given.split(":")[0]) if given else _state_folder(instance, environment)
    return folder / _LOG


def journal_file(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The journal's default path."""
    return _persistent_folder(instance, environment) / _JOURNAL


def clips_folder(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The default folder of audio clips."""
    return _persistent_folder(instance, environment) / _CLIPS


def kept_folders(settings: Settings, instance: str, environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """What a daemon keeps on disk by these settings, `journal`, `log` and `clips` -> its folder."""
    journal, log, clips = settings.journal.file, settings.log.file, settings.clips.folder
    folders: dict[str, Path] = {}
    if journal is not None:
        folders["journal"] = (journal_file(instance, environment) if journal == "auto" else Path(journal)).parent
    if log is not None:
        folders["log"] = (log_file(instance, environment) if log == "auto" else Path(log)).parent
    if settings.clips.enabled:
        folders["clips"] = clips_folder(instance, environment) if clips == "auto" else Path(clips)
    return folders


def instance_journal(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The journal of the system's daemon of that name, or of the user's own."""
    return journal_files(environment).get(instance) or journal_file(instance, environment)


def web_folder(instance: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of what the page of an instance keeps: that of its unit, of the system, or the user's own."""
    given = environment.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    system = SYSTEM_WEB_STATE / instance
    theirs = (SYSTEM_STATE / instance / _JOURNAL, SYSTEM_CONFIG / f"{instance}.toml")
    is_systems = _may_exist(system) or (os.geteuid() == 0 and any(map(_may_exist, theirs)))
    return system if is_systems else _state_folder(instance, environment) / "web"


def ward_folder(ward: str, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of what the page of a ward keeps: that of its unit, of the system, or the user's own."""
    given = environment.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    system = SYSTEM_WARD_STATE / ward
    is_systems = _may_exist(system) or (os.geteuid() == 0 and _may_exist(SYSTEM_CONFIG / f"{ward}.toml"))
    return system if is_systems else _state_folder(ward, environment) / "ward"


def journal_files(environment: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Instance -> journal, for all at the default path; the system's daemons before the user's own."""
    own = _state_folder("any", environment).parent
    found: dict[str, Path] = {}
    for folder in (SYSTEM_STATE, own):
        with contextlib.suppress(OSError):  # the folder does not exist
            for path in sorted(folder.iterdir()):
                if _may_exist(path / _JOURNAL):
                    found.setdefault(path.name, path / _JOURNAL)
    return found


def _persistent_folder(instance: str, environment: Mapping[str, str]) -> Path:
    given = environment.get("STATE_DIRECTORY")
    return Path(given.split(":")[0]) if given else _state_folder(instance, environment)


def _state_folder(instance: str, environment: Mapping[str, str]) -> Path:
    state = environment.get("XDG_STATE_HOME")
    base = Path(state) if state else Path(environment.get("HOME", "/tmp")) / ".local" / "state"  # noqa: S108 - without a home nothing else is writable
    return base / "auricle" / instance
