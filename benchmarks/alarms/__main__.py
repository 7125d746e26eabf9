"""Measures how soon a cry reaches the broker, and what its delivery costs: delay, bytes on the card, CPU, memory.

    make bench                             (or: python -m benchmarks.alarms [--minutes 5] [--rates 16000 48000])

The daemon is the real one, its journal is on a real disk and synced, mosquitto runs on the loopback. The microphone is
replaced by a source whose every sample is captured at a known time of CLOCK_MONOTONIC, in blocks of 50 ms; a cry comes
every few seconds, and a client acknowledges each alarm at once. The delay runs
from the last sample of the deciding window to PUBACK; it is counted from that sample's capture, and from the arrival
of the block that held it. The journal is as full as it may be, so that room has to be made for every entry.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path

import numpy as np

from benchmarks.alarms.drain import drain
from benchmarks.alarms.figures import costs, delays
from benchmarks.alarms.flood import flood
from benchmarks.alarms.load import run_daemon
from benchmarks.alarms.memory import memory
from benchmarks.alarms.stamped_daemon import stamped_daemon


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.alarms", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="of cries, for each rate")
    parser.add_argument("--rates", type=int, nargs="+", default=[16000, 48000], metavar="HZ", help="of the microphone")
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="of each flood, and until the daemon's memory is read"
    )
    parser.add_argument("--drain", action="store_true", help="only measure how fast a backlog leaves the journal")
    parser.add_argument("--flood", action="store_true", help="only measure alarms while commands flood the broker")
    parser.add_argument("--memory", action="store_true", help="only measure memory, and what holds it")
    parser.add_argument("--stamped", nargs=4, metavar=("FOLDER", "HZ", "QUIET", "SECONDS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stamped:
        folder, rate_hz, quiet_s, seconds = given.stamped
        print(json.dumps(stamped_daemon(Path(folder), int(rate_hz), float(quiet_s), float(seconds))))
        return
    if given.memory:
        memory(given.seconds)
        return
    if given.drain:
        drain()
        return
    if given.flood:
        flood(given.seconds)
        return
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}\n")
    runs = {rate_hz: run_daemon(rate_hz, 60.0 * given.minutes) for rate_hz in given.rates}
    delays(runs)
    print()
    costs(runs[given.rates[0]])
    print()
    drain()
    print()
    flood(given.seconds)
    print()
    memory(given.seconds)


if __name__ == "__main__":
    main()
