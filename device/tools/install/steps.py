"""The steps of an installation: values that can be inspected before they are executed.

Each is executed completely, or leaves a state that executing it again repairs. A step's `message` is the line that
people see; it is empty for a step that needs none. Commands are run by a `Runner` that is passed in.
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
class CommandResult:
    """How a command ended, and what it wrote to both its outputs."""

    code: int
    output: str


Runner = Callable[[Sequence[str], Mapping[str, str]], CommandResult]
"""Runs a command, with these variables over the environment."""


class Step(Protocol):
    """One step of a plan."""

    @property
    def message(self) -> str:
        """The line that is printed before it."""

    def execute(self, runner: Runner) -> None:
        """Execute the step. Raises ServiceError or OSError."""


@dataclass(frozen=True, slots=True)
class Note:
    """A message alone."""

    message: str

    def execute(self, runner: Runner) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class MakeFolder:
    """Create a folder that anyone may read, and its parents."""

    message: str
    path: Path

    def execute(self, runner: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Create the folder if it is missing."""
        self.path.mkdir(_PUBLIC_FOLDER, parents=True, exist_ok=True)


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write a file that anyone may read; afterwards it has all its content, or is as it was before."""

    message: str
    path: Path
    content: bytes

    def execute(self, runner: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Write a temporary file beside it, and rename that."""
        self.path.parent.mkdir(_PUBLIC_FOLDER, parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.new")
        with beside.open("wb") as file:
            os.fchmod(file.fileno(), _PUBLIC_FILE)
            file.write(self.content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


@dataclass(frozen=True, slots=True)
class SwitchLink:
    """Point a link to a new target; at every moment it leads to the old target or to the new one."""

    message: str
    link: Path
    target: str

    def execute(self, runner: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Create a temporary link beside it, and rename that."""
        self.link.parent.mkdir(_PUBLIC_FOLDER, parents=True, exist_ok=True)
        beside = self.link.with_name(f".{self.link.name}.new")
        beside.unlink(missing_ok=True)
        beside.symlink_to(self.target)
        beside.replace(self.link)


@dataclass(frozen=True, slots=True)
class MoveIntoPlace:
    """Move a built version to its place, once it is on the disk: a name without a dot is a complete version.

    Its scripts contain the path of the folder they were built in, which is replaced by `final_path`.

    Attributes:
        building: where it was built.
        place: of the version, below the root.
        final_path: of the version, on the machine that boots the root.
    """

    message: str
    building: Path
    place: Path
    final_path: str

    def execute(self, runner: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Rename the folder, after a sync: a Pi may lose its power at any moment."""
        for script in (self.building / "bin").iterdir():
            if script.is_file() and not script.is_symlink():
                text = script.read_bytes()
                script.write_bytes(text.replace(os.fsencode(self.building), os.fsencode(self.final_path)))
        os.sync()
        self.building.rename(self.place)
        os.sync()


@dataclass(frozen=True, slots=True)
class RemovePath:
    """Remove a file, a link or a whole folder; a link's target stays."""

    message: str
    path: Path

    def execute(self, runner: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Remove the path if it exists."""
        if self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class RemoveVersion:
    """Remove a version; it is first renamed to a name with a dot, so that no incomplete version is ever visible."""

    message: str
    version: Path

    def execute(self, runner: Runner) -> None:  # noqa: ARG002 - runs nothing
        """Rename the folder, then remove it."""
        gone = self.version.with_name(f".{self.version.name}.gone")
        self.version.rename(gone)
        shutil.rmtree(gone)


@dataclass(frozen=True, slots=True)
class RunCommand:
    """A command that must succeed.

    Attributes:
        cure: what to do if it fails; ends the error's sentence.
        variables: over those of the environment.
    """

    message: str
    command: tuple[str, ...]
    cure: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def execute(self, runner: Runner) -> None:
        """Run the command. Raises ServiceError if it fails."""
        ended = runner(self.command, self.variables)
        if ended.code:
            last = " ".join(ended.output.split())[-_SHOWN_CHARACTERS:] or f"exit code {ended.code}"
            raise ServiceError(f"could not {self.message}: {last}; {self.cure}")


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> CommandResult:
    """Run a command without a shell; a program that is not installed counts as failed."""
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
        return CommandResult(127, str(error))
    return CommandResult(ended.returncode, ended.stdout)
