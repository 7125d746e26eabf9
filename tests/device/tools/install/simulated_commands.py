"""An installation in milliseconds: simulated commands leave the files that the real ones would, without a network.

    python simulated_commands.py CHECKOUT FOLDER    crash it at each of its changes of the disk, print what was found

A crash is a SIGKILL of a child that is about to make its nth change of the disk, counted by an audit hook of Python.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from device.tools.install import install_command as installing
from device.tools.install.layout import Layout, read_installed
from device.tools.install.steps import CommandResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CHANGES = {"open", "os.rename", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree"}
PAYLOAD = "lib/python3.11/site-packages"


@dataclass
class SimulatedCommands:
    """Runs no program, but leaves the files that the commands would have left, and records the commands.

    Attributes:
        fails: a command that has this argument fails.
    """

    fails: str | None = None
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, command: Sequence[str], _: Mapping[str, str]) -> CommandResult:
        self.commands.append(tuple(command))
        if self.fails in command:
            return CommandResult(1, "it failed")
        version = Path(command[0]).parents[1]
        if "venv" in command:
            _virtual_environment(Path(command[-1]))
        elif "--no-deps" in command:
            _auricle(version, Path(command[-1]))
        elif "device" in command and not is_complete(version):
            return CommandResult(1, "incomplete")
        return CommandResult(0, "")


def _virtual_environment(folder: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / PAYLOAD).mkdir(parents=True)


def _auricle(version: Path, checkout: Path) -> None:
    shutil.copytree(checkout / "systemd", version / PAYLOAD / "systemd")
    (version / "bin" / "auricle").write_text(f"#!{version}/bin/python\n")
    (version / "ready").write_text("ready")


def is_complete(version: Path) -> bool:
    """Whether every command of a simulated installation has left its files."""
    ready = version / "ready"
    return ready.is_file() and ready.read_text() == "ready" and (version / "bin" / "auricle").is_file()


def checkout_of(checkout: Path, folder: Path, version: str) -> Path:
    """A minimal checkout of the given version, with a unit file of its own."""
    (folder / "device").mkdir(parents=True)
    shutil.copytree(checkout / "systemd", folder / "systemd", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "systemd" / "auricle@.service").open("a") as unit:
        unit.write(f"# {version}\n")
    shutil.copyfile(checkout / "requirements.txt", folder / "requirements.txt")
    (folder / "pyproject.toml").write_text(f'[project]\nname = "auricle"\nversion = "{version}"\n')
    return folder


def install(origin: Path, root: Path) -> None:
    """Install with simulated commands, and print nothing."""
    with contextlib.redirect_stdout(io.StringIO()):
        installing.install(installing.InstallOptions(origin=origin), root=root, runner=SimulatedCommands())


# --- crashes


def main(checkout: Path, folder: Path) -> int:
    """Crash an upgrade and a rollback at each change; print one line for each crash that was not survived."""
    os.sync = lambda: None  # nobody pulls the plug here, and other programs' writes are not waited for
    origins = [checkout_of(checkout, folder / version, version) for version in ("1.0", "1.1", "1.2")]
    start = folder / "start"
    start.mkdir()
    for origin in origins[:2]:
        install(origin, start)
    found = [*_crash_all(folder, start, "upgrade", lambda root: install(origins[2], root), origins[2])]
    found += _crash_all(folder, start, "rollback", _rollback, origins[2])
    sys.stdout.write("".join(f"{line}\n" for line in found) or "SURVIVED\n")
    return 1 if found else 0


def _rollback(root: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        installing.rollback(root=root, runner=SimulatedCommands())


def _crash_all(folder: Path, start: Path, what: str, do: Callable[[Path], None], newest: Path) -> Iterator[str]:
    changes = 0
    while True:
        root = folder / f"{what}-{changes}"
        shutil.copytree(start, root, symlinks=True)
        if not _crashes(functools.partial(do, root), changes):
            break
        yield from (f"{what}, change {changes}: {line}" for line in _wrong(root, newest))
        shutil.rmtree(root)
        changes += 1
    sys.stderr.write(f"{what}: {changes} crashes\n")


def _crashes(do: Callable[[], None], after: int) -> bool:
    """Run it in a child that is killed before its change number `after`; False if the child ends first."""
    child = os.fork()
    if child == 0:
        left = [after]

        def count(event: str, arguments: tuple[object, ...]) -> None:
            if event in CHANGES and not (event == "open" and arguments[1] in {"r", "rb", None}):
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                left[0] -= 1

        sys.addaudithook(count)
        do()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.waitstatus_to_exitcode(status):
        raise SystemExit("a child failed by itself")
    return False


def _wrong(root: Path, newest: Path) -> Iterator[str]:
    layout = Layout(root)
    if not is_complete(layout.current):
        yield f"what runs is broken: {layout.current.readlink()}"
    incomplete = [name for name in read_installed(layout).versions if not is_complete(layout.versions / name)]
    yield from (f"{name} is there but incomplete" for name in incomplete)
    unit = next(path for path in layout.systemd_paths().values() if path.suffix == ".service")
    if not unit.read_text().rstrip().endswith(("# 1.0", "# 1.1", "# 1.2")):
        yield "the unit file is broken"
    install(newest, root)
    after = read_installed(layout)
    is_current = (after.current or "").startswith("1.2")
    if not is_current or after.leftovers or after.restart_pending or len(after.versions) != 2:
        yield f"the next install did not heal it: {after}"
    if after.previous is None or not unit.read_text().endswith("# 1.2\n"):
        yield f"the next install left it half done: {after}"


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:3])))
