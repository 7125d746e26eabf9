"""Where an installed Auricle lies, below a root that is `/` or a tree being prepared; and what lies there now.

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

UNIT = "systemd/auricle@.service"
ETC = {
    UNIT: "etc/systemd/system/auricle@.service",
    "systemd/sysusers.d/auricle.conf": "etc/sysusers.d/auricle.conf",
    "systemd/tmpfiles.d/auricle.conf": "etc/tmpfiles.d/auricle.conf",
}
"""What systemd reads: where it lies in a version -> where it is laid down."""

_STATE = ("var/lib/auricle", "var/log/auricle")
_PROGRAM = PurePosixPath("/opt/auricle/current/bin/auricle")


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of an installation below a root."""

    root: Path = Path("/")

    @property
    def home(self) -> Path:
        """All that is not configuration or state."""
        return self.root / "opt/auricle"

    @property
    def versions(self) -> Path:
        """A folder for each version; one whose name begins with a dot is being built or removed."""
        return self.home / "versions"

    @property
    def aside(self) -> Path:
        """Where a version is built."""
        return self.versions / ".building"

    @property
    def current(self) -> Path:
        """Link to the version that runs."""
        return self.home / "current"

    @property
    def previous(self) -> Path:
        """Link to the version that ran before."""
        return self.home / "previous"

    @property
    def restart_owed(self) -> Path:
        """A file that is there from before a swap until the running instances are restarted."""
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
    def state(self) -> tuple[Path, ...]:
        """What instances wrote: only a purge removes it."""
        return tuple(self.root / path for path in _STATE)

    def config(self, instance: str) -> Path:
        """An instance's configuration."""
        return self.configs / f"{checked_instance(instance)}.toml"

    def enabled(self, instance: str) -> Path:
        """The link by which systemd starts an instance at boot."""
        return self.root / f"etc/systemd/system/multi-user.target.wants/auricle@{checked_instance(instance)}.service"

    def laid(self) -> dict[str, Path]:
        """What systemd reads: where it lies in a version -> where it is laid down."""
        return {name: self.root / path for name, path in ETC.items()}

    def shown(self, path: Path) -> str:
        """A path as the machine that boots this root will know it."""
        return "/" + str(path.relative_to(self.root))

    @property
    def program(self) -> str:
        """What the launcher links to, seen from that machine."""
        return str(_PROGRAM)


@dataclass(frozen=True, slots=True)
class Installed:
    """What lies there now.

    Attributes:
        current: name of the version that runs; None where there is none.
        previous: of the one that a rollback would go to.
        versions: names of all that are complete.
        leftovers: of an install that did not end.
        restart_owed: whether one ended before it had restarted the running instances.
        laid: bytes of what systemd reads, of the files that are there.
        configs: those of instances, by name.
        enabled: the links by which systemd starts instances at boot.
        launcher_is_ours: False where somebody else's program has its place; True where it is free.
        state: the folders of what instances wrote that are there.
    """

    current: str | None
    previous: str | None
    versions: tuple[str, ...]
    leftovers: tuple[Path, ...]
    restart_owed: bool
    laid: Mapping[Path, bytes]
    configs: tuple[Path, ...]
    enabled: tuple[Path, ...]
    launcher_is_ours: bool
    state: tuple[Path, ...]


def look(layout: Layout) -> Installed:
    """See what lies below a root. Raises OSError where it may not be read."""
    versions = tuple(sorted(path.name for path in layout.versions.glob("[!.]*") if path.is_dir()))
    current = _linked(layout.current, versions)
    return Installed(
        current=current,
        previous=_previous(layout, current, versions),
        versions=versions,
        leftovers=tuple(sorted(layout.versions.glob(".*"))),
        restart_owed=layout.restart_owed.exists(),
        laid={path: path.read_bytes() for path in layout.laid().values() if path.is_file()},
        configs=tuple(sorted(layout.configs.glob("[a-z0-9]*.toml"))),
        enabled=tuple(sorted((layout.root / "etc/systemd/system").glob("*.wants/auricle@*.service"))),
        launcher_is_ours=_is_ours(layout),
        state=tuple(path for path in layout.state if os.path.lexists(path)),
    )


def systemd_files(version: Path) -> dict[str, bytes]:
    """What systemd is to read of a complete version, by name. Raises OSError where it is not there."""
    package = next(version.glob("lib/python3*/site-packages/systemd"))
    return {name: (package.parent / name).read_bytes() for name in ETC}


def _linked(link: Path, versions: tuple[str, ...]) -> str | None:
    name = link.readlink().name if link.is_symlink() else ""
    return name if name in versions else None


def _previous(layout: Layout, current: str | None, versions: tuple[str, ...]) -> str | None:
    """As the link says; where a rollback was cut off between its two links, the only other version there is."""
    said = _linked(layout.previous, versions)
    others = [name for name in versions if name != current]
    if said is not None and said != current:
        return said
    return others[0] if current and layout.previous.is_symlink() and len(others) == 1 else None


def _is_ours(layout: Layout) -> bool:
    if not os.path.lexists(layout.launcher):
        return True
    return layout.launcher.is_symlink() and str(layout.launcher.readlink()) == layout.program
