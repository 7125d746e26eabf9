"""`auricle install`, its `--rollback`, and `auricle uninstall`: looks, plans, refuses or does, a line a step."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from device.config.example import example_lines
from device.config.loading import load_config, profile
from device.config.profiles import DEFAULT_PROFILE
from device.config.settings import missing_models, missing_sentence
from device.errors import ConfigError, ServiceError
from device.runtime.model_library import shipped_bundles
from device.tools.install.layout import Layout, look, systemd_files
from device.tools.install.origin import default_origin, read_origin
from device.tools.install.plan import Wanted, plan_install, plan_rollback, plan_uninstall
from device.tools.install.steps import Say, run_command
from device.tools.install.supported_machine import best_effort_note, this_machine, why_not_here, why_not_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from device.config.settings import Settings
    from device.tools.install.layout import Installed
    from device.tools.install.steps import Runner, Step
    from device.tools.install.supported_machine import Machine

_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """What was asked for.

    Attributes:
        profile: of the instance's first configuration.
        instance: None for one that is named as the profile.
        origin: wheel or checkout; None for where the running Auricle came from.
        start: whether the instance is to run, now and at boot.
    """

    profile: str = DEFAULT_PROFILE
    instance: str | None = None
    origin: Path | None = None
    start: bool = True


def install(order: InstallOptions, *, root: Path = _ROOT, dry_run: bool = False, run: Runner = run_command) -> int:
    """Lay Auricle down, or bring what lies there up to date; returns exit code 0.

    Args:
        order: what is wanted.
        root: of the machine, or of a tree that is prepared for one.
        dry_run: print the plan, change nothing.
        run: runs the plan's commands.

    Raises:
        ConfigError: the instance has a configuration, and it does not hold; nothing was changed.
        ServiceError: it cannot be done here, or a step failed; what ran before runs on.
        OSError: a file cannot be written.
    """
    layout = _layout(root)
    with _alone(layout, dry_run=dry_run):
        machine, installed = this_machine(layout), look(layout)
        origin = read_origin(order.origin or default_origin())
        refused = why_not_here(machine, builds=origin.name not in installed.versions)
        _refuse(refused or (None if dry_run else why_not_root(machine, "install")))
        wanted = _wanted(order, layout, installed, machine)
        note = best_effort_note(machine)
        _carry_out(
            (*((Say(note),) if note else ()), *plan_install(layout, installed, origin, wanted)), run, dry_run=dry_run
        )
    return 0


def rollback(*, root: Path = _ROOT, dry_run: bool = False, run: Runner = run_command) -> int:
    """Swap the current and the previous version, and restart what runs; returns exit code 0.

    Raises:
        ServiceError: there is no previous version, or it does not hold here.
        OSError: a file cannot be written.
    """
    layout = _layout(root)
    with _alone(layout, dry_run=dry_run):
        machine, installed = this_machine(layout), look(layout)
        _refuse(None if dry_run else why_not_root(machine, "install --rollback"))
        files = systemd_files(layout.versions / installed.previous) if installed.previous else {}
        _carry_out(plan_rollback(layout, installed, files, systemd=machine.systemd), run, dry_run=dry_run)
    return 0


def uninstall(*, root: Path = _ROOT, purge: bool = False, dry_run: bool = False, run: Runner = run_command) -> int:
    """Stop and remove everything, but configuration and state unless `purge`; returns exit code 0.

    Raises:
        ServiceError: an instance does not stop.
        OSError: a file cannot be removed.
    """
    layout = _layout(root)
    with _alone(layout, dry_run=dry_run):
        machine = this_machine(layout)
        _refuse(None if dry_run else why_not_root(machine, "uninstall"))
        steps = plan_uninstall(layout, look(layout), purge=purge, systemd=machine.systemd)
        _carry_out(steps, run, dry_run=dry_run)
    return 0


def _layout(root: Path) -> Layout:
    if not root.is_dir():
        raise ServiceError(f"{root} is no folder; --root names the file system of a machine, or one prepared for it")
    return Layout(root.absolute())


def _carry_out(steps: Sequence[Step], run: Runner, *, dry_run: bool) -> None:
    before = os.umask(0o022)  # what root's own mask would hide, the daemon could not read
    try:
        for step in steps:
            _tell(step.says)
            if not dry_run:
                step.do(run)
    finally:
        os.umask(before)


def _tell(line: str) -> None:
    if line:
        print(line, flush=True)


def _refuse(sentence: str | None) -> None:
    if sentence is not None:
        raise ServiceError(sentence)


def _wanted(order: InstallOptions, layout: Layout, installed: Installed, machine: Machine) -> Wanted:
    """Also checks the instance's configuration. Raises ConfigError."""
    instance = order.instance or order.profile
    config = layout.config(instance)
    settings = load_config(config) if config in installed.configs else profile(order.profile)
    _check_models(settings, layout.shown(config))
    bundles = dict.fromkeys(model.bundle for model in settings.listening if not model.is_file)
    return Wanted(
        instance=instance,
        config=config_text(order.profile),
        bundles=tuple(bundles),
        start=order.start,
        python=sys.executable,
        bits=machine.bits,
        systemd=machine.systemd,
    )


def _check_models(settings: Settings, config: str) -> None:
    missing = missing_models(settings, shipped_bundles())
    if missing:
        raise ConfigError(f"{config}: {missing_sentence(settings, missing)}")


def config_text(profile_name: str) -> str:
    """A first configuration: a profile, and below it every key, commented out, with its meaning and default."""
    head = "# Auricle's configuration. What is commented out is the default; auricle check tries what stands here."
    lines = "\n".join([head, "", *example_lines(profile(profile_name)), ""])
    return lines.replace(f'# profile = "{profile_name}"\n', f'profile = "{profile_name}"\n', 1)


@contextmanager
def _alone(layout: Layout, *, dry_run: bool) -> Iterator[None]:
    """Nobody else changes this root meanwhile; the lock goes with the process, however it ends."""
    handle = os.open(layout.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not dry_run:
            _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ServiceError("another auricle install or uninstall is at work here: wait for it to end") from error
