"""The audio queue: what holds for every interleaving of source and loop."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.daemon.audio.audio_queue import AUDIO_LIMIT_S, AudioQueue, Item, SourceEnded, put_method
from device.messages import AudioBlock, NoAudio

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RATE_HZ = 1000
PATIENCE_S = 10.0
"""What another thread does at once is waited for this long."""


def _block(start_s: float, seconds: float = 0.05) -> AudioBlock:
    return AudioBlock(np.zeros(round(seconds * RATE_HZ), np.float32), RATE_HZ, round(start_s * RATE_HZ))


def _sound(seconds: float, from_s: float = 0.0) -> Iterator[AudioBlock]:
    return (_block(from_s + index * 0.05) for index in range(round(seconds / 0.05)))


def _emptied(queue: AudioQueue) -> list[Item]:
    items = []
    while (item := queue.get(0.0)) is not None:
        items.append(item)
    return items


def _blocks(items: Sequence[Item]) -> list[AudioBlock]:
    return [item for item in items if isinstance(item, AudioBlock)]


def test_what_goes_in_comes_out_in_order() -> None:
    queue, nothing, ended = AudioQueue(), NoAudio("unplugged", 0.1, 0.35), SourceEnded()
    first, second = _sound(0.1)
    for item in (first, nothing, second, ended):
        queue.put(item)
    assert _emptied(queue) == [first, nothing, second, ended]


def test_whoever_waits_is_woken_without_an_item_and_the_next_does_not_wait() -> None:
    queue, got = AudioQueue(), []
    waits = threading.Thread(target=lambda: got.append(queue.get(60.0)))
    waits.start()
    queue.wake()
    waits.join(PATIENCE_S)
    assert got == [None]
    queue.wake()
    assert queue.get(60.0) is None


def test_waking_hides_no_item() -> None:
    queue, nothing = AudioQueue(), NoAudio("unplugged", 0.1, 0.35)
    queue.put(nothing)
    queue.wake()
    assert queue.get(0.0) == nothing


def test_it_holds_ten_seconds_and_more_without_a_loss() -> None:
    """A disk that stalls for 5 s, or models that open slowly, must lose no window."""
    assert AUDIO_LIMIT_S > 10
    queue = AudioQueue()
    for block in _sound(11.9):
        queue.put(block)
    assert queue.backlog_s == pytest.approx(11.9)
    assert queue.dropped_s == 0.0
    assert not any(block.after_gap for block in _blocks(_emptied(queue)))


def test_where_there_is_no_room_what_waits_goes_and_the_newest_stays() -> None:
    queue = AudioQueue(limit_s=1.02)
    for block in _sound(1.25):
        queue.put(block)
    assert queue.dropped_s == pytest.approx(1.0)
    assert repr(queue) == "AudioQueue(0.25 s of sound wait, 1.00 s were dropped)"
    left = _blocks(_emptied(queue))
    assert [block.start_sample for block in left] == [1000, 1050, 1100, 1150, 1200]
    assert [block.after_gap for block in left] == [True, False, False, False, False]
    assert queue.backlog_s == 0.0


def test_the_end_of_a_source_is_never_dropped() -> None:
    queue, ended = AudioQueue(limit_s=0.1), SourceEnded("it broke")
    queue.put(_block(0.0))
    queue.put(ended)
    for block in _sound(1.0, from_s=1.0):
        queue.put(block)
    assert _emptied(queue)[0] is ended


def test_that_nothing_comes_is_said_once_however_long_it_waits() -> None:
    queue = AudioQueue()
    for quarter in range(1, 4 * 3600):
        queue.put(NoAudio("unplugged", 5.0, 5.0 + quarter / 4))
    assert _emptied(queue) == [NoAudio("unplugged", 5.0, 5.0 + (4 * 3600 - 1) / 4)]


def test_nothing_to_take_is_none_after_the_time() -> None:
    assert AudioQueue().get(0.01) is None


steps = st.lists(st.one_of(st.floats(0.01, 3.0), st.sampled_from(["get", "absent", "missing"])), max_size=80)


@given(steps=steps)
def test_it_never_holds_more_than_its_limit_and_never_loses_sound_silently(steps: list[float | str]) -> None:
    queue, start, given_s, taken, lost = AudioQueue(limit_s=4.0), 0, 0.0, list[Item](), False
    for step in steps:
        if step == "get":
            taken += [item] if (item := queue.get(0.0)) is not None else []
        elif step == "absent":
            queue.put(NoAudio("unplugged", start / RATE_HZ, start / RATE_HZ + 0.25))
        elif step == "missing":
            start, lost = start + 500, True
        else:
            block = replace(_block(start / RATE_HZ, float(step)), start_sample=start, after_gap=lost)
            queue.put(block)
            start, given_s, lost = block.end_sample, given_s + len(block.samples) / RATE_HZ, False
        assert queue.backlog_s <= 4.0 + 1e-9
    taken += _emptied(queue)
    blocks = _blocks(taken)
    heard_s = sum(len(block.samples) for block in blocks) / RATE_HZ
    assert heard_s + queue.dropped_s == pytest.approx(given_s)
    for before, after in pairwise([_block(0.0, 0.0), *blocks]):
        assert after.start_sample >= before.end_sample
        assert after.after_gap == (after.start_sample > before.end_sample)


def test_a_block_alone_that_is_longer_than_the_limit_is_no_gap() -> None:
    """Regression: it dropped nothing, yet the next block was marked as following a gap."""
    queue = AudioQueue(limit_s=1.0)
    queue.put(_block(0.0, 3.0))
    (block,) = _blocks(_emptied(queue))
    assert not block.after_gap
    assert queue.dropped_s == 0.0


# --- two threads


def test_a_recording_waits_for_room_and_goes_on_when_there_is_some() -> None:
    queue, put = AudioQueue(limit_s=0.2), list[float]()

    def play() -> None:
        for block in _sound(2.0):
            queue.put_waiting(block)
            put.append(block.start_sample / RATE_HZ)
        queue.put(SourceEnded())

    player = threading.Thread(target=play)
    player.start()
    taken = []
    while not isinstance(item := queue.get(PATIENCE_S), SourceEnded):
        assert item is not None
        assert queue.backlog_s <= 0.2 + 1e-9
        taken.append(item)
    player.join(PATIENCE_S)
    blocks = _blocks(taken)
    assert [block.start_sample for block in blocks] == list(range(0, 2000, 50))
    assert not any(block.after_gap for block in blocks)
    assert queue.dropped_s == 0.0


def test_a_block_longer_than_the_limit_is_let_in_alone() -> None:
    queue = AudioQueue(limit_s=0.2)
    queue.put_waiting(_block(0.0, 3.0))
    assert queue.backlog_s == 3.0


def test_who_waits_for_room_goes_on_where_it_closes_and_is_forgotten() -> None:
    queue = AudioQueue(limit_s=0.1)
    first, second = _sound(0.1)
    queue.put(first)
    queue.put(second)
    waiting = threading.Thread(target=queue.put_waiting, args=(_block(0.1),))
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    queue.close()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    assert _emptied(queue) == [first, second]


def test_a_reader_wakes_with_the_first_item() -> None:
    queue, taken = AudioQueue(), list[Item | None]()
    reader = threading.Thread(target=lambda: taken.append(queue.get(PATIENCE_S)))
    reader.start()
    queue.put(SourceEnded())
    reader.join(PATIENCE_S)
    assert taken == [SourceEnded()]


def test_two_threads_lose_nothing_that_is_not_counted() -> None:
    """A microphone that never waits, and a loop that stalls."""
    queue, blocks = AudioQueue(limit_s=0.5), list(_sound(50.0))

    def capture() -> None:
        for block in blocks:
            queue.put(block)
        queue.put(SourceEnded())

    source = threading.Thread(target=capture)
    source.start()
    taken: list[Item] = []
    while not isinstance(item := queue.get(PATIENCE_S), SourceEnded):
        assert item is not None
        assert queue.backlog_s <= 0.5 + 1e-9
        taken.append(item)
    source.join(PATIENCE_S)
    heard = _blocks(taken)
    assert sum(len(block.samples) for block in heard) / RATE_HZ + queue.dropped_s == pytest.approx(50.0)
    for before, after in pairwise(heard):
        assert after.after_gap == (after.start_sample > before.end_sample)


def test_a_microphone_never_waits_and_a_recording_does() -> None:
    queue = AudioQueue()
    assert put_method(queue, waits=False) == queue.put
    assert put_method(queue, waits=True) == queue.put_waiting
