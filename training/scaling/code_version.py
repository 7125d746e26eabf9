"""Which code computed something: a hash of the sources that features pass through, and of the libraries they use."""

from __future__ import annotations

import functools
import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SOURCES = (
    "device/hearing/features.py",
    "device/hearing/spec.py",
    "training/data/datasets/annotated_recording.py",
    "training/preparation",
)
"""Modules and rooms, from the root of the packages; what lies in none of them must not change a feature."""

LIBRARIES = ("numpy", "soundfile", "soxr", "librosa")


@functools.cache
def code_version() -> str:
    """Hexadecimal digits that change with any of the sources and any library's version."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for source in SOURCES:
        for module in _modules(root / source):
            digest.update(f"{module.relative_to(root)}\0".encode() + module.read_bytes() + b"\0")
    for library in LIBRARIES:
        digest.update(f"{library} {_version(library)}\0".encode())
    return digest.hexdigest()


def _modules(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "none"
