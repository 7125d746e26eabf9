r"""Write results to standard output, a pipe or a file, so that a part is never mistaken for a whole one.

Event lines, which are read while they are written, go straight to the final name, flushed line by line. The file is
locked, so that two replays never mix their lines; if the disk is full, it ends with its last whole line. Tables,
tracks and pages, which are only useful when complete, are written to a file that has no name, or a unique one beside
the target, and renamed once. Text is UTF-8. What UTF-8 cannot encode (a path with other bytes) is written as `\udcXX`,
which JSON reads back as the same path.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from device.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STDOUT = "-"
_STDOUT_NAMES = frozenset({STDOUT, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
_MODE = 0o666  # less the umask, as for any file


def encode(text: str) -> bytes:
    r"""Encode any Python string as UTF-8, lone surrogates escaped as `\udcXX`."""
    return text.encode("utf-8", "backslashreplace")


def is_stdout(path: str | Path) -> bool:
    """Whether a path is standard output: by one of its names, or since the shell has redirected it to that file."""
    if str(path) in _STDOUT_NAMES:
        return True
    try:
        there, out = Path(path).stat(), os.fstat(1)
    except (OSError, ValueError):
        return False
    return os.path.samestat(there, out) and (stat.S_ISREG(out.st_mode) or stat.S_ISFIFO(out.st_mode))


def write_whole(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` (or `-`): all of it, or on failure nothing. Raises OSError."""
    with whole(path) as stream:
        stream.write(content)


def try_output(path: str | Path) -> None:
    """Find out whether a file could be written to `path`, and leave no trace.

    Raises:
        OSError: it could not: its folder is missing or read-only, it is a folder itself, or the disk is full.
    """
    if is_stdout(path):
        return
    target = Path(path).resolve()
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.exists() and not target.is_file():
        return  # a pipe or a device; opening it would wait for a reader
    with _unnamed(target.parent) as (stream, _):
        stream.write(bytes(1))


@contextlib.contextmanager
def made_folders(*paths: str | Path) -> Iterator[None]:
    """Make folders for results where they are missing; those that are empty at the end are removed again.

    Raises:
        OSError: one cannot be made.
    """
    made: list[Path] = []
    try:
        for path in map(Path, paths):
            for folder in reversed((path, *path.parents)):
                if not folder.exists():
                    folder.mkdir(exist_ok=True)
                    made.append(folder)
            path.mkdir(exist_ok=True)  # raises for what is no folder
        yield
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):  # something is in it
                folder.rmdir()


@contextlib.contextmanager
def growing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a binary stream straight to `path` (or `-`), for files that are read while they grow.

    Raises:
        ConfigError: another process writes to that file.
        OSError: it cannot be written. What is left of it ends with a whole line.
    """
    if is_stdout(path):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE)
    with os.fdopen(descriptor, "wb", buffering=0) as stream:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if regular:
            _lock(descriptor, path)
            stream.truncate(0)
        written = _WholeLines(stream) if regular else stream
        yield _Named(written, path)  # type: ignore[misc]  # what its users call is there


@contextlib.contextmanager
def whole(path: str | Path) -> Iterator[BinaryIO]:
    """Open a binary stream to `path` (or `-`); the file receives its name only when it is complete, in one step.

    Args:
        path: a link is followed; a device or pipe is written to directly, never replaced.

    Raises:
        OSError: the folder is missing, the disk is full, or the like. Nothing is left then.
    """
    target = Path(path).resolve()
    if is_stdout(path) or (target.exists() and not target.is_file()):
        with growing(path) as stream:
            yield stream
        return
    with _unnamed(target.parent) as (stream, name):
        written = _Named(stream, path)
        yield written  # type: ignore[misc]  # what its users call is there
        written.flush()
        named = name or _given_a_name(stream, target.parent)
        try:
            named.replace(target)
        except BaseException:
            named.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _unnamed(folder: Path) -> Iterator[tuple[BinaryIO, Path | None]]:
    """Open a new file without a name, of which nothing stays behind even if this process is killed.

    On file systems that know none (FAT, NFS) it has a unique name, the second item, and is removed at the end.
    """
    try:
        descriptor, name = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, _MODE), None
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL) or not folder.is_dir():
            raise
        name = _unique(folder)
        descriptor = os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, _MODE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            try:
                yield stream, name
            except BaseException:
                stream.raw.close()  # what is buffered is not wanted, and a second error would hide the first
                raise
    finally:
        if name is not None:
            name.unlink(missing_ok=True)


def _given_a_name(stream: BinaryIO, folder: Path) -> Path:
    name = _unique(folder)
    descriptor = stream.fileno()
    # Only with a folder's descriptor, which an absolute path ignores, does Python call what follows the link.
    os.link(f"/proc/self/fd/{descriptor}", name, src_dir_fd=descriptor, follow_symlinks=True)
    return name


def _unique(folder: Path) -> Path:
    return folder / f".auricle-{secrets.token_hex(8)}.part"


def _lock(descriptor: int, path: str | Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError(f"another replay writes to {path}; wait for it, or name another file") from error


class _Named:
    """A stream whose errors say which file could not be written: of several outputs, the disk of one is full."""

    def __init__(self, stream: BinaryIO | _WholeLines, path: str | Path) -> None:
        self._stream = stream
        self._path = path

    def write(self, content: bytes) -> int:
        """Write as the stream does. Raises OSError."""
        with self._naming():
            return self._stream.write(content)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Write each of them."""
        for piece in pieces:
            self.write(piece)

    def flush(self) -> None:
        """Pass on what is buffered. Raises OSError."""
        with self._naming():
            self._stream.flush()

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            error.filename = error.filename or str(self._path)
            raise


class _WholeLines:
    """A regular file to which whole lines are written; if one cannot be, its part is taken back."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, lines: bytes) -> int:
        """Write all of it, or on failure nothing. Raises OSError."""
        before = self._stream.tell()
        left = memoryview(lines)
        try:
            while left:
                left = left[self._stream.write(left) :]
        except BaseException:
            self._stream.truncate(before)
            self._stream.seek(before)
            raise
        return len(lines)

    def flush(self) -> None:
        """Do nothing: every line is written at once."""
