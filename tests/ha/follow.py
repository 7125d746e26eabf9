"""Does a real Home Assistant follow a real daemon? What `make test-ha` runs; a table, and exit code 1 on any miss.

    python -m tests.ha.follow [--out build/ha]

A tree with a locked Home Assistant is made below `--out` once; household, broker, sound card and daemon are fresh each
time. Each row of the table is a claim that came true within its time, or did not: that every entity appears by itself,
follows an alarm, is available only while the daemon lives and hears, that the buttons reach the daemon, and all of it
again after a restart of the daemon, of Home Assistant, and of the broker. The automations are those of
docs/home-assistant.md, word for word. Needs root, mosquitto and PulseAudio; installs debootstrap if it is missing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.ha.claims import say
from tests.ha.house import make_tree
from tests.ha.household import CHECKOUT, household
from tests.ha.trials import try_all
from tests.system.debian import demand_debootstrap


def main() -> int:
    """Run all trials; the exit code is 1 on any miss."""
    given = _arguments()
    demand_debootstrap("make test-ha")
    began_s = time.monotonic()
    tree = make_tree(given.out.resolve())
    say(f"Home Assistant's tree: {time.monotonic() - began_s:.0f} s")
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder, household(tree, Path(folder)) as trial:
        try:
            try_all(trial, Path(folder))
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - any other failure is a miss too
            trial.table.expect(f"{type(error).__name__}: {error}", lambda: False, 0.0)
        if not trial.table.holds:
            say(f"Home Assistant said:\n{trial.house.log_path.read_text()[-3000:]}\nthe daemon: {trial.daemon!r}")
    say(f"{trial.table}, {time.monotonic() - began_s:.0f} s")
    return 0 if trial.table.holds else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", type=Path, default=CHECKOUT / "build" / "ha", help="where the tree is kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
