"""Clips: a main loop that never waits for a disk, and every clip that was not written counted."""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from device.config.settings import ClipSettings
from device.messages import AudioBlock, Event
from device.sinks.clips.worker import WAITING_BYTES, Clips
from tests.device.sinks.clips.numbered_stream import (
    PNG,
    RATE_HZ,
    UTC_S,
    blocks,
    event_at,
    file_names,
    level,
    with_events,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class _Opened:
    """Clips that are closed with their test."""

    def __init__(self, folder: Path, picture: Callable[..., bytes], settings: ClipSettings) -> None:
        self._clips = Clips(settings, folder, picture=picture, reserved_bytes=0)

    def __enter__(self) -> Clips:
        return self._clips

    def __exit__(self, *_error: object) -> None:
        assert self._clips.close(30.0)


def _opened(folder: Path, picture: Callable[..., bytes] = lambda *_: PNG, **said: Any) -> _Opened:
    return _Opened(folder, picture, ClipSettings(enabled=True, **{"before_s": 2.0, "after_s": 3.0, **said}))


def _play(clips: Clips, items: list[AudioBlock | Event]) -> None:
    for item in items:
        if isinstance(item, AudioBlock):
            clips.push(item)
        else:
            clips.keep(item, utc_s=UTC_S)


def test_an_alarm_becomes_a_file(tmp_path: Path) -> None:
    with _opened(tmp_path) as clips:
        _play(clips, with_events(blocks(0, 20_000), event_at(5.0)))
    (sound, picture) = file_names(tmp_path)
    assert (sound, picture) == (
        "2025/02/cry_0.97_20250228T164621Z.flac",
        "2025/02/cry_0.97_20250228T164621Z.png",
    )
    samples, rate_hz = soundfile.read(tmp_path / sound, dtype="int16")
    assert rate_hz == RATE_HZ
    assert samples.tolist() == [level(sample) for sample in range(3000, 8000)]
    assert (clips.written, clips.dropped, clips.failure) == (1, 0, None)


def test_without_an_alarm_nothing_is_made_not_even_the_folder(tmp_path: Path) -> None:
    with _opened(tmp_path / "clips") as clips:
        _play(clips, with_events(blocks(0, 20_000)))
    assert not (tmp_path / "clips").exists()


def test_the_end_writes_the_clip_that_was_growing(tmp_path: Path) -> None:
    with _opened(tmp_path) as clips:
        _play(clips, with_events(blocks(0, 6000), event_at(5.5)))
    assert clips.written == 1


def test_a_disk_that_hangs_holds_up_nobody_is_seen_and_costs_bounded_memory(tmp_path: Path) -> None:
    hangs, entered = threading.Event(), threading.Event()

    def hang(*_: object) -> bytes:
        entered.set()
        hangs.wait(60.0)
        return PNG

    with _opened(tmp_path, hang, after_s=60.0) as clips:
        rate_hz = 48_000
        sound = np.zeros(rate_hz, np.float32)
        for second in range(63 * 10):
            clips.push(AudioBlock(sound, rate_hz, second * rate_hz))
            if second % 63 == 1:
                clips.keep(event_at(second + 1.0), utc_s=UTC_S)
        clips.finish()
        assert entered.wait(10.0)
        assert clips.stuck_for_s(time.monotonic() + 5.0) >= 5.0
        waiting = sum(clip.samples.nbytes for clip in clips._waiting)
        assert waiting <= WAITING_BYTES
        assert clips.dropped == 10 - 1 - len(clips._waiting)
        hangs.set()
    assert clips.written == 10 - clips.dropped
    assert clips.stuck_for_s(time.monotonic()) == 0.0


def test_a_failure_is_counted_and_said_and_the_next_clip_is_tried_afresh(tmp_path: Path) -> None:
    in_the_way = tmp_path / "2025"
    in_the_way.write_text("a file where a folder should be")
    with _opened(tmp_path) as clips:
        _play(clips, with_events(blocks(0, 9000), event_at(5.0)))
        deadline_s = time.monotonic() + 10.0
        while not clips.dropped and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert clips.dropped == 1
        assert clips.failure is not None
        assert "2025" in clips.failure
        in_the_way.unlink()
        _play(clips, with_events(blocks(9000, 20_000), event_at(12.0)))
    assert (clips.written, clips.dropped) == (1, 1)
    assert dataclasses.asdict(ClipSettings())["enabled"] is False


def test_what_a_power_cut_left_half_written_is_removed_at_the_next_start(tmp_path: Path) -> None:
    half = tmp_path / "2025/02/cry_0.97_20250228T164621Z.flac.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"fLaC")
    with _opened(tmp_path) as clips:
        assert clips.close(10.0)
    assert file_names(tmp_path) == []
