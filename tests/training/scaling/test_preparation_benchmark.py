"""The benchmark of preparation measures what it says: recordings that differ, prepared alike, nothing left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.preparation import prepare, prepare_minute, windows_of

if TYPE_CHECKING:
    from pathlib import Path


def test_every_minute_has_content_of_its_own_and_two_workers_get_the_same_features() -> None:
    one, two = prepare(0.1, 1), prepare(0.1, 2)
    assert one.hashes == two.hashes
    assert len(set(one.hashes)) == 6


def test_a_minute_leaves_nothing_on_disk(tmp_path: Path) -> None:
    prepare_minute(str(tmp_path), 7, deletes=True)
    assert list(tmp_path.iterdir()) == []
    assert len(windows_of(tmp_path / "7.wav")) == 30
