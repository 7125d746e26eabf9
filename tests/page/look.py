"""Is the page right in a real browser? What `make test-page` runs; a table, and exit code 1 on any miss.

    python -m tests.page.look --playwright build/playwright [--out build/page] [--open-for-s 60]

Chromium looks at the page of a real daemon that hears a sound card, writes its journal to a small disk and publishes to
a broker. Each row of the table is a claim that came true within its time, or did not. Pictures of every state, on a
phone and on a desktop, in light and dark, are written to `--out`: look at them. Needs root, for a disk that can be
filled.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.ha.claims import Table, say
from tests.page.bedroom import bedroom
from tests.page.browser import chromium
from tests.page.plan import TRIALS, try_all
from tests.page.trials import Trial

CHECKOUT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run all trials; the exit code is 1 on any miss."""
    given = _arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    table = Table()
    with (
        tempfile.TemporaryDirectory(prefix="auricle-") as folder,
        bedroom(Path(folder)) as room,
        chromium(given.playwright.resolve(), Path(folder)) as browser,
    ):
        try:
            try_all(Trial(room, browser, table, given.out, given.open_for_s), given.only)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - any other failure is a miss too
            table.expect(f"{type(error).__name__}: {error}", lambda: False, 0.0)
        if not table.holds:
            say(f"the page said: {room.page.printed_path.read_text()[-2000:]}\nthe daemon: {room.daemon!r}")
    say(f"{table}, {time.monotonic() - began_s:.0f} s; the pictures are in {given.out}")
    return 0 if table.holds else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--playwright", type=Path, required=True, help="where Playwright and axe are installed")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "build" / "page", help="where the pictures are written")
    parser.add_argument("--open-for-s", type=float, default=60.0, help="how long twenty pages are open")
    names = [each.__name__ for each in TRIALS]
    parser.add_argument("--only", nargs="+", default=(), choices=names, help="these trials alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
