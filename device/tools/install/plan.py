"""The plans: which steps lay a version down, go back to the one before, or take everything away.

Pure: what is there, what is wanted and what machine this is are handed in, steps come out.

A new version is built and verified aside; until one rename swaps a link, the one that runs is not
touched. So a plan may be cut off anywhere: what runs goes on, and the next install does what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import ServiceError
from device.tools.install.layout import UNIT
from device.tools.install.steps import Discard, MakeFolder, Point, Remove, Run, Say, Settle, Write

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from device.tools.install.layout import Installed, Layout
    from device.tools.install.origin import Origin
    from device.tools.install.steps import Step

BEST_EFFORT = (
    "numpy<2",  # the runtime was built against it
    "soundfile>=0.13",
    "soxr>=0.5",
    "pillow>=11",
    "sounddevice>=0.5.2",
    "scipy>=1.14",
    "prometheus-client>=0.22",
    "paho-mqtt>=2.1",
    "gpiozero>=2.0.1",
    "lgpio>=0.2.2.0",
    "tzdata>=2025.1",
    "tflite-runtime>=2.14",
)
"""What a 32-bit system gets: the lock is of wheels that registries have for 64 bits alone."""

_ALL_INSTANCES = "auricle@*.service"
_QUIETLY = ""
_PIP = ("-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input")
_NO_SYSTEMD = "no systemd runs here: it makes user and folders, and starts what is enabled, when it boots"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an installation is asked for, and what it meets.

    Attributes:
        instance: whose configuration is written and who is started.
        config: text of its configuration, where it has none yet.
        bundles: that the new version must verify before it may run.
        start: whether the instance is to run, now and at boot.
        python: the interpreter that makes the virtual environment.
        bits: of this Python, 32 or 64.
        systemd: whether it runs here.
    """

    instance: str
    config: str
    bundles: tuple[str, ...]
    start: bool
    python: str
    bits: int
    systemd: bool


def plan_install(layout: Layout, installed: Installed, origin: Origin, wanted: Wanted) -> tuple[Step, ...]:
    """Steps that make the origin the current version, the current one the previous, and remove all others."""
    return tuple(_install(layout, installed, origin, wanted))


def plan_rollback(
    layout: Layout, installed: Installed, systemd_files: Mapping[str, bytes], *, systemd: bool
) -> tuple[Step, ...]:
    """Steps that swap the current and the previous version.

    Args:
        layout: where all lies.
        installed: what lies there; its `previous` is gone to.
        systemd_files: what systemd is to read of that version.
        systemd: whether it runs here.

    Raises:
        ServiceError: there is no previous version.
    """
    if installed.previous is None or installed.current is None:
        raise ServiceError("there is no previous version to roll back to: auricle install keeps one from the second on")
    return tuple(_rollback(layout, installed, installed.previous, installed.current, systemd_files, systemd=systemd))


def plan_uninstall(layout: Layout, installed: Installed, *, purge: bool, systemd: bool) -> tuple[Step, ...]:
    """Steps that stop and remove everything; configuration and state only where `purge` says so."""
    steps = tuple(_uninstall(layout, installed, purge=purge, systemd=systemd))
    return steps or (Say("nothing of Auricle is installed here"),)


# --- install


def _install(layout: Layout, installed: Installed, origin: Origin, wanted: Wanted) -> Iterator[Step]:
    place = layout.versions / origin.name
    yield from _configuration(layout, installed, wanted)
    for path in installed.leftovers:
        yield Remove("remove what an install that did not end has left", path)
    if origin.name in installed.versions:
        yield Say(f"{origin.name} is built already")
        yield from _verified(layout, installed, wanted.bundles, place, wanted.instance)
    else:
        yield from _built(layout, origin, wanted)
        yield from _verified(layout, installed, wanted.bundles, layout.aside, wanted.instance)
        seen_as = layout.shown(place)
        yield Settle(f"put it down as {seen_as}", layout.aside, place, seen_as)
    files = _laid(layout, installed, origin.systemd)
    swap = installed.current != origin.name
    if swap or files:
        yield Write(_QUIETLY, layout.restart_owed, b"")
    if swap:
        yield from _swapped(layout, installed, origin.name)
    yield from files
    yield from _launcher(layout, installed)
    yield from _outdated(layout, installed, origin.name)
    owed = swap or bool(files) or installed.restart_owed
    start = wanted.instance if wanted.start else None
    yield from _set_going(layout, installed, restart=owed, start=start, systemd=wanted.systemd)


def _configuration(layout: Layout, installed: Installed, wanted: Wanted) -> Iterator[Step]:
    config = layout.config(wanted.instance)
    if config in installed.configs:
        yield Say(f"{layout.shown(config)} is there and stays as it is")
    else:
        yield Write(f"write {layout.shown(config)}", config, wanted.config.encode())


def _built(layout: Layout, origin: Origin, wanted: Wanted) -> Iterator[Step]:
    aside, lock = layout.aside, layout.aside / "requirements.txt"
    pip = (str(aside / "bin" / "python"), *_PIP)
    room = aside / "tmp"  # /tmp may lie in memory, which a small Pi has too little of
    variables = {"TMPDIR": str(room), "PIP_ROOT_USER_ACTION": "ignore"}
    again = "nothing was changed, run it again"
    locked = ("--require-hashes", "--only-binary", ":all:", "-r", str(lock))
    what = locked if wanted.bits > 32 else ("--prefer-binary", *BEST_EFFORT)
    yield MakeFolder(_QUIETLY, layout.versions)
    yield Run(f"make a virtual environment for {origin.name}", (wanted.python, "-I", "-m", "venv", str(aside)), again)
    yield MakeFolder(_QUIETLY, room)
    yield Write(_QUIETLY, lock, origin.lock.encode())
    yield Run("install the dependencies, which takes minutes on a small Pi", (*pip, *what), again, variables)
    yield Run(f"install Auricle from {origin.path}", (*pip, "--no-deps", str(origin.path)), again, variables)
    yield Remove(_QUIETLY, room)


def _verified(
    layout: Layout, installed: Installed, bundles: tuple[str, ...], version: Path, instance: str | None = None
) -> Iterator[Step]:
    """The version must open its models and read every instance's configuration, on this machine."""
    auricle = (str(version / "bin" / "python"), "-I", "-m", "device")
    unchanged = "the version that runs was not touched"
    for bundle in bundles:
        yield Run(f"verify the model {bundle}", (*auricle, "models", "verify", bundle), unchanged)
    configs = dict.fromkeys((*installed.configs, *([layout.config(instance)] if instance else [])))
    for config in configs:
        yield Run(f"verify {layout.shown(config)}", (*auricle, "config", "--check", str(config)), unchanged)


def _laid(layout: Layout, installed: Installed, files: Mapping[str, bytes]) -> list[Step]:
    places = layout.laid()
    return [
        Write(f"write {layout.shown(places[name])}", places[name], content)
        for name, content in files.items()
        if installed.laid.get(places[name]) != content
    ]


def _swapped(layout: Layout, installed: Installed, name: str) -> Iterator[Step]:
    if installed.current is not None:
        yield Point(f"keep {installed.current} as the previous version", layout.previous, _target(installed.current))
    yield Point(f"make {name} the current version", layout.current, _target(name))


def _target(name: str) -> str:
    return f"versions/{name}"


def _launcher(layout: Layout, installed: Installed) -> Iterator[Step]:
    place = layout.shown(layout.launcher)
    if not installed.launcher_is_ours:
        yield Say(f"{place} is not ours and stays; the command is {layout.program}")
    elif not layout.launcher.is_symlink():
        yield Point(f"make {place} the command", layout.launcher, layout.program)


def _outdated(layout: Layout, installed: Installed, name: str) -> Iterator[Step]:
    kept = {name, installed.previous if installed.current == name else installed.current}
    for version in installed.versions:
        if version not in kept:
            yield Discard(f"remove the outdated version {version}", layout.versions / version)


# --- rollback


def _rollback(
    layout: Layout, installed: Installed, to: str, back: str, files: Mapping[str, bytes], *, systemd: bool
) -> Iterator[Step]:
    yield from _verified(layout, installed, (), layout.versions / to)
    yield Write(_QUIETLY, layout.restart_owed, b"")
    yield Point(f"make {to} the current version", layout.current, _target(to))
    yield Point(f"keep {back} as the previous version", layout.previous, _target(back))
    yield from _laid(layout, installed, files)
    yield from _set_going(layout, installed, restart=True, start=None, systemd=systemd)
    yield Say(f"{to} runs now; auricle install --rollback goes forward to {back} again")


# --- what systemd does


def _set_going(
    layout: Layout, installed: Installed, *, restart: bool, start: str | None, systemd: bool
) -> Iterator[Step]:
    if systemd:
        yield from _told_systemd(layout, restart=restart, start=start)
    else:
        yield from _left_to_boot(layout, installed, start)
    if restart:
        yield Remove(_QUIETLY, layout.restart_owed)


def _left_to_boot(layout: Layout, installed: Installed, start: str | None) -> Iterator[Step]:
    """What `systemctl enable` would do to a system that does not run."""
    link = layout.enabled(start) if start else None
    if link is not None and link not in installed.enabled:
        yield Point(f"let {link.name} start at boot", link, layout.shown(layout.laid()[UNIT]))
    yield Say(_NO_SYSTEMD)


def _told_systemd(layout: Layout, *, restart: bool, start: str | None) -> Iterator[Step]:
    again = "auricle install --rollback goes back to the version before"
    sysusers, tmpfiles = (layout.shown(path) for name, path in layout.laid().items() if name.endswith(".conf"))
    yield Run("make the groups", ("systemd-sysusers", sysusers), again)
    yield Run("make the folders", ("systemd-tmpfiles", "--create", tmpfiles), again)
    yield Run("let systemd read the units", ("systemctl", "daemon-reload"), again)
    if restart:
        yield Run("restart the instances that run", ("systemctl", "try-restart", _ALL_INSTANCES), again)
    if start:
        unit = f"auricle@{start}.service"
        look = f"journalctl -u {unit} says why, and {again}"
        yield Run(f"start {unit}, now and at boot", ("systemctl", "enable", "--now", unit), look)


# --- uninstall


def _uninstall(layout: Layout, installed: Installed, *, purge: bool, systemd: bool) -> Iterator[Step]:
    there = installed.laid or installed.enabled
    if systemd and there:
        yield Run("stop all instances", ("systemctl", "stop", _ALL_INSTANCES), "nothing was changed")
    for link in installed.enabled:
        yield Remove(f"disable {link.name}", link)
    for path in installed.laid:
        yield Remove(f"remove {layout.shown(path)}", path)
    if systemd and there:
        yield Run("let systemd forget the units", ("systemctl", "daemon-reload"), "run it again")
    if layout.launcher.is_symlink() and installed.launcher_is_ours:
        yield Remove(f"remove {layout.shown(layout.launcher)}", layout.launcher)
    if layout.home.exists():
        yield Remove("remove /opt/auricle, all versions with it", layout.home)
    yield from _purged(layout, installed, purge=purge)


def _purged(layout: Layout, installed: Installed, *, purge: bool) -> Iterator[Step]:
    theirs = (*((layout.configs,) if layout.configs.is_dir() else ()), *installed.state)
    for path in theirs:
        if purge:
            yield Remove(f"remove {layout.shown(path)}", path)
        elif installed.laid or installed.versions:
            yield Say(f"{layout.shown(path)} stays; auricle uninstall --purge removes it too")
