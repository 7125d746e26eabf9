"""`auricle pins-low`: drives the configured pins low, which a daemon that was killed may have left high."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.config.loading import load_config
from device.config.profiles import DEFAULT_PROFILE
from device.errors import ServiceError
from device.runtime.paths import instance_name, runtime_folder
from device.sinks.gpio.pins import drive_low

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle pins-low`."""
    parser.add_argument("--config", metavar="FILE", required=True, help="the daemon's TOML file")
    parser.add_argument("--instance", metavar="NAME", help="name of the daemon (default: that of the file)")


def run(arguments: argparse.Namespace) -> int:
    """Drive the pins low; returns exit code 0, also if no pin is configured.

    Raises:
        ConfigError: the file, or the instance's name, is not valid.
        ServiceError: a pin cannot be driven.
    """
    instance = instance_name(arguments.instance, config=arguments.config, profile=DEFAULT_PROFILE)
    problem = drive_low(load_config(arguments.config).gpio, work_folder=runtime_folder(instance))
    if problem is not None:
        raise ServiceError(problem)
    return 0
