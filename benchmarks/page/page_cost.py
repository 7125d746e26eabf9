"""Memory and start of the page's process beside a bare one, and its CPU with pages open, with a listener and none."""

from __future__ import annotations

import contextlib
import http.client
import socket
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.alarms.load import ROOT
from benchmarks.page.listeners import Listener
from benchmarks.page.open_pages import OpenPages
from benchmarks.soak.proc import cpu_s, family, memory_kib
from device.errors import ServiceError
from device.web.access.accounts import Account, write_accounts
from device.web.access.proofs import new_token, token_proof
from tests.system.conftest import Mosquitto
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds
from tests.system.web_process import UP_WITHIN_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    Command = Callable[[RunningDaemon, int], list[str]]

PAGES = 5
KINDS = ("Rss", "Pss")
_POLL_S = 0.005


class Started(NamedTuple):
    """A process that has just answered.

    Attributes:
        seconds: from its start to its first answer.
        memory_mb: by kind, of all its processes.
    """

    seconds: float
    memory_mb: Mapping[str, float]


class Spent(NamedTuple):
    """CPU of a stretch of time, as shares of one core.

    Attributes:
        pages: how many were open.
        page: of the page's processes.
        daemon: of the daemon's.
        listeners: how many listened in.
    """

    pages: int
    page: float
    daemon: float
    listeners: int = 0


class Costs(NamedTuple):
    """What was measured.

    Attributes:
        bare: each start of the bare process.
        page: each start of the page; they took turns with those of the bare process.
        later_mb: memory of the page after it has served, by kind.
        daemon_mb: memory of the daemon, by kind.
        spent: each stretch, with pages and without by turns.
        listening: each stretch, with one who listens in and without by turns; no page is open.
    """

    bare: Sequence[Started]
    page: Sequence[Started]
    later_mb: Mapping[str, float]
    daemon_mb: Mapping[str, float]
    spent: Sequence[Spent]
    listening: Sequence[Spent]


def page_costs(folder: Path, *, starts: int, stretches: int, stretch_s: float) -> Costs:
    """Measure the page of a daemon that hears a recording at real pace and publishes to a broker.

    Args:
        folder: for daemon, page and broker.
        starts: of each process.
        stretches: of CPU with pages, and as many without; likewise with a listener.
        stretch_s: length of each.

    Raises:
        ServiceError: a process did not answer, or a page was sent nothing.
    """
    broker, sounds = Mosquitto(folder), Sounds(folder)
    night = sounds.write("night.wav", [sounds.room(55.0), sounds.crying(5.0)])
    command = [str(AURICLE), "listen", "--source", str(night), "--loop"]
    broker.start()
    try:
        text = f'profile = "nursery"\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n[web]\nlisten_in = true\n'
        with RunningDaemon(folder, {}, text, command=command) as daemon:
            daemon.wait_until_it_hears()
            turns = [(_started(daemon, _bare), _started(daemon, _page)) for _ in range(starts)]
            bare, page = zip(*turns, strict=True)
            with _serving(daemon, _page) as (port, pid, _):
                time.sleep(stretch_s)  # the cost of starting is over
                spent = [_spent(pages, port, (pid, daemon.process.pid), stretch_s) for pages in [0, PAGES] * stretches]
                memory_mb = _memory_mb(pid), _memory_mb(daemon.process.pid)
            return Costs(bare, page, *memory_mb, spent, _listened(daemon, stretches, stretch_s))
    finally:
        broker.kill()


def print_costs(costs: Costs) -> None:
    """Print the tables."""
    print("| start and memory | to the first answer | RSS | PSS |\n|---|---:|---:|---:|")
    for name, starts in (("Starlette and uvicorn alone", costs.bare), ("`auricle web`", costs.page)):
        print(f"| {name} | {_seconds(starts):.2f} s | {_row(_middle(starts))} |")
    print(f"| `auricle web` after {PAGES} pages were open | - | {_row(costs.later_mb)} |")
    print(f"| the daemon | - | {_row(costs.daemon_mb)} |")
    ratios = [after.seconds / before.seconds for before, after in zip(costs.bare, costs.page, strict=True)]
    memory = [_middle(costs.page)[kind] / _middle(costs.bare)[kind] for kind in KINDS]
    print(f"| `auricle web`, of Starlette and uvicorn alone = 1 | {statistics.median(ratios):.1f} |", end="")
    print(f" {memory[0]:.1f} | {memory[1]:.1f} |")
    print("\n| pages open | CPU of the page, of one core | of the daemon's = 1 |\n|---|---:|---:|")
    for pages in (0, PAGES):
        page, daemon = (
            statistics.fmean(getattr(each, who) for each in costs.spent if each.pages == pages)
            for who in ("page", "daemon")
        )
        print(f"| {pages} | {100 * page:.1f} % | {page / daemon:.2f} |")
    print("\n| listen in | CPU of the page, of one core | of the daemon |\n|---|---:|---:|")
    for listeners in (0, 1):
        chosen = [each for each in costs.listening if each.listeners == listeners]
        shares = [100 * statistics.fmean(getattr(each, who) for each in chosen) for who in ("page", "daemon")]
        print(f"| {listeners} | {shares[0]:.1f} % | {shares[1]:.1f} % |")


def _row(memory_mb: Mapping[str, float]) -> str:
    return " | ".join(f"{memory_mb[kind]:.1f} MB" for kind in KINDS)


def _seconds(starts: Sequence[Started]) -> float:
    return statistics.median(each.seconds for each in starts)


def _middle(starts: Sequence[Started]) -> Mapping[str, float]:
    return {kind: statistics.median(each.memory_mb[kind] for each in starts) for kind in KINDS}


def _bare(_daemon: RunningDaemon, port: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.page.bare_page", str(port)]


def _page(daemon: RunningDaemon, port: int) -> list[str]:
    return _serve(daemon.config_path, port)


def _serve(config: Path, port: int) -> list[str]:
    return [str(AURICLE), "web", "--config", str(config), "--listen", f"127.0.0.1:{port}"]


@contextlib.contextmanager
def _serving(daemon: RunningDaemon, command: Command, *, path: str = "/") -> Iterator[tuple[int, int, float]]:
    """A process that serves: (its port, its process id, seconds from its start to its first answer)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    began_s = time.monotonic()
    with subprocess.Popen(
        command(daemon, port), env=daemon.environment, cwd=ROOT, stdout=subprocess.DEVNULL
    ) as process:
        try:
            while not _answers(port, path):
                if process.poll() is not None or time.monotonic() - began_s > UP_WITHIN_S:
                    raise ServiceError(f"{process.args!r} did not answer within {UP_WITHIN_S:g} s")
                time.sleep(_POLL_S)
            yield port, process.pid, time.monotonic() - began_s
        finally:
            process.kill()


def _answers(port: int, path: str) -> bool:
    """Whether a screen comes."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=5.0)
    with contextlib.closing(asking), contextlib.suppress(OSError, http.client.HTTPException):
        asking.request("GET", path)
        return asking.getresponse().status == 200
    return False


def _started(daemon: RunningDaemon, command: Command) -> Started:
    with _serving(daemon, command) as (_, pid, seconds):
        return Started(seconds, _memory_mb(pid))


def _memory_mb(pid: int) -> dict[str, float]:
    return {kind: sum(memory_kib(each, kind) for each in family(pid)) * 1024 / 1e6 for kind in KINDS}


def _spent(pages: int, port: int, pids: tuple[int, int], seconds: float) -> Spent:
    """What page and daemon spend while this many pages are open."""
    with OpenPages(port, pages):
        time.sleep(1.0)  # the pages have loaded
        page, daemon = _shares(pids, seconds)
    return Spent(pages, page, daemon)


def _listened(daemon: RunningDaemon, stretches: int, seconds: float) -> list[Spent]:
    """What a page with an account that may listen in, and the daemon spend while it does, and while it does not."""
    folder = daemon.config_path.parent / "listening"
    folder.mkdir()
    token, accounts = new_token(), folder / "accounts"
    write_accounts(accounts, [Account("player", "viewer", token_proof(token), may_listen=True)])
    config = folder / daemon.config_path.name  # of the same instance
    config.write_text(f'{daemon.config_path.read_text()}accounts_file = "{accounts}"\n')
    with _serving(daemon, lambda _, port: _serve(config, port), path="/login") as (port, pid, _):
        time.sleep(seconds)  # the cost of starting is over
        return [
            _spent_listening(listeners, port, token, (pid, daemon.process.pid), seconds)
            for listeners in [0, 1] * stretches
        ]


def _spent_listening(listeners: int, port: int, token: str, pids: tuple[int, int], seconds: float) -> Spent:
    if not listeners:
        return Spent(0, *_shares(pids, seconds))
    with Listener(port, token) as listener:
        time.sleep(1.0)  # the sound has begun
        page, daemon = _shares(pids, seconds)
        listener.check(seconds)
    return Spent(0, page, daemon, 1)


def _shares(pids: tuple[int, int], seconds: float) -> tuple[float, float]:
    """CPU of page and daemon from now on, as shares of one core."""
    began_s, before = time.monotonic(), [cpu_s(pid) for pid in pids]
    time.sleep(seconds)
    page, daemon = ((cpu_s(pid) - then) / (time.monotonic() - began_s) for pid, then in zip(pids, before, strict=True))
    return page, daemon
