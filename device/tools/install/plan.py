"""The plans: the steps that install a version, roll back to the previous one, or remove everything.

Pure: what is installed, what is requested and the machine are passed in, steps are returned.

A new version is built and verified in a folder of its own. The running version is not touched until one rename
switches a link. So a plan may be interrupted anywhere: the daemon continues to run, and the next install completes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import ServiceError
from device.tools.install.layout import UNIT_FILE
from device.tools.install.steps import (
    MakeFolder,
    MoveIntoPlace,
    Note,
    RemovePath,
    RemoveVersion,
    RunCommand,
    SwitchLink,
    WriteFile,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from device.tools.install.layout import Installed, Layout
    from device.tools.install.origin import Origin
    from device.tools.install.steps import Step

PYAV = "av>=16,<19"
"""As in the extra `formats`: an update must not take a stream away from a daemon that hears one."""

BEST_EFFORT = (
    "numpy<2",  # the runtime was built against it
    "soundfile>=0.13",
    "soxr>=0.5",
    "pillow>=11",
    "jinja2>=3.1",
    "sounddevice>=0.5.2",
    "scipy>=1.14",
    "prometheus-client>=0.22",
    "python-multipart>=0.0.28",
    "starlette>=0.50",
    "uvicorn>=0.38",
    "paho-mqtt>=2.1",
    "gpiozero>=2.0.1",
    "lgpio>=0.2.2.0",
    "tzdata>=2025.1",
    "tflite-runtime>=2.14",
)
"""Dependencies of a 32-bit system: the lock names wheels that exist for 64 bits only."""

_ALL_INSTANCES = ("auricle@*.service", "auricle-push@*.service", "auricle-web@*.service", "auricle-ward@*.service")
_NO_MESSAGE = ""
_PIP = ("-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
_NO_SYSTEMD = "no systemd runs here: it makes user and folders, and starts what is enabled, when it boots"


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """What to install, and the machine it is installed on.

    Attributes:
        instance: to configure and to start.
        config: text of its configuration, written if it has none yet.
        bundles: that the new version must verify before it may run.
        start: start the instance now and at boot.
        python: the interpreter that creates the virtual environment.
        bits: of this Python, 32 or 64.
        has_systemd: whether systemd runs here.
    """

    instance: str
    config: str
    bundles: tuple[str, ...]
    start: bool
    python: str
    bits: int
    has_systemd: bool


def plan_install(layout: Layout, installed: Installed, origin: Origin, request: InstallRequest) -> tuple[Step, ...]:
    """Steps that make the origin the current version, the current one the previous, and remove all others."""
    return tuple(_install(layout, installed, origin, request))


def plan_rollback(
    layout: Layout, installed: Installed, systemd_files: Mapping[str, bytes], *, has_systemd: bool
) -> tuple[Step, ...]:
    """Steps that swap the current and the previous version.

    Args:
        layout: the paths of the installation.
        installed: what is there now; its `previous` becomes current.
        systemd_files: what systemd reads, from that version.
        has_systemd: whether systemd runs here.

    Raises:
        ServiceError: there is no previous version.
    """
    if installed.previous is None or installed.current is None:
        raise ServiceError("there is no previous version to roll back to: auricle install keeps one from the second on")
    return tuple(
        _rollback(layout, installed, installed.previous, installed.current, systemd_files, has_systemd=has_systemd)
    )


def plan_uninstall(layout: Layout, installed: Installed, *, purge: bool, has_systemd: bool) -> tuple[Step, ...]:
    """Steps that stop and remove everything; configuration and state only with `purge`."""
    steps = tuple(_uninstall(layout, installed, purge=purge, has_systemd=has_systemd))
    return steps or (Note("nothing of Auricle is installed here"),)


# --- install


def _install(layout: Layout, installed: Installed, origin: Origin, request: InstallRequest) -> Iterator[Step]:
    place = layout.versions / origin.name
    yield from _configuration(layout, installed, request)
    for path in installed.leftovers:
        yield RemovePath("remove what an install that did not end has left", path)
    if origin.name in installed.versions:
        yield Note(f"{origin.name} is built already")
        yield from _verified(layout, installed, request.bundles, place, request.instance)
    else:
        yield from _built(layout, origin, request, has_pyav=installed.has_pyav)
        yield from _verified(layout, installed, request.bundles, layout.building, request.instance)
        final_path = layout.target_path(place)
        yield MoveIntoPlace(f"put it down as {final_path}", layout.building, place, final_path)
    files = _systemd_files(layout, installed, origin.systemd_files)
    swap = installed.current != origin.name
    if swap or files:
        yield WriteFile(_NO_MESSAGE, layout.restart_pending, b"")
    if swap:
        yield from _swapped(layout, installed, origin.name)
    yield from files
    yield from _launcher(layout, installed)
    yield from _outdated(layout, installed, origin.name)
    restart = swap or bool(files) or installed.restart_pending
    start = request.instance if request.start else None
    yield from _activated(layout, installed, restart=restart, start=start, has_systemd=request.has_systemd)


def _configuration(layout: Layout, installed: Installed, request: InstallRequest) -> Iterator[Step]:
    config = layout.config(request.instance)
    if config in installed.configs:
        yield Note(f"{layout.target_path(config)} is there and stays as it is")
    else:
        yield WriteFile(f"write {layout.target_path(config)}", config, request.config.encode())


def _built(layout: Layout, origin: Origin, request: InstallRequest, *, has_pyav: bool) -> Iterator[Step]:
    building, lock = layout.building, layout.building / "requirements.txt"
    pip = (str(building / "bin" / "python"), *_PIP)
    downloads = building / "tmp"  # /tmp may be in memory, of which a small Pi has too little
    variables = {"TMPDIR": str(downloads), "PIP_ROOT_USER_ACTION": "ignore"}
    again = "nothing was changed, run it again"
    locked = ("--require-hashes", "--only-binary", ":all:", "-r", str(lock))
    what = locked if request.bits > 32 else ("--prefer-binary", *BEST_EFFORT)
    yield MakeFolder(_NO_MESSAGE, layout.versions)
    yield RunCommand(
        f"make a virtual environment for {origin.name}", (request.python, "-I", "-m", "venv", str(building)), again
    )
    yield MakeFolder(_NO_MESSAGE, downloads)
    yield WriteFile(_NO_MESSAGE, lock, origin.lock.encode())
    yield RunCommand("install the dependencies, which takes minutes on a small Pi", (*pip, *what), again, variables)
    yield RunCommand(f"install Auricle from {origin.path}", (*pip, "--no-deps", str(origin.path)), again, variables)
    if has_pyav:
        wheel = (*pip, "--only-binary", ":all:", PYAV)
        yield RunCommand("install PyAV, which the version that runs has", wheel, again, variables)
    yield RemovePath(_NO_MESSAGE, downloads)


def _verified(
    layout: Layout, installed: Installed, bundles: tuple[str, ...], version: Path, instance: str | None = None
) -> Iterator[Step]:
    """Steps in which the version opens its models and reads every instance's configuration, on this machine."""
    auricle = (str(version / "bin" / "python"), "-I", "-m", "device")
    unchanged = "the version that runs was not touched"
    for bundle in bundles:
        yield RunCommand(f"verify the model {bundle}", (*auricle, "models", "verify", bundle), unchanged)
    configs = dict.fromkeys((*installed.configs, *([layout.config(instance)] if instance else [])))
    for config in configs:
        yield RunCommand(
            f"verify {layout.target_path(config)}", (*auricle, "config", "--check", str(config)), unchanged
        )


def _systemd_files(layout: Layout, installed: Installed, files: Mapping[str, bytes]) -> list[Step]:
    """Steps to what a version carries; what it does not know of goes."""
    places = layout.systemd_paths()
    gone = [path for name, path in places.items() if name not in files and path in installed.systemd_files]
    return [
        *(RemovePath(f"remove {layout.target_path(path)}", path) for path in gone),
        *(
            WriteFile(f"write {layout.target_path(places[name])}", places[name], content)
            for name, content in files.items()
            if installed.systemd_files.get(places[name]) != content
        ),
    ]


def _swapped(layout: Layout, installed: Installed, name: str) -> Iterator[Step]:
    if installed.current is not None:
        yield SwitchLink(
            f"keep {installed.current} as the previous version", layout.previous, _target(installed.current)
        )
    yield SwitchLink(f"make {name} the current version", layout.current, _target(name))


def _target(name: str) -> str:
    return f"versions/{name}"


def _launcher(layout: Layout, installed: Installed) -> Iterator[Step]:
    place = layout.target_path(layout.launcher)
    if not installed.launcher_is_ours:
        yield Note(f"{place} is not ours and stays; the command is {layout.program}")
    elif not layout.launcher.is_symlink():
        yield SwitchLink(f"make {place} the command", layout.launcher, layout.program)


def _outdated(layout: Layout, installed: Installed, name: str) -> Iterator[Step]:
    kept = {name, installed.previous if installed.current == name else installed.current}
    for version in installed.versions:
        if version not in kept:
            yield RemoveVersion(f"remove the outdated version {version}", layout.versions / version)


# --- rollback


def _rollback(
    layout: Layout, installed: Installed, to: str, back: str, files: Mapping[str, bytes], *, has_systemd: bool
) -> Iterator[Step]:
    yield from _verified(layout, installed, (), layout.versions / to)
    yield WriteFile(_NO_MESSAGE, layout.restart_pending, b"")
    yield SwitchLink(f"make {to} the current version", layout.current, _target(to))
    yield SwitchLink(f"keep {back} as the previous version", layout.previous, _target(back))
    yield from _systemd_files(layout, installed, files)
    yield from _activated(layout, installed, restart=True, start=None, has_systemd=has_systemd)
    yield Note(f"{to} runs now; auricle install --rollback goes forward to {back} again")


# --- what systemd does


def _activated(
    layout: Layout, installed: Installed, *, restart: bool, start: str | None, has_systemd: bool
) -> Iterator[Step]:
    if has_systemd:
        yield from _by_systemd(layout, restart=restart, start=start)
    else:
        yield from _at_boot(layout, installed, start)
    if restart:
        yield RemovePath(_NO_MESSAGE, layout.restart_pending)


def _at_boot(layout: Layout, installed: Installed, start: str | None) -> Iterator[Step]:
    """What `systemctl enable` would do, for a system that is not running."""
    link = layout.boot_link(start) if start else None
    if link is not None and link not in installed.boot_links:
        yield SwitchLink(f"let {link.name} start at boot", link, layout.target_path(layout.systemd_paths()[UNIT_FILE]))
    yield Note(_NO_SYSTEMD)


def _by_systemd(layout: Layout, *, restart: bool, start: str | None) -> Iterator[Step]:
    again = "auricle install --rollback goes back to the version before"
    sysusers, tmpfiles = (
        layout.target_path(path) for name, path in layout.systemd_paths().items() if name.endswith(".conf")
    )
    yield RunCommand("make the groups", ("systemd-sysusers", sysusers), again)
    yield RunCommand("make the folders", ("systemd-tmpfiles", "--create", tmpfiles), again)
    yield RunCommand("let systemd read the units", ("systemctl", "daemon-reload"), again)
    if restart:
        yield RunCommand("restart the instances that run", ("systemctl", "try-restart", *_ALL_INSTANCES), again)
    if start:
        unit = f"auricle@{start}.service"
        cure = f"journalctl -u {unit} says why, and {again}"
        yield RunCommand(f"start {unit}, now and at boot", ("systemctl", "enable", "--now", unit), cure)


# --- uninstall


def _uninstall(layout: Layout, installed: Installed, *, purge: bool, has_systemd: bool) -> Iterator[Step]:
    is_present = installed.systemd_files or installed.boot_links
    if has_systemd and is_present:
        yield RunCommand("stop all instances", ("systemctl", "stop", *_ALL_INSTANCES), "nothing was changed")
    for link in installed.boot_links:
        yield RemovePath(f"disable {link.name}", link)
    for path in installed.systemd_files:
        yield RemovePath(f"remove {layout.target_path(path)}", path)
    if has_systemd and is_present:
        yield RunCommand("let systemd forget the units", ("systemctl", "daemon-reload"), "run it again")
    if layout.launcher.is_symlink() and installed.launcher_is_ours:
        yield RemovePath(f"remove {layout.target_path(layout.launcher)}", layout.launcher)
    if layout.home.exists():
        yield RemovePath("remove /opt/auricle, all versions with it", layout.home)
    yield from _purged(layout, installed, purge=purge)


def _purged(layout: Layout, installed: Installed, *, purge: bool) -> Iterator[Step]:
    theirs = (*((layout.configs,) if layout.configs.is_dir() else ()), *installed.state_folders)
    for path in theirs:
        if purge:
            yield RemovePath(f"remove {layout.target_path(path)}", path)
        elif installed.systemd_files or installed.versions:
            yield Note(f"{layout.target_path(path)} stays; auricle uninstall --purge removes it too")
