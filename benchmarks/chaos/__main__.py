"""Injects faults into a running daemon at random moments; no alarm that it owed may be lost.

    make chaos           (or: python -m benchmarks.chaos [--killed 500] [--rounds 25] [--seed 1] [--only NAME ...])

A real daemon hears an infant cry every few seconds, at many times the pace of real time, and publishes to a real
mosquitto. A subscriber on a socket that no fault touches keeps every message. Faults:

    killed               kill -9 of the daemon at any moment, the broker down for a while at any moment
    broker killed        kill -9 of the broker, which comes back
    broker frozen        the broker hangs (SIGSTOP)
    network cut          packets between daemon and broker vanish, without a reset; root
    login refused        the broker refuses the password for a while
    disk full            the journal's disk has no free byte; root
    disk read-only       the disk is read-only when the daemon starts; root
    disk stalled         no fsync returns, for up to 8 s
    journal damaged      pages of the journal are overwritten between two runs of the daemon
    clock stepped        the time of day jumps by up to an hour, several times
    delivery hung        nobody reads what the daemon prints

In half of the rounds the daemon is killed as well. What must arrive: every change of an alarm that the journal held at
any time, and every change that was published without `not_durable`; if the daemon was not killed, every change that it
decided. Copies of one change must agree. What the daemon reports as lost by a damaged journal is counted apart.

The random choices follow from the seed, which is printed: `--only killed --seed 1.3` repeats the fourth batch of 25.
Their timing still depends on the machine. Exit code 1 if an alarm was lost.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.chaos.batches import Batch, run_batch, seeds_and_sizes, table
from benchmarks.chaos.faults import FAULTS, Killed

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRIVATE = "AURICLE_CHAOS_PRIVATE"


def main() -> int:
    """Run all faults and print what became of the alarms; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--killed", type=int, default=500, help="rounds of the daemon's death (default: 500)")
    parser.add_argument("--rounds", type=int, default=25, help="of every other fault, the slow ones less (default: 25)")
    parser.add_argument("--seed", default="1", help="of all choices (default: 1); 1.3 is the fourth batch of 1 alone")
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="FAULT", help="of the list above")
    given = parser.parse_args()
    _enter_namespaces()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # so that context managers end what was started
    batches = list(_run_all(given))
    print(f"\n{table(batches)}")
    return 0 if all(batch.judgement.holds for batch in batches) else 1


def _run_all(given: argparse.Namespace) -> Iterator[Batch]:
    for kind in FAULTS:
        if kind.name not in given.only:
            continue
        if kind.needs_root and _PRIVATE not in os.environ:
            print(f"{kind.name}: not tried, it needs root and namespaces", flush=True)
            continue
        rounds = given.killed if kind is Killed else max(1, round(kind.share * given.rounds))
        for seed, size in seeds_and_sizes(str(given.seed), rounds):
            batch = run_batch(kind(), size, seed)
            print(batch, flush=True)
            yield batch


def _enter_namespaces() -> None:
    """Start again with private network and mount namespaces, if that is allowed."""
    if _PRIVATE in os.environ or os.geteuid() != 0:
        return
    inside = ["unshare", "--net", "--mount", "--propagation", "private"]
    up = 'ip link set lo up && exec "$@"'
    if subprocess.run([*inside, "sh", "-c", "ip link set lo up"], capture_output=True, check=False).returncode == 0:
        os.environ[_PRIVATE] = "1"
        os.execvp(inside[0], [*inside, "sh", "-c", up, "sh", sys.executable, "-m", "benchmarks.chaos", *sys.argv[1:]])  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    sys.exit(main())
