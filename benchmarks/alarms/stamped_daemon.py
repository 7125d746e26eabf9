"""The measured daemon, a process of its own that records when each change of an alarm passes each stage."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from benchmarks.alarms.cries import BLOCK_S, cut, sounds
from device.alarms.journal.database import Database
from device.alarms.machine import Machine
from device.daemon.alerting.controller import AlarmController
from device.daemon.app import Daemon
from device.daemon.delivery.alarm_publisher import AlarmPublisher
from device.daemon.delivery.journal_messages import CommitReceipt
from device.daemon.delivery.reply_queue import ReplyQueue
from device.daemon.options import ListenOptions
from device.messages import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from device.alarms.journal.entries import Key
    from device.alarms.journal.queries import Result
    from device.daemon.delivery.alarm_publisher import Broker
    from device.daemon.delivery.outbox import Change
    from device.daemon.delivery.reply_queue import Reply
    from device.messages import Event, Priority, Transition


@dataclass(slots=True)
class Stamps:
    """Times of CLOCK_MONOTONIC at which changes of alarms passed each stage.

    Attributes:
        arrived: (second of the stream, time) for the end of each block, oldest first.
        began_s: when sample 0 was captured.
        changes: by key, the time of each stage, for changes that a window decided.
        controller_cpu_s: CPU of the main loop in the alarm controller.
        commits: number of the journal's commits.
    """

    arrived: list[tuple[float, float]] = field(default_factory=list)
    began_s: float = 0.0
    changes: dict[Key, dict[str, float]] = field(default_factory=dict)
    controller_cpu_s: float = 0.0
    commits: int = 0

    def decided(self, transitions: Iterable[Transition]) -> None:
        """Record changes that a window has just decided."""
        for transition in transitions:
            if transition.event is None:
                continue
            stream_s, now_s = transition.event.decided_s, time.monotonic()
            arrived_s = next(at_s for end_s, at_s in self.arrived if end_s >= stream_s - 1e-9)
            times = {"captured": self.began_s + stream_s, "arrived": arrived_s, "decided": now_s}
            self.changes[transition.alarm.alarm_id, transition.seq] = times

    def passed(self, keys: Iterable[Key], stage: str) -> None:
        """Record that these have just reached a stage."""
        for key in keys:
            if key in self.changes:
                self.changes[key].setdefault(stage, time.monotonic())


STAMPS = Stamps()


class StampedMachine(Machine):
    """Records when it decides."""

    def event(self, event: Event, priority: Priority, now_s: float) -> list[Transition]:
        """Step, and record the decision."""
        transitions = super().event(event, priority, now_s)
        STAMPS.decided(transitions)
        return transitions


class StampedReplies(ReplyQueue):
    """Records when journal and broker have an entry."""

    def put(self, reply: Reply) -> None:
        """Record the stage, and pass it on."""
        if isinstance(reply, CommitReceipt):
            STAMPS.passed([entry.key for entry in reply.entries], "kept")
        super().put(reply)

    def acknowledged(self, key: Key) -> None:
        """Record the stage, and pass it on."""
        STAMPS.passed([key], "acknowledged")
        super().acknowledged(key)


class StampedPublisher(AlarmPublisher):
    """Records when the main loop hands over entries to publish."""

    def offer(self, broker: Broker, changes: Sequence[Change], generation: int) -> list[Key]:
        """Record the stage, and offer the changes."""
        STAMPS.passed([change.entry.key for change in changes], "owed")
        return super().offer(broker, changes, generation)


class StampedDatabase(Database):
    """Counts its commits."""

    def write(self, act: Callable[[Any], Result]) -> Result:
        """Count the commit, and write."""
        STAMPS.commits += 1
        return super().write(act)


class TimedSource:
    """A microphone whose every sample is captured at a known time: a room for a while, then cry after cry.

    Args:
        rate_hz: of the microphone.
        quiet_s: of the room.
        seconds: of cries.
    """

    def __init__(self, rate_hz: int, quiet_s: float, seconds: float) -> None:
        self._rate_hz = rate_hz
        self._block = round(rate_hz * BLOCK_S)
        self._room, self._cycle = sounds(rate_hz)
        self._quiet_s = quiet_s
        self._seconds = quiet_s + seconds
        self._closed = threading.Event()
        self.spent: list[dict[str, Any]] = []

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield each block when its last sample is captured, until the sound ends."""
        STAMPS.began_s = time.monotonic()
        quiet = round(self._quiet_s * self._rate_hz / self._block)
        for number in range(round(self._seconds * self._rate_hz / self._block)):
            if number in {quiet // 2, quiet}:  # the cost of starting is over by the first
                self.spent.append(_spent())
            end_s = (number + 1) * self._block / self._rate_hz
            if self._closed.wait(max(0.0, STAMPS.began_s + end_s - time.monotonic())):
                return
            STAMPS.arrived.append((end_s, time.monotonic()))
            del STAMPS.arrived[:-400]
            sound, place = (self._room, number) if number < quiet else (self._cycle, number - quiet)
            yield AudioBlock(cut(sound, place * self._block, self._block), self._rate_hz, number * self._block)
        self.spent.append(_spent())

    def close(self) -> None:
        """Stop yielding blocks."""
        self._closed.set()


def _spent() -> dict[str, Any]:
    """CPU, bytes written and commits of this process so far."""
    written = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return {
        "at_s": time.monotonic(),
        "written": int(written["write_bytes"]),
        "commits": STAMPS.commits,
        "changes": len(STAMPS.changes),
        "loop_cpu_s": STAMPS.controller_cpu_s,
        **{f"{name}_cpu_s": cpu_s for name, cpu_s in _threads_cpu_s() if name in {"journal", "mqtt"}},
        "process_cpu_s": time.process_time(),
    }


def _threads_cpu_s() -> Iterator[tuple[str, float]]:
    for thread in threading.enumerate():
        with contextlib.suppress(FileNotFoundError):  # the thread has ended
            schedule = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text()
            yield thread.name, int(schedule.split()[0]) / 1e9


def stamped_daemon(folder: Path, rate_hz: int, quiet_s: float, seconds: float) -> dict[str, Any]:
    """Run a daemon to the end of its sound; returns the times of each change, and CPU and bytes."""
    source = TimedSource(rate_hz, quiet_s, seconds)
    with (
        patch("device.daemon.assembly.Machine", StampedMachine),
        patch("device.daemon.assembly.ReplyQueue", StampedReplies),
        patch("device.daemon.assembly.AlarmController", CostedController),
        patch("device.daemon.outputs.AlarmPublisher", StampedPublisher),
        patch("device.alarms.journal.store.Database", StampedDatabase),
        contextlib.redirect_stdout(sys.stderr),
        Daemon(ListenOptions(config=str(folder / "bench.toml")), wrap=lambda _microphone: source) as daemon,
    ):
        daemon.run()
    return {"changes": list(STAMPS.changes.values()), "spent": source.spent}


class CostedController(AlarmController):
    """Measures the CPU of the main loop's calls."""

    def process(self, *given: Any) -> Any:
        """Measure the call."""
        with _counted():
            return super().process(*given)

    def poll(self, newest_s: float) -> Any:
        """Measure the call."""
        with _counted():
            return super().poll(newest_s)

    def publish_state(self, state: Any) -> None:
        """Measure the call."""
        with _counted():
            super().publish_state(state)


@contextlib.contextmanager
def _counted() -> Iterator[None]:
    began_s = time.thread_time()
    yield
    STAMPS.controller_cpu_s += time.thread_time() - began_s
