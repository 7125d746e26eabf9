"""What is found is what would be computed; a damaged or half-written entry never is."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.errors import RecordingError
from training.scaling.feature_cache import FeatureCache
from training.scaling.run_all import run_all

if TYPE_CHECKING:
    import numpy.typing as npt

SPECS = ("a" * 16, "b" * 16)


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(b"sound")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "cache")


class _Counted:
    """Computes two arrays, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> list[npt.NDArray[Any]]:
        self.count += 1
        return [np.arange(6, dtype=np.float32).reshape(2, 3), np.array([7])]


def test_arrays_are_computed_once_and_found_again(cache: FeatureCache, audio: Path) -> None:
    compute = _Counted()
    key = cache.key(audio, SPECS, (0.0, 2.0))
    first, second = cache.arrays(key, compute), cache.arrays(key, compute)
    assert compute.count == 1
    assert [array.tolist() for array in first] == [array.tolist() for array in second]
    assert [array.dtype for array in second] == [np.float32, np.int64]


def test_the_same_bytes_under_another_name_hit_and_any_change_misses(cache: FeatureCache, audio: Path) -> None:
    key = cache.key(audio, SPECS, (0.0, 2.0))
    renamed = audio.with_name("b.wav")
    renamed.write_bytes(b"sound")
    assert cache.key(renamed, SPECS, (0.0, 2.0)) == key
    renamed.write_bytes(b"Sound")
    others = {
        cache.key(renamed, SPECS, (0.0, 2.0)),
        cache.key(audio, SPECS[:1], (0.0, 2.0)),
        cache.key(audio, SPECS[::-1], (0.0, 2.0)),
        cache.key(audio, SPECS, (0.0, 2.5)),
        cache.key([audio, renamed], SPECS, (0.0, 2.0)),
        FeatureCache(cache.folder, version="of other code").key(audio, SPECS, (0.0, 2.0)),
    }
    assert len(others - {key}) == 6


@pytest.mark.parametrize("damage", ["cut off", "one bit", "emptied"])
def test_a_damaged_entry_is_computed_again_and_mended(cache: FeatureCache, audio: Path, damage: str) -> None:
    compute = _Counted()
    key = cache.key(audio, SPECS, ())
    cache.arrays(key, compute)
    (entry,) = cache.folder.rglob("*.features")
    content = bytearray(entry.read_bytes())
    content[50] ^= 1
    entry.write_bytes(bytes({"cut off": content[:-9], "one bit": content, "emptied": bytearray()}[damage]))
    again = cache.arrays(key, compute)
    cache.arrays(key, compute)
    assert compute.count == 2
    assert np.array_equal(again[1], [7])


def test_several_processes_may_write_one_entry_at_once(tmp_path: Path) -> None:
    found = run_all(functools.partial(_fill, str(tmp_path)), range(60), workers=2)
    assert found == [float(number % 3) * 50_000 for number in range(60)]
    assert sorted(path.suffix for path in tmp_path.rglob("*") if path.is_file()) == [".features"] * 3


def _fill(folder: str, number: int) -> float:
    """Every third item has the same entry."""
    cache = FeatureCache(Path(folder), version="1")
    key = cache.key([], SPECS, number % 3)
    return float(cache.arrays(key, lambda: [np.full(50_000, number % 3, np.float32)])[0].sum())


def test_a_cache_that_cannot_be_written_costs_time_and_no_result(
    tmp_path: Path, audio: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    cache, compute = FeatureCache(tmp_path / "cache"), _Counted()
    key = cache.key(audio, SPECS, ())
    assert np.array_equal(cache.arrays(key, compute)[1], [7])
    assert np.array_equal(cache.arrays(key, compute)[1], [7])
    assert compute.count == 2
    assert sum("features are not kept" in line for line in caplog.messages) == 1


def test_pruning_deletes_what_was_used_longest_ago(cache: FeatureCache, audio: Path) -> None:
    keys = [cache.key(audio, SPECS, cut) for cut in range(3)]
    for age, key in enumerate(keys):
        cache.arrays(key, _Counted())
        (entry,) = (path for path in cache.folder.rglob("*.features") if path.stem == key[2:])
        os.utime(entry, (1000 - age, 1000 - age))
    cache.arrays(keys[2], _Counted())  # the oldest is used
    one = next(cache.folder.rglob("*.features")).stat().st_size
    assert cache.prune(2 * one) == one
    compute = _Counted()
    for key in keys:
        cache.arrays(key, compute)
    assert compute.count == 1
    cache.arrays(keys[1], compute)
    assert compute.count == 1


def test_a_missing_recording_is_named(cache: FeatureCache, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"gone\.wav cannot be read"):
        cache.key(tmp_path / "gone.wav", SPECS, ())
