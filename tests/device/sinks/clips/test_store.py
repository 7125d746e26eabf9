"""Clips: the right sound, whole files or none, a budget that spares what is not ours, and a loop that never waits."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import resource
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from device.config.settings import ClipSettings
from device.messages import AudioBlock, Event
from device.sinks.clips.store import (
    LONGEST_S,
    WAITING_BYTES,
    Clip,
    Clips,
    PreRoll,
    Raised,
    Recorder,
    Store,
    _write_whole,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

_RATE_HZ = 1000
_UTC_S = 1740761181.4  # 2025-02-28T16:46:21.4Z
_PNG = b"\x89PNG a picture"


def _event(decided_s: float, *, number: int = 0, label: str = "cry", score: float = 0.97) -> Event:
    return Event(f"s-cry-{label}-{number}", 0, "cry", label, "begin", score, decided_s - 1.0, None, decided_s, "rule")


def _level(sample: int) -> int:
    """What a sample of the test's stream is: every one in 32 s differs."""
    return (sample * 31) % 65536 - 32768


def _stream(start: int, samples: int) -> npt.NDArray[np.float32]:
    counted = np.arange(start, start + samples)
    return (((counted * 31) % 65536 - 32768) / 32768.0).astype(np.float32)


def _blocks(start: int, end: int, size: int = 50, rate_hz: int = _RATE_HZ) -> Iterator[AudioBlock]:
    for begin in range(start, end, size):
        yield AudioBlock(_stream(begin, min(size, end - begin)), rate_hz, begin)


def _recorded(pushes: list[AudioBlock | Event], before_s: float = 2.0, after_s: float = 3.0) -> list[Clip]:
    clips: list[Clip] = []
    recorder = Recorder(before_s, after_s, clips.append)
    for item in pushes:
        if isinstance(item, AudioBlock):
            recorder.push(item)
        else:
            recorder.keep(Raised(item, _UTC_S + item.decided_s))
    recorder.finish()
    return clips


def _at(blocks: Iterator[AudioBlock], *events: Event) -> list[AudioBlock | Event]:
    """Each event right behind the first block that ends no sooner than its decision."""
    waiting, items = list(events), list[AudioBlock | Event]()
    for block in blocks:
        items.append(block)
        while waiting and waiting[0].decided_s * block.sample_rate_hz <= block.end_sample:
            items.append(waiting.pop(0))
    return items + waiting


# --- what a clip holds


@given(st.integers(20, 900), st.floats(0.0, 10.0), st.floats(0.0, 5.0), st.floats(0.1, 5.0))
def test_a_clip_is_the_sound_around_the_alarm_to_the_sample(
    size: int, decided_s: float, before_s: float, after_s: float
) -> None:
    items = _at(_blocks(0, 16 * _RATE_HZ, size), _event(decided_s))
    (clip,) = _recorded(items, before_s, after_s)
    begin = max(0, round((decided_s - before_s) * _RATE_HZ))
    end = round((decided_s + after_s) * _RATE_HZ)
    assert clip.samples.tolist() == [_level(sample) for sample in range(begin, end)]
    assert clip.start_s == begin / _RATE_HZ
    assert clip.utc_s == pytest.approx(_UTC_S + clip.start_s, abs=1e-6)
    assert clip.missing == ()


@given(st.floats(0.0, 6.0), st.integers(20, 400))
def test_memory_is_bounded_by_the_pre_roll(keep_s: float, size: int) -> None:
    roll = PreRoll(keep_s)
    for block in _blocks(0, 8 * _RATE_HZ, size):
        roll.push(block)
        assert roll.end == block.end_sample
        assert min(block.end_sample, keep_s * _RATE_HZ) <= roll.end - roll.start <= keep_s * _RATE_HZ + size


def test_what_is_kept_is_a_copy_that_holds_no_larger_array() -> None:
    roll = PreRoll(1.0)
    whole = _stream(0, 100_000)
    roll.push(AudioBlock(whole[:50], _RATE_HZ, 0))
    (piece,) = roll._pieces
    assert piece.samples.base is None
    assert piece.samples.nbytes == 100


def test_sound_beyond_full_scale_is_clipped_and_never_wraps() -> None:
    roll = PreRoll(1.0)
    roll.push(AudioBlock(np.array([1.0, -1.0, 0.99999, 1.5, -1.5], np.float32), _RATE_HZ, 0))
    (piece,) = roll.since(0)
    assert piece.samples.tolist() == [32767, -32768, 32767, 32767, -32768]


def test_a_clip_that_the_stream_cuts_off_is_what_there_was() -> None:
    (clip,) = _recorded(_at(_blocks(0, 6000), _event(5.5)))
    assert clip.samples.tolist() == [_level(sample) for sample in range(3500, 6000)]


def test_missing_sound_is_silence_of_its_length_and_said() -> None:
    blocks = itertools.chain(_blocks(0, 4000), _blocks(4500, 5200), _blocks(5300, 9000))
    (clip,) = _recorded(_at(blocks, _event(5.0)))
    assert clip.missing == ((1.0, 1.5), (2.2, 2.3))
    expected = [
        _level(sample) if not (4000 <= sample < 4500 or 5200 <= sample < 5300) else 0 for sample in range(3000, 8000)
    ]
    assert clip.samples.tolist() == expected


def test_a_gap_longer_than_the_post_roll_ends_the_clip_where_the_sound_ended() -> None:
    (clip,) = _recorded(_at(itertools.chain(_blocks(0, 5500), _blocks(3_600_000, 3_601_000)), _event(5.0)))
    assert clip.samples.tolist() == [_level(sample) for sample in range(3000, 5500)]


@pytest.mark.parametrize(
    "then", [AudioBlock(_stream(0, 50), _RATE_HZ, 0), AudioBlock(_stream(0, 50), 16000, 1_000_000)]
)
def test_another_stream_or_rate_ends_what_is_kept_and_is_not_mixed_with_it(then: AudioBlock) -> None:
    items = [*_at(_blocks(0, 6000), _event(5.5)), then, _event(then.end_sample / then.sample_rate_hz, number=1)]
    first, second = _recorded(items)
    assert first.samples.tolist() == [_level(sample) for sample in range(3500, 6000)]
    assert second.sample_rate_hz == then.sample_rate_hz
    assert len(second.samples) == 50


def test_alarms_that_overlap_share_a_clip_which_lasts_to_the_last_post_roll() -> None:
    events = [_event(5.0), _event(6.5, number=1, label="scream"), _event(8.0, number=2)]
    (clip,) = _recorded(_at(_blocks(0, 20_000), *events))
    assert clip.samples.tolist() == [_level(sample) for sample in range(3000, 11_000)]
    assert [raised.event for raised in clip.alarms] == events
    assert clip.stem == "cry_0.97_20250228T164626Z"


def test_alarms_apart_have_clips_of_their_own() -> None:
    first, second = _recorded(_at(_blocks(0, 30_000), _event(5.0), _event(15.0, number=1)))
    assert (first.start_s, second.start_s) == (3.0, 13.0)
    assert len(first.alarms) == len(second.alarms) == 1


def test_alarms_without_end_fill_clip_after_clip_and_lose_no_sample() -> None:
    events = [_event(5.0 + 2 * number, number=number) for number in range(130)]
    clips = _recorded(_at(_blocks(0, 280_000), *events))
    assert len(clips) == 3
    assert max(len(clip.samples) for clip in clips) == round(LONGEST_S * _RATE_HZ)
    assert [clip.goes_on for clip in clips] == [False, True, True]
    end = round((events[-1].decided_s + 3.0) * _RATE_HZ)
    assert np.concatenate([clip.samples for clip in clips]).tolist() == [_level(at) for at in range(3000, end)]
    assert len({clip.stem for clip in clips}) == 3


def test_before_any_sound_there_is_nothing_to_keep() -> None:
    assert _recorded([_event(1.0)]) == []


# --- files


def _clip(number: int = 0, samples: int = 4000, label: str = "cry", seed: int = 0) -> Clip:
    noise = np.random.default_rng(seed + number).integers(-32768, 32768, samples).astype(np.int16)
    utc_s = _UTC_S + 86400.0 * number
    return Clip(noise, _RATE_HZ, 3.0, utc_s - 2.0, (Raised(_event(5.0, label=label), utc_s),), False, ((1.0, 1.5),))


def _store(folder: Path, *, max_bytes: int = 10_000_000, picture: Callable[..., bytes] = lambda *_: _PNG) -> Store:
    return Store(folder, max_bytes=max_bytes, picture=picture, kept_free_bytes=0)


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_a_clip_is_named_in_utc_lies_by_month_and_comes_back_to_the_bit(tmp_path: Path) -> None:
    clip = _clip()
    path = _store(tmp_path).write(clip)
    assert _names(tmp_path) == [
        "2025/02/cry_0.97_20250228T164621Z.flac",
        "2025/02/cry_0.97_20250228T164621Z.png",
    ]
    with soundfile.SoundFile(path) as file:
        assert (file.format, file.subtype, file.samplerate, file.channels) == ("FLAC", "PCM_16", _RATE_HZ, 1)
        assert np.array_equal(file.read(dtype="int16"), clip.samples)
        assert json.loads(file.comment) == {
            "alarms": [{"id": "s-cry-cry-0", "model": "cry", "label": "cry", "score": 0.97, "at_s": 2.0}],
            "start_utc": "2025-02-28T16:46:19.400Z",
            "missing": [[1.0, 1.5]],
        }
    assert path.with_suffix(".png").read_bytes() == _PNG


def test_files_are_readable_by_the_group_and_by_nobody_else(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = _store(tmp_path / "clips").write(_clip())
    finally:
        os.umask(before)
    assert [file.stat().st_mode & 0o777 for file in (path, path.with_suffix(".png"))] == [0o640, 0o640]
    assert [folder.stat().st_mode & 0o007 for folder in (path.parent, path.parent.parent)] == [0, 0]


def test_the_encoder_asks_for_no_executable_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of soundfile into a BytesIO needs callbacks, and the service's MemoryDenyWriteExecute forbids these."""
    monkeypatch.delattr(soundfile.SoundFile, "_init_virtual_io")
    assert _store(tmp_path).write(_clip()).exists()


def test_the_picture_is_drawn_from_the_sound_that_is_kept(tmp_path: Path) -> None:
    seen: list[tuple[npt.NDArray[np.float32], int]] = []

    def draw(samples: npt.NDArray[np.float32], rate_hz: int) -> bytes:
        seen.append((samples, rate_hz))
        return _PNG

    clip = _clip()
    _store(tmp_path, picture=draw).write(clip)
    ((samples, rate_hz),) = seen
    assert samples.dtype == np.float32
    assert rate_hz == _RATE_HZ
    assert np.array_equal(samples * 32768, clip.samples)


def test_a_picture_that_cannot_be_drawn_costs_the_picture_alone(tmp_path: Path) -> None:
    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    store = _store(tmp_path, picture=fail)
    store.write(_clip())
    assert _names(tmp_path) == ["2025/02/cry_0.97_20250228T164621Z.flac"]
    assert store.undrawn == 1


def test_two_clips_of_one_second_are_both_kept(tmp_path: Path) -> None:
    store, clips = _store(tmp_path), [_clip(seed=seed) for seed in range(3)]
    paths = [store.write(clip) for clip in clips]
    assert [path.stem.removeprefix(clips[0].stem) for path in paths] == ["", "-2", "-3"]
    assert all(
        np.array_equal(soundfile.read(path, dtype="int16")[0], clip.samples)
        for path, clip in zip(paths, clips, strict=True)
    )


# --- the budget


def test_the_oldest_go_first_sound_and_picture_together_with_their_empty_folders(tmp_path: Path) -> None:
    size = sum(path.stat().st_size for path in _store(tmp_path / "one").write(_clip()).parent.iterdir())
    store = _store(tmp_path / "clips", max_bytes=round(3.5 * size))
    for number in (3, 0, 1, 2, 4):  # written in another order than they were heard in
        store.write(_clip(number))
    assert _names(tmp_path / "clips") == [
        f"2025/03/cry_0.97_202503{day}T164621Z.{suffix}" for day in ("02", "03", "04") for suffix in ("flac", "png")
    ]
    assert not (tmp_path / "clips/2025/02").exists()


@given(st.lists(st.integers(200, 9000), min_size=1, max_size=12), st.integers(8_000, 60_000))
def test_the_budget_is_never_exceeded_and_the_newest_is_kept(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], max_bytes: int
) -> None:
    folder = tmp_path_factory.mktemp("budget")
    store = _store(folder, max_bytes=max_bytes)
    for number, samples in enumerate(lengths):
        clip = _clip(number, samples)
        try:
            path = store.write(clip)
        except OSError:
            assert 2 * samples > max_bytes * 0.4  # it alone is too large; noise does not get smaller in FLAC
        else:
            assert path.exists()
        assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) <= max_bytes


def test_nothing_is_touched_that_is_not_named_as_ours(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "clips", tmp_path / "elsewhere"
    others = [
        folder / "notes.txt",
        folder / "cry_0.97_19990101T000000Z.flac",  # not in a month's folder
        folder / "1999/01/holiday.flac",
        folder / "1999/01/cry_0.97_19990101T000000Z.flac.bak",
        folder / "1999/1/cry_0.97_19990101T000000Z.flac",
        folder / "music/01/cry_0.97_19990101T000000Z.flac",
        elsewhere / "01/cry_0.97_19990101T000000Z.flac",
        elsewhere / "cry_0.97_19990101T000000Z.flac",
    ]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(50_000))
    (folder / "1998").symlink_to(elsewhere)
    (folder / "1999/02").symlink_to(elsewhere)
    (folder / "1999/01/cry_0.50_19990101T000000Z.flac").symlink_to(elsewhere / "cry_0.97_19990101T000000Z.flac")
    before = _names(tmp_path)
    store = _store(folder, max_bytes=20_000)
    store.clean()
    for number in range(6):
        store.write(_clip(number))
    assert set(before) <= set(_names(tmp_path))
    assert all(path.stat().st_size == 50_000 for path in others)
    assert 0 < len(_names(folder / "2025")) < 12


# --- disks that refuse


def test_a_clip_larger_than_the_budget_removes_nothing(tmp_path: Path) -> None:
    store = _store(tmp_path, max_bytes=12_000)
    store.write(_clip())
    kept = _names(tmp_path)
    with pytest.raises(OSError, match=r"a clip of 0\.\d MB is larger than all that clips may take"):
        store.write(_clip(1, samples=100_000))
    assert _names(tmp_path) == kept


def test_what_the_journal_needs_of_a_disk_is_left_free(tmp_path: Path) -> None:
    store = Store(tmp_path, max_bytes=10**7, picture=lambda *_: _PNG, kept_free_bytes=10**18)
    with pytest.raises(OSError, match=r"MB are free, and clips leave"):
        store.write(_clip())
    assert _names(tmp_path) == []


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files may grow to 8,600 bytes, which is enough for the sound of a clip; then writing fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8600, hard))  # Python ignores SIGXFSZ: the error is EFBIG
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_takes_the_sound_but_not_the_picture_keeps_neither(tmp_path: Path) -> None:
    _store(tmp_path).write(_clip())
    kept = _names(tmp_path)
    with pytest.raises(OSError, match="File too large"):
        _store(tmp_path, picture=lambda *_: bytes(9000)).write(_clip(1))
    assert _names(tmp_path) == kept
    _store(tmp_path).write(_clip(1))
    assert len(_names(tmp_path)) == 4


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_takes_a_part_keeps_nothing_of_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large"):
        _write_whole(tmp_path / "clip.flac", bytes(9000))
    assert _names(tmp_path) == []


def test_what_a_power_cut_left_half_written_is_removed_at_the_next_start(tmp_path: Path) -> None:
    half = tmp_path / "2025/02/cry_0.97_20250228T164621Z.flac.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"fLaC")
    with _opened(tmp_path) as clips:
        assert clips.close(10.0)
    assert _names(tmp_path) == []


# --- the main loop


class _Opened:
    """Clips that are closed with their test."""

    def __init__(self, folder: Path, picture: Callable[..., bytes], settings: ClipSettings) -> None:
        self._clips = Clips(settings, folder, picture=picture, kept_free_bytes=0)

    def __enter__(self) -> Clips:
        return self._clips

    def __exit__(self, *_error: object) -> None:
        assert self._clips.close(30.0)


def _opened(folder: Path, picture: Callable[..., bytes] = lambda *_: _PNG, **said: Any) -> _Opened:
    return _Opened(folder, picture, ClipSettings(enabled=True, **{"before_s": 2.0, "after_s": 3.0, **said}))


def _play(clips: Clips, items: list[AudioBlock | Event]) -> None:
    for item in items:
        if isinstance(item, AudioBlock):
            clips.push(item)
        else:
            clips.keep(item, utc_s=_UTC_S)


def test_an_alarm_becomes_a_file(tmp_path: Path) -> None:
    with _opened(tmp_path) as clips:
        _play(clips, _at(_blocks(0, 20_000), _event(5.0)))
    (sound, picture) = _names(tmp_path)
    assert (sound, picture) == (
        "2025/02/cry_0.97_20250228T164621Z.flac",
        "2025/02/cry_0.97_20250228T164621Z.png",
    )
    samples, rate_hz = soundfile.read(tmp_path / sound, dtype="int16")
    assert rate_hz == _RATE_HZ
    assert samples.tolist() == [_level(sample) for sample in range(3000, 8000)]
    assert (clips.written, clips.dropped, clips.failure) == (1, 0, None)


def test_without_an_alarm_nothing_is_made_not_even_the_folder(tmp_path: Path) -> None:
    with _opened(tmp_path / "clips") as clips:
        _play(clips, _at(_blocks(0, 20_000)))
    assert not (tmp_path / "clips").exists()


def test_the_end_writes_the_clip_that_was_growing(tmp_path: Path) -> None:
    with _opened(tmp_path) as clips:
        _play(clips, _at(_blocks(0, 6000), _event(5.5)))
    assert clips.written == 1


def test_a_disk_that_hangs_holds_up_nobody_is_seen_and_costs_bounded_memory(tmp_path: Path) -> None:
    hangs, entered = threading.Event(), threading.Event()

    def hang(*_: object) -> bytes:
        entered.set()
        hangs.wait(60.0)
        return _PNG

    with _opened(tmp_path, hang, after_s=60.0) as clips:
        rate_hz = 48_000
        sound = np.zeros(rate_hz, np.float32)
        for second in range(63 * 10):
            clips.push(AudioBlock(sound, rate_hz, second * rate_hz))
            if second % 63 == 1:
                clips.keep(_event(second + 1.0), utc_s=_UTC_S)
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
        _play(clips, _at(_blocks(0, 9000), _event(5.0)))
        deadline_s = time.monotonic() + 10.0
        while not clips.dropped and time.monotonic() < deadline_s:
            time.sleep(0.01)
        assert clips.dropped == 1
        assert clips.failure is not None
        assert "2025" in clips.failure
        in_the_way.unlink()
        _play(clips, _at(_blocks(9000, 20_000), _event(12.0)))
    assert (clips.written, clips.dropped) == (1, 1)
    assert dataclasses.asdict(ClipSettings())["enabled"] is False
