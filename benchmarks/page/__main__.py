"""Measures the page's process: its start, memory and CPU, and whether a flood of requests delays the daemon's alarms.

    make bench                             (or: python -m benchmarks.page [--minutes 5] [--flood])

Daemon, broker and page are the real ones. Start and memory stand beside a process that serves one line with the same
Starlette and uvicorn; both take turns. CPU is that of the page's processes with five pages open, each reading the
stream of events as a browser does, and with none, by turns; then with one who listens in, and with none. For the flood
the daemon is that of benchmarks.alarms: its microphone's samples are captured at known times, and its journal is full
and synced. The delay runs from the last sample of the deciding window to PUBACK. Stretches with a flood and without
take turns.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from pathlib import Path

from benchmarks.page.flooded_alarms import flooded_delays, print_delays
from benchmarks.page.page_cost import page_costs, print_costs

STRETCH_S = 30.0


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.page", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="of cries, half of them flooded (default: 5)")
    parser.add_argument("--starts", type=int, default=5, help="of the page and of the bare process (default: 5)")
    parser.add_argument("--stretches", type=int, default=3, help="of CPU with pages, and as many without (default: 3)")
    parser.add_argument("--flood", action="store_true", help="only measure alarms while the page is flooded")
    given = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    if not given.flood:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            costs = page_costs(Path(folder), starts=given.starts, stretches=given.stretches, stretch_s=STRETCH_S)
        print_costs(costs)
        print()
    pairs = max(1, round(60.0 * given.minutes / (2 * STRETCH_S)))
    print_delays(*flooded_delays(stretches=pairs, stretch_s=STRETCH_S))


if __name__ == "__main__":
    main()
