"""Whole files or none, and a budget that spares what is not ours."""

from __future__ import annotations

import json
import os
import resource
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from device.sinks.clips.clip_store import ClipStore, _write_atomically
from device.sinks.clips.recorder import Clip, ClipAlarm
from tests.device.sinks.clips.numbered_stream import PNG, RATE_HZ, UTC_S, event_at, file_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt


def _clip(number: int = 0, samples: int = 4000, label: str = "cry", seed: int = 0) -> Clip:
    noise = np.random.default_rng(seed + number).integers(-32768, 32768, samples).astype(np.int16)
    utc_s = UTC_S + 86400.0 * number
    return Clip(noise, RATE_HZ, 3.0, utc_s - 2.0, (ClipAlarm(event_at(5.0, label=label), utc_s),), False, ((1.0, 1.5),))


def _store(folder: Path, *, max_bytes: int = 10_000_000, picture: Callable[..., bytes] = lambda *_: PNG) -> ClipStore:
    return ClipStore(folder, max_bytes=max_bytes, picture=picture, reserved_bytes=0)


def test_a_clip_is_named_in_utc_lies_by_month_and_comes_back_to_the_bit(tmp_path: Path) -> None:
    clip = _clip()
    path = _store(tmp_path).write(clip)
    assert file_names(tmp_path) == [
        "2025/02/cry_0.97_20250228T164621Z.flac",
        "2025/02/cry_0.97_20250228T164621Z.png",
    ]
    with soundfile.SoundFile(path) as file:
        assert (file.format, file.subtype, file.samplerate, file.channels) == ("FLAC", "PCM_16", RATE_HZ, 1)
        assert np.array_equal(file.read(dtype="int16"), clip.samples)
        assert json.loads(file.comment) == {
            "alarms": [{"id": "s-cry-cry-0", "model": "cry", "label": "cry", "score": 0.97, "at_s": 2.0}],
            "start_utc": "2025-02-28T16:46:19.400Z",
            "missing": [[1.0, 1.5]],
        }
    assert path.with_suffix(".png").read_bytes() == PNG


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
        return PNG

    clip = _clip()
    _store(tmp_path, picture=draw).write(clip)
    ((samples, rate_hz),) = seen
    assert samples.dtype == np.float32
    assert rate_hz == RATE_HZ
    assert np.array_equal(samples * 32768, clip.samples)


def test_a_picture_that_cannot_be_drawn_costs_the_picture_alone(tmp_path: Path) -> None:
    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    store = _store(tmp_path, picture=fail)
    store.write(_clip())
    assert file_names(tmp_path) == ["2025/02/cry_0.97_20250228T164621Z.flac"]
    assert store.failed_pictures == 1


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
    assert file_names(tmp_path / "clips") == [
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
    before = file_names(tmp_path)
    store = _store(folder, max_bytes=20_000)
    store.clean()
    for number in range(6):
        store.write(_clip(number))
    assert set(before) <= set(file_names(tmp_path))
    assert all(path.stat().st_size == 50_000 for path in others)
    assert 0 < len(file_names(folder / "2025")) < 12


# --- disks that refuse


def test_a_clip_larger_than_the_budget_removes_nothing(tmp_path: Path) -> None:
    store = _store(tmp_path, max_bytes=12_000)
    store.write(_clip())
    kept = file_names(tmp_path)
    with pytest.raises(OSError, match=r"a clip of 0\.\d MB is larger than all that clips may take"):
        store.write(_clip(1, samples=100_000))
    assert file_names(tmp_path) == kept


def test_what_the_journal_needs_of_a_disk_is_left_free(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, max_bytes=10**7, picture=lambda *_: PNG, reserved_bytes=10**18)
    with pytest.raises(OSError, match=r"MB are free, and clips leave"):
        store.write(_clip())
    assert file_names(tmp_path) == []


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
    kept = file_names(tmp_path)
    with pytest.raises(OSError, match="File too large"):
        _store(tmp_path, picture=lambda *_: bytes(9000)).write(_clip(1))
    assert file_names(tmp_path) == kept
    _store(tmp_path).write(_clip(1))
    assert len(file_names(tmp_path)) == 4


@pytest.mark.usefixtures("small_disk")
def test_a_disk_that_takes_a_part_keeps_nothing_of_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File too large"):
        _write_atomically(tmp_path / "clip.flac", bytes(9000))
    assert file_names(tmp_path) == []
