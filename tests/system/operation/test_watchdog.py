"""The daemon's messages to systemd: ready in any case, alive while its pipeline works, and none once it hangs.

The tests of the main loop simulate an hour without a microphone on an injected clock; here 20 s pass for real.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from device.daemon.watchdog import STILL_S
from tests.system.conftest import NotifySocket, PulseCard
from tests.system.running_daemon import RATE_HZ, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from device.runtime.daemon_state import DaemonState

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
WATCHDOG_S = 4.0
GONE_S = 20.0
CONFIG = f"""
[microphone]
device = "fakemic"
sample_rate_hz = {RATE_HZ}
"""


class Watched:
    """A daemon, and a thread that receives its messages as systemd would.

    Args:
        folder: for this daemon; created here.
        card: from which it captures.
        command: in front of `--config FILE`; None for `auricle listen`.
    """

    def __init__(self, folder: Path, card: PulseCard, command: Sequence[str] | None = None) -> None:
        folder.mkdir()
        self._socket = NotifySocket(folder)
        watchdog = {**self._socket.environment, "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6))}
        self.daemon = RunningDaemon(folder, {**card.environment, **watchdog}, CONFIG, command=command)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._hear, name="service manager")

    def __enter__(self) -> Self:
        self._thread.start()
        self.daemon.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.daemon.kill()
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def wait_until_ready(self) -> None:
        self.daemon.wait_until(lambda: self.times_of("READY=1"), "READY=1", UP_WITHIN_S)

    def times_of(self, line: str) -> list[float]:
        """When it sent this message, in monotonic seconds."""
        return [at_s for at_s, said in list(self._socket.received) if said == line]

    def _hear(self) -> None:
        while not self._ended.wait(0.01):
            self._socket.collect()


@dataclass(slots=True)
class Story:
    """When each fault happened, in monotonic seconds, and the messages and faults until then."""

    ready_s: float = 0.0
    ready_status: DaemonState | None = None
    hung_s: float = 0.0
    unplugged_s: float = 0.0
    end_s: float = 0.0
    hung_status: DaemonState | None = None
    fed: dict[str, list[float]] = field(default_factory=dict)


@pytest.fixture(scope="class")
def story() -> Iterator[Story]:
    """Three daemons in parallel: one loses its microphone, one has a hanging main loop, one a hanging source."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as name, ExitStack() as opened:
        folder = Path(name)
        trigger = folder / "hang"
        cards = [_card(folder / part, opened) for part in ("plugged", "unplugged")]
        script = [sys.executable, str(HERE / "hanging_daemon.py")]
        cards[1].unplug()
        lonely = opened.enter_context(Watched(folder / "a", cards[1]))
        loop = opened.enter_context(Watched(folder / "b", cards[0], [*script, "loop", str(trigger)]))
        source = opened.enter_context(Watched(folder / "c", cards[0], [*script, "source", str(trigger)]))
        yield _lived(cards, lonely=lonely, loop=loop, source=source, trigger=trigger)


def _card(folder: Path, opened: ExitStack) -> PulseCard:
    folder.mkdir()
    card = PulseCard(folder)
    opened.callback(card.stop)
    card.start()
    return card


def _lived(cards: Sequence[PulseCard], *, lonely: Watched, loop: Watched, source: Watched, trigger: Path) -> Story:
    plugged, unplugged = cards
    room = Sounds(trigger.parent).endless_room()
    told = Story()
    plugged.play(room)
    for watched in (lonely, loop, source):
        watched.wait_until_ready()
    told.ready_s, told.ready_status = time.monotonic(), lonely.daemon.status()
    unplugged.plug()
    unplugged.play(room)
    for watched in (lonely, loop, source):
        watched.daemon.wait_until_it_hears()
    time.sleep(WATCHDOG_S)
    told.hung_s = told.unplugged_s = time.monotonic()
    trigger.touch()
    unplugged.unplug()
    time.sleep(GONE_S)
    told.end_s = time.monotonic()
    told.hung_status = loop.daemon.status()
    told.fed = {
        name: watched.times_of("WATCHDOG=1")
        for name, watched in {"lonely": lonely, "loop": loop, "source": source}.items()
    }
    assert "microphone" in {fault.kind for fault in _status(lonely).faults}
    return told


def _status(watched: Watched) -> DaemonState:
    state = watched.daemon.status()
    assert state is not None
    return state


def assert_fed(times_s: Sequence[float], from_s: float, to_s: float) -> None:
    """The watchdog was fed often enough for systemd, all the time."""
    moments_s = [from_s, *(at_s for at_s in times_s if from_s < at_s < to_s), to_s]
    assert max(after - before for before, after in pairwise(moments_s)) < WATCHDOG_S


class TestWatchdog:
    def test_ready_is_said_without_any_microphone(self, story: Story) -> None:
        assert story.ready_status is not None
        assert not story.ready_status.hearing
        assert story.ready_status.sample_rate_hz is None

    def test_it_is_fed_while_all_is_well(self, story: Story) -> None:
        for times_s in story.fed.values():
            assert_fed(times_s, story.ready_s, story.hung_s)

    def test_it_is_fed_on_while_the_microphone_is_gone(self, story: Story) -> None:
        assert_fed(story.fed["lonely"], story.unplugged_s, story.end_s)

    def test_a_main_loop_that_hangs_feeds_it_no_more_though_other_threads_live(self, story: Story) -> None:
        assert max(story.fed["loop"]) < story.hung_s + 1.0  # the current turn, on a busy machine
        assert story.hung_status is not None
        assert story.hung_status.hangs

    def test_a_source_that_hangs_lets_it_starve(self, story: Story) -> None:
        assert max(story.fed["source"]) < story.hung_s + STILL_S + 2.0 < story.end_s
