"""The paths of an installed Auricle below a root, which is `/` or a tree being prepared; and what is there now.

    /opt/auricle/versions/VERSION-HASH/   a virtual environment each: the current one and the previous one
    /opt/auricle/current, previous        links to one of them
    /etc/auricle/INSTANCE.toml            written once, then the owner's
    /etc/systemd/system, sysusers.d, tmpfiles.d    what systemd reads, as the current version carries it
    /usr/local/bin/auricle                a link into the current version

Reads, and changes nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from device.runtime.paths import checked_instance

if TYPE_CHECKING:
    from collections.abc import Mapping

UNIT_FILE = "systemd/auricle@.service"
SYSTEMD_PATHS = {
    UNIT_FILE: "etc/systemd/system/auricle@.service",
    "systemd/auricle-push@.service": "etc/systemd/system/auricle-push@.service",
    "systemd/auricle-web@.service": "etc/systemd/system/auricle-web@.service",
    "systemd/auricle-ward@.service": "etc/systemd/system/auricle-ward@.service",
    "systemd/sysusers.d/auricle.conf": "etc/sysusers.d/auricle.conf",
    "systemd/tmpfiles.d/auricle.conf": "etc/tmpfiles.d/auricle.conf",
}
"""What systemd reads: path in a version -> path below the root."""

_STATE = ("var/lib/auricle", "var/lib/auricle-web", "var/lib/auricle-ward", "var/log/auricle")
_PROGRAM = PurePosixPath("/opt/auricle/current/bin/auricle")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of an installation below a root."""

    root: Path = Path("/")

    @property
    def home(self) -> Path:
        """Everything but configuration and state."""
        return self.root / "opt/auricle"

    @property
    def versions(self) -> Path:
        """A folder for each version; a name that starts with a dot is being built or removed."""
        return self.home / "versions"

    @property
    def building(self) -> Path:
        """The folder in which a version is built."""
        return self.versions / ".building"

    @property
    def current(self) -> Path:
        """Link to the running version."""
        return self.home / "current"

    @property
    def previous(self) -> Path:
        """Link to the version that ran before it."""
        return self.home / "previous"

    @property
    def restart_pending(self) -> Path:
        """A file that exists from before a switch of versions until the running instances are restarted."""
        return self.home / ".restart-owed"

    @property
    def launcher(self) -> Path:
        """The command for people."""
        return self.root / "usr/local/bin/auricle"

    @property
    def configs(self) -> Path:
        """The instances' configurations."""
        return self.root / "etc/auricle"

    @property
    def state_folders(self) -> tuple[Path, ...]:
        """The folders that instances write to: only a purge removes them."""
        return tuple(self.root / path for path in _STATE)

    def config(self, instance: str) -> Path:
        """An instance's configuration."""
        return self.configs / f"{checked_instance(instance)}.toml"

    def boot_link(self, instance: str) -> Path:
        """The link by which systemd starts an instance at boot."""
        return self.root / f"etc/systemd/system/multi-user.target.wants/auricle@{checked_instance(instance)}.service"

    def systemd_paths(self) -> dict[str, Path]:
        """What systemd reads: path in a version -> path below this root."""
        return {name: self.root / path for name, path in SYSTEMD_PATHS.items()}

    def target_path(self, path: Path) -> str:
        """A path as seen on the machine that boots this root."""
        return "/" + str(path.relative_to(self.root))

    @property
    def program(self) -> str:
        """Target of the launcher, as seen on that machine."""
        return str(_PROGRAM)


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed now.

    Attributes:
        current: name of the running version; None if there is none.
        previous: name of the version that a rollback switches to; None if there is none.
        versions: names of all complete versions.
        leftovers: folders of an interrupted install.
        restart_pending: whether an install was interrupted before it restarted the running instances.
        systemd_files: content of what systemd reads, of the files that exist.
        configs: of the instances, by name.
        boot_links: by which systemd starts instances at boot.
        launcher_is_ours: False if another program has its path; True if the path is free.
        state_folders: that instances write to, those that exist.
        has_pyav: whether the running version has PyAV, which streams need.
    """

    current: str | None
    previous: str | None
    versions: tuple[str, ...]
    leftovers: tuple[Path, ...]
    restart_pending: bool
    systemd_files: Mapping[Path, bytes]
    configs: tuple[Path, ...]
    boot_links: tuple[Path, ...]
    launcher_is_ours: bool
    state_folders: tuple[Path, ...]
    has_pyav: bool = False


def read_installed(layout: Layout) -> Installed:
    """Inspect what is installed below a root. Raises OSError if it cannot be read."""
    versions = tuple(sorted(path.name for path in layout.versions.glob("[!.]*") if path.is_dir()))
    current = _linked(layout.current, versions)
    return Installed(
        current=current,
        previous=_previous(layout, current, versions),
        versions=versions,
        leftovers=tuple(sorted(layout.versions.glob(".*"))),
        restart_pending=layout.restart_pending.exists(),
        systemd_files={path: path.read_bytes() for path in layout.systemd_paths().values() if path.is_file()},
        configs=tuple(sorted(layout.configs.glob("[a-z0-9]*.toml"))),
        boot_links=tuple(sorted((layout.root / "etc/systemd/system").glob("*.wants/auricle*@*.service"))),
        launcher_is_ours=_is_ours(layout),
        state_folders=tuple(path for path in layout.state_folders if os.path.lexists(path)),
        has_pyav=current is not None and any((layout.versions / current).glob("lib/python3*/site-packages/av")),
    )


def read_systemd_files(version: Path) -> dict[str, bytes]:
    """What systemd reads, from a complete version, by name; an older version may lack a unit beside the daemon's.

    Raises:
        OSError: the daemon's own unit is missing.
    """
    package = next(version.glob("lib/python3*/site-packages/systemd"))
    carried = [name for name in SYSTEMD_PATHS if name == UNIT_FILE or (package.parent / name).is_file()]
    return {name: (package.parent / name).read_bytes() for name in carried}


def _linked(link: Path, versions: tuple[str, ...]) -> str | None:
    name = link.readlink().name if link.is_symlink() else ""
    return name if name in versions else None


def _previous(layout: Layout, current: str | None, versions: tuple[str, ...]) -> str | None:
    """The link's target; if a rollback was interrupted between its two links, the only other version."""
    linked = _linked(layout.previous, versions)
    others = [name for name in versions if name != current]
    if linked is not None and linked != current:
        return linked
    return others[0] if current and layout.previous.is_symlink() and len(others) == 1 else None


def _is_ours(layout: Layout) -> bool:
    if not os.path.lexists(layout.launcher):
        return True
    return layout.launcher.is_symlink() and str(layout.launcher.readlink()) == layout.program
