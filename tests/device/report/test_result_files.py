"""What has its final name is whole."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from device.errors import ConfigError
from device.report.result_files import encode, growing, made_folders, try_output, whole, write_whole
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _interrupted(path: Path, content: bytes) -> None:
    with whole(path) as stream:
        stream.write(content)
        raise KeyboardInterrupt


def test_a_file_of_the_final_name_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    with whole(target) as stream:
        stream.write(b"half")
        stream.flush()
        assert not target.exists()
    assert target.read_bytes() == b"half"
    assert _names(tmp_path) == ["scores.csv"]


def test_an_error_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    write_whole(target, b"old")
    with pytest.raises(KeyboardInterrupt):
        _interrupted(target, b"new, but not all of it")
    assert target.read_bytes() == b"old"
    assert _names(tmp_path) == ["page.html"]


def test_two_writers_of_one_file_leave_one_of_them_whole(tmp_path: Path) -> None:
    target = tmp_path / "scores.csv"
    with whole(target) as one, whole(target) as other:
        for _ in range(1000):
            one.write(b"1" * 100)
            other.write(b"2" * 77)
    assert target.read_bytes() in (b"1" * 100_000, b"2" * 77_000)
    assert _names(tmp_path) == ["scores.csv"]


def test_a_killed_writer_leaves_nothing(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from device.report.result_files import whole\n"
        "with whole(sys.argv[1]) as stream:\n"
        "    stream.write(b'half'); stream.flush(); os.kill(os.getpid(), 9)\n"
    )
    write_whole(tmp_path / "page.html", b"old")
    subprocess.run([sys.executable, "-c", script, tmp_path / "page.html"], check=False)
    assert _names(tmp_path) == ["page.html"]
    assert (tmp_path / "page.html").read_bytes() == b"old"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run([program("mount"), "-t", "tmpfs", "-o", "size=64k", "none", folder], check=True)
    yield folder
    subprocess.run([program("umount"), folder], check=True)


def test_a_full_disk_leaves_no_half_file_and_no_half_line(small_disk: Path) -> None:
    write_whole(small_disk / "page.html", b"old")
    with pytest.raises(OSError, match="No space left"):
        write_whole(small_disk / "page.html", b"x" * 100_000)
    assert (small_disk / "page.html").read_bytes() == b"old"
    line = b'{"label": "cry"}' * 50 + b"\n"
    with pytest.raises(OSError, match="No space left"), growing(small_disk / "events.jsonl") as stream:
        stream.writelines(line for _ in range(1000))
    assert _names(small_disk) == ["events.jsonl", "page.html"]
    content = (small_disk / "events.jsonl").read_bytes()
    assert content == line * (len(content) // len(line))
    assert content


def _written(other: BinaryIO, stream: BinaryIO) -> None:
    other.write(b"x")
    stream.write(b"x" * 100_000)
    stream.flush()


def test_of_two_outputs_the_one_whose_disk_is_full_is_named(small_disk: Path, tmp_path: Path) -> None:
    for opened in (whole, growing):
        full = small_disk / "full"
        with (
            pytest.raises(OSError, match="No space left") as failure,
            opened(full) as stream,
            whole(tmp_path / "other") as other,
        ):
            _written(other, stream)
        assert failure.value.filename == str(full)
        assert not (tmp_path / "other").exists()


def test_a_growing_file_has_one_writer(tmp_path: Path) -> None:
    with growing(tmp_path / "events.jsonl") as stream:
        stream.write(b"first\n")
        with pytest.raises(ConfigError, match="another replay writes to"), growing(tmp_path / "events.jsonl"):
            pass
    assert (tmp_path / "events.jsonl").read_bytes() == b"first\n"


def test_a_trial_leaves_no_trace_and_says_what_would_fail(tmp_path: Path) -> None:
    try_output(tmp_path / "new")
    write_whole(tmp_path / "old", b"kept")
    try_output(tmp_path / "old")
    assert _names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_bytes() == b"kept"
    with pytest.raises(FileNotFoundError):
        try_output(tmp_path / "nowhere" / "x")
    with pytest.raises(IsADirectoryError):
        try_output(tmp_path)


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


def test_a_folder_for_results_that_stays_empty_is_removed_with_those_made_above_it(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with made_folders(tmp_path / "a" / "b", tmp_path / "there" / "c"):
        assert (tmp_path / "a" / "b").is_dir()
    assert _names(tmp_path) == ["there"]
    with made_folders(tmp_path / "a" / "b", tmp_path / "there"):
        write_whole(tmp_path / "a" / "b" / "page.html", b"x")
    assert (tmp_path / "a" / "b" / "page.html").read_bytes() == b"x"
    assert (tmp_path / "there").is_dir()


def test_what_is_no_folder_holds_no_results(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError), made_folders(tmp_path / "file"):
        pass
    with pytest.raises(NotADirectoryError), made_folders(tmp_path / "made", tmp_path / "file" / "below"):
        pass
    assert _names(tmp_path) == ["file"]
