"""How warm the machine is, and how much room its disks have.

The files of the kernel are read below a root that is passed in, so that tests can simulate a machine.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class MachineFigures:
    """Figures of the machine.

    Attributes:
        hottest_c: degrees Celsius of its hottest sensor; None if it has none.
        free_bytes: what is kept, as `journal` -> room on the disk that holds it.
    """

    hottest_c: float | None = None
    free_bytes: Mapping[str, int] = field(default_factory=dict)


def machine_figures(folders: Mapping[str, Path], root: Path = _ROOT) -> MachineFigures:
    """The figures of this moment; reads files.

    Args:
        folders: what is kept, as `journal` -> its folder. One that does not exist yet has no figure.
        root: of the file system.
    """
    free_bytes: dict[str, int] = {}
    for name, folder in folders.items():
        with contextlib.suppress(OSError):
            disk = os.statvfs(folder)
            free_bytes[name] = disk.f_bavail * disk.f_frsize
    return MachineFigures(hottest_celsius(root), free_bytes)


def hottest_celsius(root: Path = _ROOT) -> float | None:
    """Temperature of the machine's hottest thermal zone; None if it reports none."""
    zones = (root / "sys/class/thermal").glob("thermal_zone*/temp")
    return max((degrees for zone in zones if (degrees := _celsius(zone)) is not None), default=None)


def _celsius(zone: Path) -> float | None:
    """Temperature of a thermal zone; None if it reports none, as some do: an error, or zero."""
    try:
        return int(zone.read_text()) / 1000 or None
    except (OSError, ValueError):
        return None
