"""`auricle uninstall`: its options on the command line, and the removal that they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from device.tools.install.layout import read_installed
from device.tools.install.plan import plan_uninstall
from device.tools.install.steps import run_command
from device.tools.install.supported_machine import missing_root_reason, this_machine
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

    from device.tools.install.steps import Runner


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle uninstall`."""
    parser.add_argument("--purge", action="store_true", help="configurations and logs too")
    add_root_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run `auricle uninstall`; returns exit code 0. Raises what `uninstall` raises."""
    return uninstall(root=Path(arguments.root), purge=arguments.purge, dry_run=arguments.dry_run)


def uninstall(
    *, root: Path = MACHINE_ROOT, purge: bool = False, dry_run: bool = False, runner: Runner = run_command
) -> int:
    """Stop and remove everything, but configuration and state unless `purge`; returns exit code 0.

    Args:
        root: of the machine, or of a tree that is prepared for one.
        purge: remove configuration and state too.
        dry_run: print the plan, change nothing.
        runner: runs the plan's commands.

    Raises:
        ServiceError: an instance does not stop.
        OSError: a file cannot be removed.
    """
    layout = layout_below(root)
    with exclusive_access(layout, dry_run=dry_run):
        machine = this_machine(layout)
        refuse(None if dry_run else missing_root_reason(machine, "uninstall"))
        steps = plan_uninstall(layout, read_installed(layout), purge=purge, has_systemd=machine.has_systemd)
        execute(steps, runner, dry_run=dry_run)
    return 0
