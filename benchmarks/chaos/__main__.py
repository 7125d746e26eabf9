"""Everything that can be taken from the daemon is, at random moments; no alarm that it owed may be lost.

    make chaos           (or: python -m benchmarks.chaos [--killed 500] [--rounds 25] [--seed 1] [--only NAME ...])

A real daemon hears an infant cry every few seconds, at many times the pace of real time, and tells a real mosquitto.
A subscriber that never leaves, on a socket that no fault touches, keeps all that comes. Faults:

    killed               kill -9 of the daemon at any moment, the broker down for a while at any moment
    broker killed        kill -9 of the broker, which comes back
    broker frozen        it is stopped and lets nobody know (SIGSTOP)
    network cut          packets between daemon and broker vanish, without a reset; root
    login refused        the broker does not know the password any more, for a while
    disk full            the journal's disk has no byte left; root
    disk read-only       it cannot be written when the daemon starts; root
    disk stalled         no fsync returns, for up to 8 s
    journal damaged      pages of the journal are overwritten between two lives
    clock stepped        by up to an hour, either way, several times
    delivery hung        nobody takes what the daemon prints, for as long as it lives

In half of the rounds of each the daemon is killed as well. What must arrive: every change of an alarm that the journal
held at any time, and every one that was published without `not_durable`; where the daemon lived through it, every
change that it decided. Copies must not contradict each other. What a damaged journal says that it lost, nobody can ask
for: that is counted apart.

A round's choices come of its seed, which is printed: `--only killed --seed 1.3` repeats the fourth lot of 25. When
things happen is up to the machine. Exit code 1 where an alarm was lost.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.chaos.faults import FAULTS, Killed
from benchmarks.chaos.lots import Lot, lots_of, table, try_lot

if TYPE_CHECKING:
    from collections.abc import Iterator

_PRIVATE = "AURICLE_CHAOS_PRIVATE"


def main() -> int:
    """Try all faults and print what became of the alarms; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--killed", type=int, default=500, help="rounds of the daemon's death (default: 500)")
    parser.add_argument("--rounds", type=int, default=25, help="of every other fault, the slow ones less (default: 25)")
    parser.add_argument("--seed", default="1", help="of all choices (default: 1); 1.3 is the fourth lot of 1 alone")
    names = [fault.name for fault in FAULTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="FAULT", help="of the list above")
    given = parser.parse_args()
    _enter_namespaces()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is ended even so
    lots = list(_tried(given))
    print(f"\n{table(lots)}")
    return 0 if all(lot.judgement.holds for lot in lots) else 1


def _tried(given: argparse.Namespace) -> Iterator[Lot]:
    for kind in FAULTS:
        if kind.name not in given.only:
            continue
        if kind.needs_root and _PRIVATE not in os.environ:
            print(f"{kind.name}: not tried, it takes root and namespaces", flush=True)
            continue
        rounds = given.killed if kind is Killed else max(1, round(kind.share * given.rounds))
        for seed, size in lots_of(str(given.seed), rounds):
            lot = try_lot(kind(), size, seed)
            print(lot, flush=True)
            yield lot


def _enter_namespaces() -> None:
    """Begin again with a network and mounts that are nobody else's, where that is allowed."""
    if _PRIVATE in os.environ or os.geteuid() != 0:
        return
    inside = ["unshare", "--net", "--mount", "--propagation", "private"]
    up = 'ip link set lo up && exec "$@"'
    if subprocess.run([*inside, "sh", "-c", "ip link set lo up"], capture_output=True, check=False).returncode == 0:
        os.environ[_PRIVATE] = "1"
        os.execvp(inside[0], [*inside, "sh", "-c", up, "sh", sys.executable, "-m", "benchmarks.chaos", *sys.argv[1:]])  # noqa: S606 - no shell is meant


if __name__ == "__main__":
    sys.exit(main())
