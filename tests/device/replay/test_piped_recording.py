"""A recording on standard input is heard as the same bytes in a file are, and what cannot be is one sentence."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE_HZ = 16000
TIMEOUT_S = 120.0
AURICLE = (sys.executable, "-m", "device")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of noise with a tone in it, in several forms."""
    folder = tmp_path_factory.mktemp("piped")
    samples = 1e-3 * np.random.default_rng(0).standard_normal(16 * RATE_HZ)
    samples[5 * RATE_HZ : 10 * RATE_HZ] += 0.3 * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE_HZ) / RATE_HZ)
    for name, form in (("a.wav", {}), ("adpcm.wav", {"subtype": "IMA_ADPCM"}), ("a.flac", {}), ("a.ogg", {})):
        soundfile.write(folder / name, samples, RATE_HZ, **form)
    (folder / "chained.ogg").write_bytes(2 * (folder / "a.ogg").read_bytes())
    (folder / "endless.flac").write_bytes(_without_length((folder / "a.flac").read_bytes()))
    (folder / "endless.wav").write_bytes(_without_sizes((folder / "a.wav").read_bytes()))
    (folder / "cut.wav").write_bytes((folder / "a.wav").read_bytes()[: 12 * RATE_HZ * 2])
    (folder / "text.wav").write_text("no sound at all, but long enough to look like some")
    return folder


def _without_length(flac: bytes) -> bytes:
    """As `flac` writes it into a pipe: no count of samples, no checksum of them."""
    at = 4 + 4 + 13  # marker, head of the block, and the bits before the count
    return flac[:at] + bytes([flac[at] & 0xF0]) + bytes(4 + 16) + flac[at + 21 :]


def _without_sizes(wav: bytes) -> bytes:
    """As a program writes it into a pipe: it knows no size."""
    at = wav.index(b"data") + 4
    return wav[:4] + b"\xff" * 4 + wav[8:at] + b"\xff" * 4 + wav[at + 4 :]


def _run(folder: Path, words: Sequence[str], given: bytes | int, **more: Any) -> subprocess.CompletedProcess[bytes]:
    sound: dict[str, Any] = {"input": given} if isinstance(given, bytes) else {"stdin": given}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **more}
    return subprocess.run(
        [*AURICLE, *words], cwd=folder, env=environment, capture_output=True, check=False, timeout=TIMEOUT_S, **sound
    )


def _classified(done: subprocess.CompletedProcess[bytes], name: str) -> dict[str, Any]:
    """The document, without what tells the recordings apart: their names, and the ids that are made of them."""
    text = re.sub(r'"event_id": "[0-9a-f]{12}-', '"event_id": "', done.stdout.decode())
    return dict(json.loads(text.replace(f'"{name}', '"NAME')))


@pytest.mark.parametrize(
    "name", ["a.wav", "adpcm.wav", "a.flac", "a.ogg", "chained.ogg", "endless.flac", "endless.wav", "cut.wav"]
)
def test_a_pipe_is_heard_as_the_file_is(folder: Path, tiny_bundle_path: Path, name: str) -> None:
    words = ["classify", "--json", "--model", str(tiny_bundle_path)]
    file = _run(folder, [*words, name], b"")
    pipe = _run(folder, [*words, "-"], (folder / name).read_bytes())
    assert pipe.returncode == file.returncode == (2 if name == "cut.wav" else 0)
    assert pipe.stderr.decode() == file.stderr.decode().replace(name, "standard input")
    heard = _classified(pipe, "standard input")
    assert heard["source"] == "NAME"
    if heard["error"] is not None:
        heard["error"] = heard["error"].replace("standard input", "NAME")
    expected = _classified(file, name)
    assert heard["events"]
    assert heard == expected


def test_all_results_of_a_replay_are_those_of_the_file(folder: Path, tiny_bundle_path: Path) -> None:
    words = ["replay", "--model", str(tiny_bundle_path)]
    for source, given in (("a.flac", b""), ("-", (folder / "a.flac").read_bytes())):
        made = [f"--{kind}={source}.{kind}" for kind in ("events", "scores", "labels", "report")]
        done = _run(folder, [*words, *made, source], given)
        assert (done.returncode, done.stderr) == (0, b"")
    for kind in ("scores", "labels"):
        file, pipe = ((folder / f"{source}.{kind}").read_text() for source in ("a.flac", "-"))
        assert pipe.replace("standard input", "a.flac") == file
    assert "standard input" in (folder / "-.report").read_text()


def test_it_is_heard_beside_files_and_by_an_open_file_from_where_it_stands(
    folder: Path, tiny_bundle_path: Path
) -> None:
    with (folder / "twice").open("w+b") as file:
        file.write(b"not of the recording" + (folder / "a.wav").read_bytes())
        file.flush()
        os.lseek(file.fileno(), 20, os.SEEK_SET)
        done = _run(folder, ["replay", "--model", str(tiny_bundle_path), "a.wav", "-"], file.fileno())
    assert done.returncode == 0
    assert done.stderr == b""
    assert done.stdout.decode().splitlines()[-1] == "2 recordings: 2 with an alert (2 alerts)"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["replay", "-"], "standard input is empty (0 bytes); record or copy it again."),
        (["classify", "--json", "-"], "standard input is empty (0 bytes); record or copy it again."),
        (["replay", "-", "-"], "standard input (-) is given twice, and can be heard once"),
        (["replay", "--workers", "2", "-", "a.wav"], "standard input (-) is heard by one process: leave --workers out"),
    ],
)
def test_what_cannot_be_heard_is_one_sentence(
    folder: Path, tiny_bundle_path: Path, words: list[str], says: str
) -> None:
    done = _run(folder, [words[0], "--model", str(tiny_bundle_path), *words[1:]], b"")
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"auricle: {says}")
    assert done.stderr.count(b"\n") == 1
    assert done.stdout == b""


def test_what_is_no_sound_is_named_as_standard_input(folder: Path, tiny_bundle_path: Path) -> None:
    done = _run(folder, ["replay", "--model", str(tiny_bundle_path), "-"], (folder / "text.wav").read_bytes())
    assert done.returncode == 2
    assert done.stderr.startswith(b"auricle: standard input ")
    assert b"/proc/" not in done.stderr


def test_a_terminal_and_a_closed_descriptor_are_no_recording(folder: Path, tiny_bundle_path: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        words = ["replay", "--model", str(tiny_bundle_path), "-"]
        assert b"standard input is a terminal: pipe a recording into it" in _run(folder, words, theirs).stderr
        closed = ["sh", "-c", 'exec "$@" <&-', "sh", *AURICLE, *words]
        done = subprocess.run(
            closed, cwd=Path(__file__).parents[3], capture_output=True, check=False, timeout=TIMEOUT_S
        )
        assert done.returncode == 2
        assert b"standard input is closed: pipe a recording into it" in done.stderr
    finally:
        for descriptor in (ours, theirs):
            os.close(descriptor)


def test_the_file_that_is_piped_in_is_no_output(folder: Path, tiny_bundle_path: Path) -> None:
    before = (folder / "a.wav").read_bytes()
    with (folder / "a.wav").open("rb") as file:
        done = _run(folder, ["replay", "--model", str(tiny_bundle_path), "--events", "a.wav", "-"], file.fileno())
    assert done.returncode == 2
    assert b"--events a.wav is the input" in done.stderr
    assert (folder / "a.wav").read_bytes() == before


def test_a_folder_without_room_is_said_and_nothing_is_left_in_one_that_has_it(
    folder: Path, tiny_bundle_path: Path, tmp_path: Path
) -> None:
    words, sound = ["replay", "--model", str(tiny_bundle_path), "-"], (folder / "a.wav").read_bytes()
    assert _run(folder, words, sound, TMPDIR=str(tmp_path)).returncode == 0
    assert list(tmp_path.iterdir()) == []
    command = ["sh", "-c", 'ulimit -f 100; exec "$@"', "sh", *AURICLE, *words]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], input=sound, capture_output=True, check=False, timeout=TIMEOUT_S
    )
    assert done.returncode == 2
    assert b"while it is heard (File too large); name a folder with room in TMPDIR" in done.stderr
