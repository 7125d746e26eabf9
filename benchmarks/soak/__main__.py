"""A night of sound through the real daemon: memory, threads, processes and files stay flat, or this says so.

    make soak                       (or: python -m benchmarks.soak [--hours 8] [--reopenings 3000] [--real-hours 0])

Lives of the daemon process, each watched from outside as an administrator would, in /proc;
the first two hear as fast as they can:

    changing    short recordings of every kind one after the other (cries, rooms, speech, lungs, deaf microphones,
                fragments), each at another rate: thousands of events, faults, gaps and changes of rate
    room        hours in one room without a break, with a cry now and then
    reopened    a microphone whose capture process dies, hangs and talks nonsense again and again
    server      (--real-hours) a real PulseAudio at real pace, killed and started again every ten minutes

Exit code 1 where something grew. The recordings are looked for in ../shared/data.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.soak.growth import table
from benchmarks.soak.lives import changing, reopened, room, server


def main() -> int:
    """Live through the night and print what it cost; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=8.0, help="of sound in each accelerated life (default: 8)")
    parser.add_argument("--reopenings", type=int, default=3000, help="of the microphone (default: 3000)")
    parser.add_argument("--real-hours", type=float, default=0.0, help="on a real sound server (default: none)")
    given = parser.parse_args()
    lives = [changing(given.hours), room(given.hours), reopened(given.reopenings)]
    if given.real_hours:
        lives.append(server(given.real_hours))
    print(table(lives))
    for life in lives:
        for complaint in life.complaints():
            print(f"{life.name}: {complaint}")
    return 1 if any(life.complaints() for life in lives) else 0


if __name__ == "__main__":
    sys.exit(main())
