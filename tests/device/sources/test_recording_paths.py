"""Folders expand to the recordings in them, by the names that people gave."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from device.errors import RecordingError
from device.sources.recording_paths import find_recordings


def grow(root: Path, *names: str) -> None:
    """Make empty files, and the folders they lie in."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_folder_expands_recursively_and_sorted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(
        tmp_path,
        "n/b.wav",
        "n/a.FLAC",
        "n/june/2.ogg",
        "n/june/1.Oga",
        "n/june/notes.txt",
        "n/wav",
        "n/c.mp3.txt",
        "n/d.opus",
    )
    monkeypatch.chdir(tmp_path)
    assert find_recordings(["n"]).paths == ["n/a.FLAC", "n/b.wav", "n/d.opus", "n/june/1.Oga", "n/june/2.ogg"]
    assert find_recordings(["./n/june/"]).paths == ["./n/june/1.Oga", "./n/june/2.ogg"]


def test_files_stay_as_given_and_in_their_order(tmp_path: Path) -> None:
    grow(tmp_path, "n/a.wav")
    given = ["z.bin", "no/such.wav", "", str(tmp_path / "n"), "../b.wav", "z.bin"]
    assert find_recordings(given).paths == ["z.bin", "no/such.wav", "", str(tmp_path / "n/a.wav"), "../b.wav", "z.bin"]


def test_hidden_files_and_folders_are_skipped(tmp_path: Path) -> None:
    grow(tmp_path, ".hidden/a.wav", "._b.wav", "c.wav", ".wav")
    assert find_recordings([str(tmp_path)]).paths == [str(tmp_path / "c.wav")]


def test_a_hidden_folder_that_was_asked_for_is_walked(tmp_path: Path) -> None:
    grow(tmp_path, ".hidden/a.wav")
    assert find_recordings([str(tmp_path / ".hidden")]).paths == [str(tmp_path / ".hidden/a.wav")]


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    grow(tmp_path, "a/1.wav", "b/2.wav")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "other").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "other").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    found = find_recordings([str(tmp_path)]).paths
    assert sorted(Path(path).name for path in found) == ["1.wav", "2.wav"]


def test_a_linked_folder_is_walked(tmp_path: Path) -> None:
    grow(tmp_path, "real/1.wav")
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "real")
    assert find_recordings([str(tmp_path / "top")]).paths == [str(tmp_path / "top/link/1.wav")]


def test_a_folder_without_recordings_is_named(tmp_path: Path) -> None:
    grow(tmp_path, "notes.txt")
    with pytest.raises(RecordingError, match=r"holds no recording; WAV, FLAC, OGG, MP3") as caught:
        find_recordings([str(tmp_path)])
    assert str(caught.value).startswith(str(tmp_path))


def test_what_cannot_be_read_without_pyav_is_counted_and_its_conversion_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(tmp_path, "n/a.wav", "n/b c.m4a", "n/june/d.M4A", "n/e.wma", "n/f.txt", "m/a.m4a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "av", None)
    found = find_recordings(["n"])
    assert found.paths == ["n/a.wav"]
    (notice,) = found.notices
    assert notice.startswith("n holds 3 sound files that cannot be read here (2 .m4a, 1 .wma): ")
    assert "pip install 'auricle[formats]' reads them" in notice
    assert "`ffmpeg -i 'n/b c.m4a' 'n/b c.flac'`" in notice
    with pytest.raises(RecordingError, match=r"m holds 1 sound file that cannot be read here \(1 \.m4a\)"):
        find_recordings(["m"])


def test_with_pyav_every_sound_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    grow(tmp_path, "n/a.wav", "n/b.m4a")
    monkeypatch.chdir(tmp_path)
    assert find_recordings(["n"]) == (["n/a.wav", "n/b.m4a"], [])


def test_a_folder_that_may_not_be_listed_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o111)
    root = os.geteuid() == 0
    if root:  # who may list everything
        for folder in (tmp_path, *list(tmp_path.parents)[:-2]):
            folder.chmod(folder.stat().st_mode | 0o011)
        os.seteuid(65534)
    try:
        with pytest.raises(RecordingError, match="cannot be listed"):
            find_recordings([str(locked)])
    finally:
        if root:
            os.seteuid(0)
