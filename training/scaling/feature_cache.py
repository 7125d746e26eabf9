"""Arrays that were computed before, found by what they were computed from: the bytes of the audio, spec, cut and code.

Nothing is found by name or date, so renamed and copied recordings hit, and changed ones never do. Each entry is one
file with a checksum, written beside its place and moved there, so several processes and machines may use one folder.
The folder may be deleted at any time; it is made again.
"""

from __future__ import annotations

import functools
import hashlib
import io
import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import RecordingError
from training.scaling.code_version import code_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    Array = npt.NDArray[Any]

_log = logging.getLogger(__name__)
_DIGEST_BYTES = 32
_SUFFIX = ".features"


class FeatureCache:
    """A folder of arrays.

    Args:
        folder: where entries lie; made when the first is written.
        version: of the code that computes; None takes the hash of the modules that features pass through.
    """

    def __init__(self, folder: Path, *, version: str | None = None) -> None:
        self.folder = folder
        self._version = version

    def __repr__(self) -> str:
        return f"FeatureCache({str(self.folder)!r})"

    def key(self, audio: Path | Sequence[Path], spec_hashes: Sequence[str], cut: object) -> str:
        """What an entry is found by, as hexadecimal digits.

        Args:
            audio: the file, or all files, whose bytes the arrays depend on.
            spec_hashes: of the features, in their order.
            cut: all else that the arrays depend on (start, end, cleaning, changes), with a `repr` that says all of it.

        Raises:
            RecordingError: a file cannot be read.
        """
        files = [audio] if isinstance(audio, Path) else audio
        version = code_version() if self._version is None else self._version
        parts = ([content_hash(file) for file in files], list(spec_hashes), cut, version)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def arrays(self, key: str, compute: Callable[[], Sequence[Array]]) -> list[Array]:
        """The entry's arrays; computed, and kept, where there is no entry or it is damaged.

        A cache that cannot be written (no space, no permission) is logged and costs time, never the run.
        """
        path = self.folder / key[:2] / f"{key[2:]}{_SUFFIX}"
        found = _read(path)
        if found is None:
            found = list(compute())
            _write(path, found)
        return found

    def extent(self) -> tuple[int, int]:
        """How many entries there are, and their bytes."""
        sizes = [size for _, size, _ in _entries(self.folder)]
        return len(sizes), sum(sizes)

    def prune(self, most_bytes: int) -> int:
        """Delete the entries that were used longest ago until at most `most_bytes` are left; bytes that were freed."""
        entries = sorted(_entries(self.folder))
        total = sum(size for _, size, _ in entries)
        freed = 0
        for _, size, path in entries:
            if total - freed <= most_bytes:
                break
            path.unlink(missing_ok=True)
            freed += size
        return freed


def content_hash(file: Path) -> str:
    """SHA-256 of a file's bytes; computed once for each state of the file in this process.

    Raises:
        RecordingError: it cannot be read.
    """
    try:
        state = file.stat()
        return _hash_of(file, state.st_ino, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise RecordingError(f"{file} cannot be read ({error.strerror}): restore it or drop it.") from error


@functools.lru_cache(maxsize=4096)
def _hash_of(file: Path, _inode: int, _size: int, _mtime_ns: int) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _read(path: Path) -> list[Array] | None:
    """The arrays of an entry and a note that it was used; None if there is none, or it is damaged."""
    try:
        stored = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    digest, content = stored[:_DIGEST_BYTES], io.BytesIO(stored[_DIGEST_BYTES:])
    if hashlib.sha256(content.getbuffer()).digest() != digest:
        _log.warning("%s is damaged and is computed again", path)
        return None
    count = int.from_bytes(content.read(4))
    return [np.load(content, allow_pickle=False) for _ in range(count)]


def _write(path: Path, arrays: Sequence[Array]) -> None:
    content = io.BytesIO()
    content.write(len(arrays).to_bytes(4))
    for array in arrays:
        np.save(content, array, allow_pickle=False)
    try:
        _put(path, hashlib.sha256(content.getbuffer()).digest(), content)
    except OSError as error:
        _warn_once(f"features are not kept in {path.parent.parent} ({error.strerror})")


def _put(path: Path, digest: bytes, content: io.BytesIO) -> None:
    """Write beside the place, then move: a reader sees all of an entry or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(digest)
            out.write(content.getbuffer())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@functools.cache
def _warn_once(sentence: str) -> None:
    _log.warning("%s", sentence)


def _entries(folder: Path) -> Iterable[tuple[float, int, Path]]:
    """Time of last use, size and path of each entry, and of what an interrupted writer left."""
    for pattern in (f"??/*{_SUFFIX}", "??/*.part"):
        for path in folder.glob(pattern):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue
            yield state.st_mtime, state.st_size, path
