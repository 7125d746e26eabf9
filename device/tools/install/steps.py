"""What an installation is made of: steps that can be looked at before they are done.

Each is done whole or leaves behind what doing it again heals. A step's `says` is the line that people
see; it is empty for what goes without saying. Commands are run through a `Runner` that is handed in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from device.errors import ServiceError

if TYPE_CHECKING:
    from pathlib import Path

_PUBLIC_FILE, _PUBLIC_FOLDER = 0o644, 0o755
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it wrote to both its outputs."""

    code: int
    output: str


Runner = Callable[[Sequence[str], Mapping[str, str]], Outcome]
"""Runs a command, with these variables over the environment."""


class Step(Protocol):
    """One thing that is done."""

    @property
    def says(self) -> str:
        """The line about it."""

    def do(self, run: Runner) -> None:
        """Do it. Raises ServiceError or OSError."""


@dataclass(frozen=True, slots=True)
class Say:
    """Nothing is done; something is said."""

    says: str

    def do(self, run: Runner) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """A folder that anyone may read, with those above it."""

    says: str
    path: Path

    def do(self, run: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Make it where it is missing."""
        self.path.mkdir(_PUBLIC_FOLDER, parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True)
class Write:
    """A file that anyone may read: there with all its content, or as it was before."""

    says: str
    path: Path
    content: bytes

    def do(self, run: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Write it beside its place, and rename it."""
        self.path.parent.mkdir(_PUBLIC_FOLDER, parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.new")
        with beside.open("wb") as file:
            os.fchmod(file.fileno(), _PUBLIC_FILE)
            file.write(self.content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


@dataclass(frozen=True, slots=True)
class Point:
    """A link that leads to the old target or to the new one, and at no moment nowhere."""

    says: str
    link: Path
    target: str

    def do(self, run: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Make the link beside its place, and rename it."""
        self.link.parent.mkdir(_PUBLIC_FOLDER, parents=True, exist_ok=True)
        beside = self.link.with_name(f".{self.link.name}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(self.target)
        beside.replace(self.link)


@dataclass(frozen=True, slots=True)
class Settle:
    """What was built aside takes its place, once it is on the disk: a name without a dot is a complete version.

    Its scripts name the folder that they were made in, so that is exchanged for the place where they will run.
    """

    says: str
    aside: Path
    place: Path
    seen_as: str

    def do(self, run: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Rename it, after everything in it was written out: a Pi's current may go at any moment."""
        for script in (self.aside / "bin").iterdir():
            if script.is_file() and not script.is_symlink():
                text = script.read_bytes()
                script.write_bytes(text.replace(os.fsencode(self.aside), os.fsencode(self.seen_as)))
        os.sync()
        self.aside.rename(self.place)
        os.sync()


@dataclass(frozen=True, slots=True)
class Remove:
    """A file, a link or a whole folder goes; a link's target stays."""

    says: str
    path: Path

    def do(self, run: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Remove what is there."""
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Discard:
    """A version goes; from the first moment on its name begins with a dot, so that none is there half."""

    says: str
    version: Path

    def do(self, run: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Rename it, then remove it."""
        gone = self.version.with_name(f".{self.version.name}.gone")
        self.version.rename(gone)
        shutil.rmtree(gone)


@dataclass(frozen=True, slots=True)
class Run:
    """A command that must succeed.

    Attributes:
        trouble: what to do where it fails; ends the error's sentence.
        variables: over those of the environment.
    """

    says: str
    command: tuple[str, ...]
    trouble: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def do(self, run: Runner) -> None:
        """Run it. Raises ServiceError where it fails."""
        ended = run(self.command, self.variables)
        if ended.code:
            last = " ".join(ended.output.split())[-_SHOWN_CHARACTERS:] or f"exit code {ended.code}"
            raise ServiceError(f"could not {self.says}: {last}; {self.trouble}")


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> Outcome:
    """Run a command without a shell; one that is not installed counts as failed."""
    try:
        ended = subprocess.run(  # noqa: S603 - the plan's commands, argument by argument
            command,
            check=False,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        return Outcome(127, str(error))
    return Outcome(ended.returncode, ended.stdout)
