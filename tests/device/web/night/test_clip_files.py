"""Clips are found by the names that the daemon gives, and nothing else of the disk can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.web.night.clip_files import ClipFile, clip_path, clips_between

if TYPE_CHECKING:
    from pathlib import Path

STEM = "cry_0.97_20261121T021407Z"
UTC_S = 1795227247.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    month = tmp_path / "clips" / "2026" / "11"
    month.mkdir(parents=True)
    for name in (f"{STEM}.flac", f"{STEM}.png", f"{STEM}-2.flac", f"{STEM}.flac.part", "notes.txt"):
        (month / name).write_bytes(b"sound")
    (tmp_path / "secret_0.97_20261121T021407Z.flac").write_bytes(b"secret")
    (month / "linked_0.97_20261121T021407Z.flac").symlink_to(tmp_path / "secret_0.97_20261121T021407Z.flac")
    (tmp_path / "clips" / "2025").symlink_to(tmp_path / "clips" / "2026")
    return tmp_path / "clips"


def test_the_clips_of_a_stretch_of_time_are_found_oldest_first(folder: Path) -> None:
    found = clips_between(folder, UTC_S - 1, UTC_S + 1)
    assert found == [
        ClipFile(f"2026/11/{STEM}", "cry", UTC_S, has_picture=True),
        ClipFile(f"2026/11/{STEM}-2", "cry", UTC_S, has_picture=False),
    ]
    assert clips_between(folder, UTC_S + 1, UTC_S + 2) == []
    assert clips_between(folder / "missing", 0, UTC_S) == []


def test_a_clip_and_its_picture_have_a_path(folder: Path) -> None:
    assert clip_path(folder, "2026", "11", f"{STEM}.flac") == folder / "2026" / "11" / f"{STEM}.flac"
    assert clip_path(folder, "2026", "11", f"{STEM}.png") is not None


@pytest.mark.parametrize(
    ("year", "month", "name"),
    [
        ("2026", "11", "../../../secret_0.97_20261121T021407Z.flac"),
        ("..", "11", f"{STEM}.flac"),
        ("2026", "..", f"{STEM}.flac"),
        ("2026", "11", "linked_0.97_20261121T021407Z.flac"),
        ("2025", "11", f"{STEM}.flac"),
        ("2026", "11", f"{STEM}.flac.part"),
        ("2026", "11", "notes.txt"),
        ("2026", "11", f"{STEM}.flac\x00.png"),
        ("2026", "11", f"{STEM}.flac\n"),
        ("٢٠٢٦", "11", f"{STEM}.flac"),
        ("2026", "12", f"{STEM}.flac"),
    ],
)
def test_nothing_else_has_one(folder: Path, year: str, month: str, name: str) -> None:
    assert clip_path(folder, year, month, name) is None
