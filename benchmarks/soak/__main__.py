"""Plays a night of sound to the real daemon and reports whether memory, threads, processes and files stay flat.

    make soak                       (or: python -m benchmarks.soak [--hours 8] [--reopenings 3000] [--real-hours 0])

Runs of the daemon process, each measured from outside in /proc; the first two play as fast as possible:

    changing    short recordings of every kind one after the other (cries, rooms, speech, lungs, deaf microphones,
                fragments), each at another rate: thousands of events, faults, gaps and changes of rate
    room        hours in one room without a break, with a cry now and then
    reopened    a microphone whose capture process dies, hangs and writes nonsense again and again
    server      (--real-hours) a real PulseAudio at real pace, killed and started again every ten minutes

Exit code 1 if something grew. The recordings are read from ../shared/data.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.soak.growth import table
from benchmarks.soak.runs import changing, reopened, room, server


def main() -> int:
    """Run the night and print its figures; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=8.0, help="of sound in each accelerated run (default: 8)")
    parser.add_argument("--reopenings", type=int, default=3000, help="of the microphone (default: 3000)")
    parser.add_argument("--real-hours", type=float, default=0.0, help="on a real sound server (default: none)")
    given = parser.parse_args()
    runs = [changing(given.hours), room(given.hours), reopened(given.reopenings)]
    if given.real_hours:
        runs.append(server(given.real_hours))
    print(table(runs))
    for run in runs:
        for complaint in run.complaints():
            print(f"{run.name}: {complaint}")
    return 1 if any(run.complaints() for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
