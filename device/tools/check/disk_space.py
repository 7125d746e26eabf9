"""Whether a file can be written, and has room to grow to its largest size."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from typing import TYPE_CHECKING

from device.findings import Finding
from device.quantity import megabytes_are

if TYPE_CHECKING:
    from pathlib import Path

SPARE_BYTES = 50_000_000
LEAST_BYTES = 10_000_000


def check_disk_space(name: str, what: str, folder: Path, *, needed_bytes: int, cure: str) -> Finding:
    """Whether a file can be written, and has room to grow to its largest size.

    Args:
        name: of the check.
        what: the file, with its path, as the subject of a sentence.
        folder: of the file; a missing folder will be created by the daemon.
        needed_bytes: by which the file may still grow.
        cure: of too little space.
    """
    folder = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"auricle")
    except OSError as error:
        if is_read_only(folder):
            return read_only_finding(name, what, folder)
        summary = f"{what} cannot be written: {error.strerror or error}"
        return Finding(name, "failure", summary, _write_cure(folder))
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < LEAST_BYTES:
        summary = f"{what} has no room: {megabytes_are(free_bytes)} free, it takes at most {needed_bytes / 1e6:.0f}"
        return Finding(name, "failure", summary, cure)
    summary = f"{what} can be written; {megabytes_are(free_bytes)} free, it takes at most {needed_bytes / 1e6:.0f}"
    if free_bytes < needed_bytes + SPARE_BYTES:
        return Finding(name, "warning", summary, cure)
    return Finding(name, "ok", summary)


def is_read_only(path: Path) -> bool:
    """Whether the file system that holds a path is mounted read-only; False if that cannot be known."""
    with contextlib.suppress(OSError):
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return False


def read_only_finding(name: str, what: str, folder: Path) -> Finding:
    """The failure of a check whose file lies on a read-only file system, whoever asks.

    Args:
        name: of the check.
        what: the file, with its path, as the subject of a sentence.
        folder: of the file; it exists.
    """
    summary = f"{what} cannot be written: the file system under {folder} is mounted read-only"
    cure = f"findmnt --target {folder} says which one; mount it writable, or name a file on another one"
    return Finding(name, "failure", summary, f"{cure}; a card that fails turns read-only: dmesg tells")


def _existing(folder: Path) -> Path:
    """The folder, or its nearest parent that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.is_dir())


def _write_cure(folder: Path) -> str:
    if os.access(folder, os.W_OK):
        return f"look at the disk under {folder}: it may be full, or have turned read-only; dmesg tells"
    return f"ask as whoever runs the daemon, as with sudo -u auricle; {folder} is not this user's"
