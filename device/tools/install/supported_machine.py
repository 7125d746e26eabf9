"""What machine this is, and why Auricle cannot be installed on it, or not now."""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import shutil
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from device.quantity import quantity

if TYPE_CHECKING:
    from device.tools.install.layout import Layout

NEEDED_MB = 700
"""Disk space for one version and its downloads: 340 MB installed, 110 MB of wheels, twice while they are unpacked."""

_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)
_OUT_OF_REACH = ("/home", "/root")  # ProtectHome= hides them from the daemon


@dataclass(frozen=True, slots=True)
class HostMachine:
    """The machine that Auricle is installed on.

    Attributes:
        is_live: the installation runs on this machine; otherwise a tree is being prepared, for another boot.
        is_root: whether the process may write in `/opt` and `/etc`.
        bits: of this Python; a 64-bit kernel may well run a 32-bit one.
        python: its version.
        base: folder of the interpreter that virtual environments are created from.
        has_ensurepip: whether a virtual environment can be created.
        has_portaudio: whether the library that records from microphones is installed.
        has_systemd: whether systemd runs here and reads the installed units.
        free_mb: free disk space for versions.
    """

    is_live: bool
    is_root: bool
    bits: int
    python: tuple[int, int]
    base: str
    has_ensurepip: bool
    has_portaudio: bool
    has_systemd: bool
    free_mb: int


def this_machine(layout: Layout) -> HostMachine:
    """Inspect the machine. Raises OSError if the root does not exist."""
    live = layout.root == Path("/")
    existing = next(folder for folder in (layout.versions, *layout.versions.parents) if folder.exists())
    return HostMachine(
        is_live=live,
        is_root=os.geteuid() == 0,
        bits=8 * struct.calcsize("P"),
        python=sys.version_info[:2],
        base=sys.base_prefix,
        has_ensurepip=importlib.util.find_spec("ensurepip") is not None,
        has_portaudio=ctypes.util.find_library("portaudio") is not None,
        has_systemd=live and _SYSTEMD.is_dir(),
        free_mb=shutil.disk_usage(existing).free // 1_000_000,
    )


def missing_root_reason(machine: HostMachine, verb: str) -> str | None:
    """Why this user cannot change the machine, and the command that can; None if the user can."""
    if machine.is_root or not machine.is_live:
        return None
    program = Path(sys.argv[0]).resolve()
    again = program if program.name == "auricle" else f"{sys.executable} -m device"
    return f"auricle {verb} changes /opt and /etc, which takes root: sudo {again} {verb}"


def unsupported_reason(machine: HostMachine, *, builds: bool) -> str | None:
    """Why Auricle cannot be installed here, and what would work; None if it can.

    Args:
        machine: to install on.
        builds: whether a version must be built.
    """
    python = ".".join(map(str, machine.python))
    if machine.bits < 64 and machine.python >= (3, 12):
        return (
            f"no network runs on 32-bit Python {python}: install the 64-bit Raspberry Pi OS, bookworm or trixie "
            f"(32-bit bookworm, with Python 3.11, works as a best effort)"
        )
    if machine.is_live and machine.base.startswith(_OUT_OF_REACH):
        return (
            f"this Python lies in {machine.base}, which the daemon cannot see: make the virtual environment that "
            f"auricle is run from with the system's own, as in /usr/bin/python3 -m venv"
        )
    if machine.is_live and not machine.has_portaudio:
        return "the library that hears microphones is missing: sudo apt install libportaudio2"
    if builds and not machine.has_ensurepip:
        return "this Python cannot make virtual environments: sudo apt install python3-venv"
    if builds and machine.free_mb < NEEDED_MB:
        free = quantity(machine.free_mb, "MB is", "MB are")
        return f"{free} free where /opt/auricle lies, must be at least {NEEDED_MB} MB: free some first"
    return None


def best_effort_note(machine: HostMachine) -> str | None:
    """A note for a machine that is not fully supported; None if it is."""
    if machine.bits >= 64:
        return None
    return (
        "this is a 32-bit system: best effort, with an older runtime and with versions that are not locked; "
        "64 bits are supported"
    )
