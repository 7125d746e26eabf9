"""The source thread: every item arrives in the queue, and so does the reason if the source fails."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.daemon.audio.audio_queue import AUDIO_LIMIT_S, SourceEnded
from device.daemon.audio.source_thread import JOIN_S, SourceStatus, SourceThread
from device.messages import AudioBlock, NoAudio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.daemon.audio.audio_queue import Item
    from device.daemon.audio.source_thread import Source

RATE_HZ = 1000
PATIENCE_S = 10.0


def _block(index: int, seconds: float = 0.05) -> AudioBlock:
    samples = round(seconds * RATE_HZ)
    return AudioBlock(np.zeros(samples, np.float32), RATE_HZ, index * samples)


class Script:
    """A source that delivers scripted items, then fails, hangs, ends, or waits to be closed."""

    def __init__(self, items: list[AudioBlock | NoAudio], then: str = "ends") -> None:
        self.items = items
        self.closed = threading.Event()
        self.released = threading.Event()
        self.read_by = ""
        self._then = then

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        self.read_by = threading.current_thread().name
        yield from self.items
        if self._then == "fails":
            raise OSError("the cable burnt")
        if self._then == "hangs":
            self.released.wait(60)
        if self._then == "waits":
            self.closed.wait(60)

    def close(self) -> None:
        self.closed.set()


def _started(source: Source, *, waits: bool = False) -> SourceThread:
    source_thread = SourceThread(source, waits=waits, name_at=lambda _: "nursery", status=SourceStatus)
    source_thread.start()
    return source_thread


def _received(source_thread: SourceThread) -> list[Item]:
    """All items up to the end of the source."""
    items: list[Item] = []
    while not items or not isinstance(items[-1], SourceEnded):
        item = source_thread.queue.get(PATIENCE_S)
        assert item is not None
        items.append(item)
    return items


def test_what_a_source_gives_comes_out_in_order_with_its_end() -> None:
    source = Script([_block(0), NoAudio("unplugged", 0.05, 0.3), _block(10)])
    source_thread = _started(source)
    assert _received(source_thread) == [*source.items, SourceEnded()]
    assert source.read_by == "source"
    assert source_thread.close()


def test_it_says_how_far_the_stream_has_come() -> None:
    sound = _started(Script([_block(0), _block(1)]))
    _received(sound)
    assert sound.newest_s == 0.1
    absent = _started(Script([_block(0), NoAudio("unplugged", 0.05, 7.5)]))
    _received(absent)
    assert absent.newest_s == 7.5
    assert sound.close()
    assert absent.close()


def test_a_source_that_raises_ends_with_the_sentence() -> None:
    source_thread = _started(Script([_block(0)], then="fails"))
    assert _received(source_thread)[1:] == [SourceEnded("OSError: the cable burnt")]
    assert source_thread.close()


def test_a_source_that_is_closed_says_no_end() -> None:
    source = Script([_block(0)], then="waits")
    source_thread = _started(source)
    assert isinstance(source_thread.queue.get(PATIENCE_S), AudioBlock)
    assert source_thread.close()
    assert source.closed.is_set()
    assert source_thread.queue.get(0.0) is None


def test_a_source_that_fails_because_it_is_closed_is_no_failure() -> None:
    class Brittle(Script):
        def blocks(self) -> Iterator[AudioBlock | NoAudio]:
            yield from super().blocks()
            raise OSError("read from a closed device")

    source_thread = _started(Brittle([_block(0)], then="waits"))
    assert isinstance(source_thread.queue.get(PATIENCE_S), AudioBlock)
    assert source_thread.close()
    assert source_thread.queue.get(0.0) is None


def test_a_source_that_hangs_is_left_behind_and_nothing_waits_for_it() -> None:
    source = Script([], then="hangs")
    source_thread, began_s = _started(source), time.monotonic()
    assert not source_thread.close()
    assert time.monotonic() - began_s < JOIN_S + 1.5
    assert source_thread._thread.daemon
    source.released.set()
    assert source_thread.close()


def test_a_recording_that_waits_for_room_is_let_go() -> None:
    count = round(2 * AUDIO_LIMIT_S / 0.05)
    source_thread = _started(Script([_block(index) for index in range(count)]), waits=True)
    deadline_s = time.monotonic() + PATIENCE_S
    while source_thread.queue.backlog_s < AUDIO_LIMIT_S - 0.1 and time.monotonic() < deadline_s:
        time.sleep(0.005)
    assert source_thread.queue.backlog_s == pytest.approx(AUDIO_LIMIT_S, abs=0.051)
    assert source_thread.queue.dropped_s == 0.0
    assert source_thread.close()


def test_a_microphone_never_waits() -> None:
    count = round(2.5 * AUDIO_LIMIT_S / 0.05)
    source_thread = _started(Script([_block(index) for index in range(count)]))
    deadline_s = time.monotonic() + PATIENCE_S
    while source_thread.newest_s < 2.5 * AUDIO_LIMIT_S - 0.01 and time.monotonic() < deadline_s:
        time.sleep(0.005)
    assert source_thread.queue.dropped_s == pytest.approx(2 * AUDIO_LIMIT_S, abs=0.2)
    assert source_thread.close()


def test_it_may_be_closed_twice_or_before_it_began() -> None:
    source_thread = SourceThread(Script([]), waits=False, name_at=lambda _: "nursery", status=SourceStatus)
    assert source_thread.close()
    assert source_thread.close()
    assert repr(source_thread).endswith("closed)")
