"""The tables of delays and costs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

ALARMS_A_DAY = 24 * 60
SECONDS_A_DAY = 86400


def delays(runs: Mapping[int, dict[str, Any]]) -> None:
    """Print the delays from the last sample of the deciding window to PUBACK, stage by stage."""
    stages = ["captured", "arrived", "decided", "kept", "owed", "acknowledged"]
    pairs = [("captured", "acknowledged"), ("arrived", "acknowledged"), *itertools.pairwise(stages)]
    print("| ms from ... to ... | rate | changes | median | p99 | worst |\n|---|---:|---:|---:|---:|---:|")
    for first, last in pairs:
        for rate_hz, run in runs.items():
            delivered = [times for times in run["changes"] if "acknowledged" in times]
            waits = 1000 * np.array([times[last] - times[first] for times in delivered])
            middle, late = np.percentile(waits, [50, 99])
            figures = f"{len(delivered)} | {middle:.1f} | {late:.1f} | {waits.max():.1f}"
            print(f"| {first} to {last} | {rate_hz} | {figures} |")


def costs(run: dict[str, Any]) -> None:
    """Print bytes and CPU of a day with an alarm a minute, extrapolated from a quiet minute and the alarms after it."""
    begin, quiet, end = run["spent"]
    idle_s, busy_s = quiet["at_s"] - begin["at_s"], end["at_s"] - quiet["at_s"]
    alarms = (end["changes"] - quiet["changes"]) / 2  # each is raised and ended by a window

    def a_day(name: str) -> float:
        idle = (quiet[name] - begin[name]) / idle_s
        each = (end[name] - quiet[name] - idle * busy_s) / alarms
        return float(idle * SECONDS_A_DAY + each * ALARMS_A_DAY)

    commits, written = end["commits"] - quiet["commits"], end["written"] - quiet["written"]
    # A delivery is journalled with the next change if that comes within a minute, as it does at an alarm a minute.
    megabytes = written / alarms * ALARMS_A_DAY / 1e6
    rows = {
        "alarms measured": f"{alarms:.0f}, {commits / alarms:.1f} commits each",
        "written by one commit, a full journal's housekeeping included": f"{written / commits / 1e3:.1f} kB",
        "written in a day": f"{megabytes:.1f} MB",
        "CPU of a day: journal's thread": f"{a_day('journal_cpu_s'):.0f} s",
        "CPU of a day: broker's thread": f"{a_day('mqtt_cpu_s'):.0f} s",
        "CPU of a day: the main loop's part in alarms": f"{a_day('loop_cpu_s'):.0f} s",
        "CPU of a day: the whole process": f"{a_day('process_cpu_s'):.0f} s",
    }
    print("| one alarm a minute: raised, acknowledged, ended | figure |\n|---|---|")
    for name, figure in rows.items():
        print(f"| {name} | {figure} |")
