"""What has its final name is whole."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from device.report.result_files import encode, growing, whole, write_whole

if TYPE_CHECKING:
    from pathlib import Path


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _interrupted(path: Path, content: bytes, *, keep_part: bool) -> None:
    with whole(path, keep_part=keep_part) as stream:
        stream.write(content)
        raise KeyboardInterrupt


def test_a_file_of_the_final_name_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    with whole(target, keep_part=True) as stream:
        stream.write(b"half")
        stream.flush()
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert _names(tmp_path) == ["scores.csv"]


def test_an_error_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    write_whole(target, b"old")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(target, b"new, but not all of it", keep_part=False)
    assert target.read_bytes() == b"old"
    assert _names(tmp_path) == ["page.html"]


def test_a_part_worth_keeping_stays_under_its_honest_name(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted(tmp_path / "scores.csv", b"three hours of rows", keep_part=True)
    assert _names(tmp_path) == ["scores.csv.part"]
    assert (tmp_path / "scores.csv.part").read_bytes() == b"three hours of rows"


def test_a_link_is_followed_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_whole(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"x"


def test_a_pipe_is_written_to_and_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"through the pipe")
    reader.join(timeout=10)
    assert got == [b"through the pipe"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_growing_file_is_readable_while_it_grows(tmp_path: Path) -> None:
    target = tmp_path / "events.jsonl"
    with growing(target) as stream:
        stream.write(b"1\n")
        stream.flush()
        assert target.read_bytes() == b"1\n"


def test_a_dash_is_standard_output_and_stays_open(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for _ in range(2):
        write_whole("-", b"once more\n")
    assert capfdbinary.readouterr().out == b"once more\n" * 2


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_whole(tmp_path / "nowhere" / "x", b"")


def test_text_that_utf8_cannot_hold_is_escaped() -> None:
    assert encode(os.fsdecode(b"caf\xe9 \xc3\xa9")) == b"caf\\udce9 \xc3\xa9"
