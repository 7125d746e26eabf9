"""`auricle history`: the alarms that the journals hold, as text for people or as CSV for programs."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from device.alarms.journal.alarm_changes import read_changes
from device.config.loading import load_config
from device.config.profiles import DEFAULT_PROFILE
from device.errors import JournalError
from device.printable import printable
from device.runtime.clocks import zone_of
from device.runtime.paths import (
    SYSTEM_STATE,
    checked_instance,
    instance_journal,
    instance_name,
    journal_file,
    journal_files,
)
from device.tools.history.history_csv import write_csv
from device.tools.history.history_lines import history_lines
from device.tools.history.since_time import since_time

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from datetime import tzinfo
    from typing import TextIO


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What to show.

    Attributes:
        instance: of one daemon; None for all.
        config: of one daemon, instead of its name.
        since: see `since_time`.
        as_csv: every change as CSV, instead of text.
    """

    instance: str | None = None
    config: str | None = None
    since: str | None = None
    as_csv: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle history`."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--instance", metavar="NAME", help="one daemon (default: all that keep a journal here)")
    chosen.add_argument("--config", metavar="FILE", help="the daemon of this configuration, and its time zone")
    parser.add_argument("--since", metavar="WHEN", help="22:00, or 2026-11-21T22:00 (default: 24 hours ago)")
    parser.add_argument("--csv", action="store_true", help="every change of every alarm, as CSV")


def run(arguments: argparse.Namespace) -> int:
    """Run `auricle history`; returns exit code 0. Raises what `show_history` raises."""
    options = HistoryOptions(
        instance=arguments.instance, config=arguments.config, since=arguments.since, as_csv=arguments.csv
    )
    return show_history(options, sys.stdout)


def show_history(
    options: HistoryOptions, out: TextIO, *, environment: Mapping[str, str] = os.environ, now_utc_s: float | None = None
) -> int:
    """Print what the journals hold; returns exit code 0.

    Args:
        options: what to show.
        out: where it is printed.
        environment: names the user's folders.
        now_utc_s: current time of day; None to read the clock.

    Raises:
        ConfigError: the time, or the name, is not valid.
        JournalError: there is no journal, or it cannot be read.
    """
    zone, paths = _zone_and_journals(options, environment)
    now = datetime.fromtimestamp(time.time() if now_utc_s is None else now_utc_s, UTC)
    since_utc_s = since_time(options.since, now, zone).timestamp()
    changes = [change for path in paths for change in read_changes(path, since_utc_s)]
    if options.as_csv:
        write_csv(changes, zone, out)
        return 0
    for line in history_lines(changes, zone):
        print(line, file=out)
    return 0


def _zone_and_journals(options: HistoryOptions, environment: Mapping[str, str]) -> tuple[tzinfo | None, list[Path]]:
    """The zone of the times that are shown, None for the machine's own; and the journals' files."""
    if options.config is not None:
        return _of_config(options.config, environment)
    if options.instance is not None:
        return None, [instance_journal(checked_instance(options.instance), environment)]
    found = list(journal_files(environment).values())
    if not found:
        raise JournalError(
            f"no journal is kept here, neither in {SYSTEM_STATE} nor in {journal_file('NAME', environment)}; "
            "name the configuration with --config"
        )
    return None, found


def _of_config(config: str, environment: Mapping[str, str]) -> tuple[tzinfo | None, list[Path]]:
    settings = load_config(config)
    name = instance_name(None, config=config, profile=DEFAULT_PROFILE)
    if settings.journal.file is None:
        raise JournalError(f'{printable(config)} keeps no journal: [journal] has file = "off"')
    zone = zone_of(settings.alarms.time_zone)
    is_default = settings.journal.file == "auto"
    return zone, [instance_journal(name, environment) if is_default else Path(settings.journal.file)]
