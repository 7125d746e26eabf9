"""`auricle install` and its `--rollback`: reads what is installed, refuses or plans, and executes the plan."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from device.config.example import example_lines
from device.config.loading import load_config, profile
from device.config.profiles import DEFAULT_PROFILE
from device.config.settings import missing_models, missing_sentence
from device.errors import ConfigError
from device.runtime.model_library import shipped_bundles
from device.tools.install.layout import read_installed, read_systemd_files
from device.tools.install.origin import default_origin, read_origin
from device.tools.install.plan import InstallRequest, plan_install, plan_rollback
from device.tools.install.steps import Note, run_command
from device.tools.install.supported_machine import (
    best_effort_note,
    missing_root_reason,
    this_machine,
    unsupported_reason,
)
from device.tools.install.target_root import (
    MACHINE_ROOT,
    add_root_options,
    exclusive_access,
    execute,
    layout_below,
    refuse,
)

if TYPE_CHECKING:
    import argparse

    from device.config.settings import Settings
    from device.tools.install.layout import Installed, Layout
    from device.tools.install.steps import Runner
    from device.tools.install.supported_machine import HostMachine


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """What to install.

    Attributes:
        profile: of the instance's first configuration.
        instance: name of the daemon; None for the profile's name.
        origin: wheel or checkout; None for where the running Auricle came from.
        start: start the instance now and at boot.
    """

    profile: str = DEFAULT_PROFILE
    instance: str | None = None
    origin: Path | None = None
    start: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle install`."""
    parser.add_argument("--profile", metavar="NAME", help="of a first configuration (default: nursery)")
    parser.add_argument("--instance", metavar="NAME", help="name of the daemon (default: that of the profile)")
    parser.add_argument(
        "--from", metavar="PATH", dest="origin", help="wheel or checkout (default: where this one is from)"
    )
    parser.add_argument("--no-start", action="store_true", help="lay it down, but do not start it")
    parser.add_argument("--rollback", action="store_true", help="go back to the version before; again, and forward")
    add_root_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run `auricle install`; returns exit code 0. Raises what `install` or `rollback` raises."""
    root = Path(arguments.root)
    if arguments.rollback:
        if arguments.profile or arguments.instance or arguments.origin or arguments.no_start:
            raise ConfigError("--rollback goes back to what was there; it takes only --root and --dry-run")
        return rollback(root=root, dry_run=arguments.dry_run)
    options = InstallOptions(
        profile=arguments.profile or DEFAULT_PROFILE,
        instance=arguments.instance,
        origin=Path(arguments.origin) if arguments.origin else None,
        start=not arguments.no_start,
    )
    return install(options, root=root, dry_run=arguments.dry_run)


def install(
    options: InstallOptions, *, root: Path = MACHINE_ROOT, dry_run: bool = False, runner: Runner = run_command
) -> int:
    """Install Auricle, or upgrade what is installed; returns exit code 0.

    Args:
        options: what to install.
        root: of the machine, or of a tree that is prepared for one.
        dry_run: print the plan, change nothing.
        runner: runs the plan's commands.

    Raises:
        ConfigError: the instance has a configuration that is not valid; nothing was changed.
        ServiceError: this machine cannot run Auricle, or a step failed; what ran before continues to run.
        OSError: a file cannot be written.
    """
    layout = layout_below(root)
    with exclusive_access(layout, dry_run=dry_run):
        machine, installed = this_machine(layout), read_installed(layout)
        origin = read_origin(options.origin or default_origin())
        refuse(unsupported_reason(machine, builds=origin.name not in installed.versions))
        refuse(None if dry_run else missing_root_reason(machine, "install"))
        note = best_effort_note(machine)
        notes = (Note(note),) if note else ()
        steps = plan_install(layout, installed, origin, _request(options, layout, installed, machine))
        execute((*notes, *steps), runner, dry_run=dry_run)
    return 0


def rollback(*, root: Path = MACHINE_ROOT, dry_run: bool = False, runner: Runner = run_command) -> int:
    """Switch the current and the previous version, and restart the running instances; returns exit code 0.

    Raises:
        ServiceError: there is no previous version, or it cannot run here.
        OSError: a file cannot be written.
    """
    layout = layout_below(root)
    with exclusive_access(layout, dry_run=dry_run):
        machine, installed = this_machine(layout), read_installed(layout)
        refuse(None if dry_run else missing_root_reason(machine, "install --rollback"))
        files = read_systemd_files(layout.versions / installed.previous) if installed.previous else {}
        execute(plan_rollback(layout, installed, files, has_systemd=machine.has_systemd), runner, dry_run=dry_run)
    return 0


def _request(options: InstallOptions, layout: Layout, installed: Installed, machine: HostMachine) -> InstallRequest:
    """The request that the options make; raises ConfigError if the configuration of the instance is not valid."""
    instance = options.instance or options.profile
    config = layout.config(instance)
    settings = load_config(config) if config in installed.configs else profile(options.profile)
    _check_models(settings, layout.target_path(config))
    bundles = dict.fromkeys(model.bundle for model in settings.listening if not model.is_file)
    return InstallRequest(
        instance=instance,
        config=config_text(options.profile),
        bundles=tuple(bundles),
        start=options.start,
        python=sys.executable,
        bits=machine.bits,
        has_systemd=machine.has_systemd,
    )


def _check_models(settings: Settings, config: str) -> None:
    missing = missing_models(settings, shipped_bundles())
    if missing:
        raise ConfigError(f"{config}: {missing_sentence(settings, missing)}")


def config_text(profile_name: str) -> str:
    """Text of a first configuration: the profile, then every key commented out, with its meaning and default."""
    head = "# Auricle's configuration. What is commented out is the default; auricle check tries what stands here."
    lines = "\n".join([head, "", *example_lines(profile(profile_name)), ""])
    return lines.replace(f'# profile = "{profile_name}"\n', f'profile = "{profile_name}"\n', 1)
