"""Where an installation comes from: a wheel or a checkout of Auricle, read without running any of its code."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from device.errors import ServiceError
from device.tools.install.layout import SYSTEMD_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WHEEL_LOCK = "device/tools/install/requirements.txt"
"""Where a wheel carries the locked dependencies; a checkout has them at its root."""

_CHECKOUT_LOCK = "requirements.txt"
_HASHED = ("pyproject.toml", _CHECKOUT_LOCK, "device", "systemd")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+!_]{0,63}")
_HASH_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class Origin:
    """A version that can be installed.

    Attributes:
        path: of the wheel file, or of the checkout's folder.
        name: VERSION-HASH; the hash differs for any other content and any other Python.
        lock: the text of the locked dependencies, with hashes.
        systemd_files: what systemd reads, by path in the version.
    """

    path: Path
    name: str
    lock: str
    systemd_files: Mapping[str, bytes]


def default_origin() -> Path:
    """Where the running Auricle was installed from, as its installer noted it (PEP 610).

    Raises:
        ServiceError: it was no file or folder, or it no longer exists.
    """
    noted = metadata.distribution("auricle").read_text("direct_url.json")
    url = urlsplit(json.loads(noted)["url"]) if noted else None
    path = Path(unquote(url.path)) if url is not None and url.scheme == "file" else None
    if path is not None and path.exists():
        return path
    was = f"it was {path}, which is gone" if path is not None else "that was no file or folder"
    raise ServiceError(f"cannot install again from where this Auricle came from ({was}); give --from WHEEL_OR_CHECKOUT")


def read_origin(path: Path) -> Origin:
    """Read a wheel or a checkout.

    Raises:
        ServiceError: it is neither, or carries no locked dependencies or no unit file.
    """
    try:
        files = _wheel(path) if path.is_file() else _checkout(path)
        version = _version(files)
        lock = next(files[name] for name in (WHEEL_LOCK, _CHECKOUT_LOCK) if name in files).decode()
        systemd = {name: files[name] for name in SYSTEMD_PATHS}
    except (OSError, KeyError, ValueError, StopIteration, zipfile.BadZipFile) as error:
        what = error.args[0] if isinstance(error, KeyError) else "its version and its locked dependencies"
        raise ServiceError(
            f"{path} is no wheel or checkout of Auricle that can be installed: it must hold {what}"
        ) from error
    digest = hashlib.sha256(f"{sys.version_info.major}.{sys.version_info.minor}".encode())
    for name in sorted(files):
        digest.update(f"\0{name}\0{len(files[name])}\0".encode() + files[name])
    return Origin(path.resolve(), f"{version}-{digest.hexdigest()[:_HASH_CHARACTERS]}", lock, systemd)


def _wheel(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def _checkout(path: Path) -> dict[str, bytes]:
    """The files that make up an installation, without those of other packages and of compilers."""
    return {str(file.relative_to(path)): file.read_bytes() for file in _files(path)}


def _files(checkout: Path) -> Iterator[Path]:
    for name in _HASHED:
        top = checkout / name
        found = top.rglob("*") if top.is_dir() else (top,)
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def _version(files: Mapping[str, bytes]) -> str:
    """The version of the distribution `auricle` that the files make; raises KeyError or ValueError."""
    noted = [text for name, text in files.items() if name.count("/") == 1 and name.endswith(".dist-info/METADATA")]
    if noted:
        headers = HeaderParser().parsestr(noted[0].decode())
        name, version = str(headers["Name"]), str(headers["Version"])
    else:
        project = tomllib.loads(files["pyproject.toml"].decode())["project"]
        name, version = str(project["name"]), str(project["version"])
    if name != "auricle" or not _VERSION.fullmatch(version):
        raise ValueError(f"{name} {version}")
    return version
