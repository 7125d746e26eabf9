"""Files that were joined by `cat` are heard one after the other, and headers of a killed writer are overruled."""

from __future__ import annotations

import io
import resource
import struct
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.errors import RecordingError
from device.sources.recording import Recording
from tests.device.sources.sound_files import RATE_HZ, heard, pitch_hz, tone, whole
from tests.device.sources.test_formats import encode
from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = [
    ("a.flac", "FLAC", None), ("a.mp3", "MP3", None), ("a.aiff", "AIFF", None), ("a.aifc", "AIFF", "FLOAT"),
    ("a.caf", "CAF", None), ("a.w64", "W64", None), ("a.au", "AU", None),
]  # fmt: skip
ID3V2 = b"ID3\x04\x00\x00\x00\x00\x00\x14" + bytes(20)


def encoded(kind: str, subtype: str | None, seconds: float, at_hz: float, rate_hz: int, channels: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(seconds, at_hz, rate_hz, channels), rate_hz, format=kind, subtype=subtype)
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "kind", "subtype"), FORMATS, ids=[name for name, *_ in FORMATS])
def test_joined_files_are_heard_one_after_the_other(tmp_path: Path, name: str, kind: str, subtype: str | None) -> None:
    shapes = [(3.0, 440.0, 16000, 1), (2.0, 880.0, 48000, 2), (2.5, 600.0, 16000, 1)]
    (tmp_path / name).write_bytes(b"".join(encoded(kind, subtype, *shape) for shape in shapes))
    samples, rate_hz = whole(tmp_path / name)
    assert rate_hz == 16000
    assert len(samples) / rate_hz == pytest.approx(7.5, abs=0.001)
    with Recording(tmp_path / name) as recording:
        assert recording.duration_s == pytest.approx(7.5, abs=0.001)
    at_s = 0.0
    for seconds, at_hz, *_ in shapes:
        part = samples[round((at_s + 0.2) * rate_hz) : round((at_s + seconds - 0.2) * rate_hz)]
        assert pitch_hz(part, rate_hz) == pytest.approx(at_hz, abs=3)
        at_s += seconds


@pytest.mark.parametrize("name", ["a.flac", "a.mp3"])
def test_tags_between_joined_files_are_no_sound(tmp_path: Path, name: str) -> None:
    kind = name[2:].upper()
    first, second = (encoded(kind, None, *shape) for shape in ((3.0, 440.0, 16000, 1), (2.0, 880.0, 16000, 1)))
    (tmp_path / name).write_bytes(ID3V2 + first + b"TAG" + bytes(125) + ID3V2 + second)
    assert len(whole(tmp_path / name)[0]) == pytest.approx(5 * RATE_HZ, abs=1)


def test_flac_streams_of_unknown_length_are_joined_too(tmp_path: Path) -> None:
    content = b""
    for at_hz in (440.0, 880.0):
        sound = np.round(tone(3, at_hz)[:, 0] * 32767).astype("<i2").tobytes()
        raw = ["--force-raw-format", "--endian=little", "--sign=signed", "--channels=1", "--bps=16"]
        command = [program("flac"), "--silent", "--stdout", *raw, "--sample-rate=16000", "-"]
        content += ID3V2 + subprocess.run(command, input=sound, capture_output=True, check=True).stdout
    (tmp_path / "a.flac").write_bytes(content)
    samples, rate_hz = whole(tmp_path / "a.flac")
    assert len(samples) == 6 * RATE_HZ
    assert pitch_hz(samples[-2 * rate_hz :], rate_hz) == pytest.approx(880, abs=1)


def test_joined_flac_that_is_cut_in_its_second_stream_breaks_off_there(tmp_path: Path) -> None:
    first, second = (encoded("FLAC", None, 10.0, at_hz, 16000, 1) for at_hz in (440.0, 880.0))
    (tmp_path / "a.flac").write_bytes(first + second[: len(second) // 2])
    samples, _, failure, _ = heard(tmp_path / "a.flac")
    assert 13 * RATE_HZ < len(samples) < 16 * RATE_HZ
    assert "breaks off" in str(failure)


def test_a_stream_that_cannot_be_opened_for_want_of_descriptors_is_where_the_file_breaks_off(tmp_path: Path) -> None:
    """Regression: that was an OSError, which ended whatever played the file."""
    (tmp_path / "a.flac").write_bytes(2 * encoded("FLAC", None, 2.0, 440.0, RATE_HZ, 1))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Recording(tmp_path / "a.flac") as recording:
        blocks = recording.blocks()
        next(blocks)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            with pytest.raises(RecordingError, match=r"breaks off after 2\.000 s \(its stream 2 cannot be read"):
                list(blocks)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_flac_marker_within_the_sound_begins_no_stream(tmp_path: Path) -> None:
    cover = b"fLaC\x00\x00\x00\x22" + bytes(40)  # a STREAMINFO of rate 0, as in a picture of one
    flac = encoded("FLAC", None, 3.0, 440.0, 16000, 1)
    padding = bytes([1]) + len(cover).to_bytes(3, "big") + cover
    (tmp_path / "a.flac").write_bytes(flac[:42] + padding + flac[42:])
    assert len(whole(tmp_path / "a.flac")[0]) == 3 * RATE_HZ


def test_joined_m4a_is_heard_whole(tmp_path: Path) -> None:
    for _ in range(2):
        encode(tmp_path / "part.m4a", "aac", "ipod")
        with (tmp_path / "a.m4a").open("ab") as file:
            file.write((tmp_path / "part.m4a").read_bytes())
    samples, rate_hz = whole(tmp_path / "a.m4a")
    assert 9.9 < len(samples) / rate_hz < 10.2


# --- headers that were never corrected


def sizes(name: str, content: bytes) -> tuple[int, str, int]:
    """Offset and format of the field that counts the sound, and what it counts beside the sound."""
    at = {"a.aiff": content.find(b"SSND") + 4, "a.aifc": content.find(b"SSND") + 4, "a.au": 8}
    return {
        "a.aiff": (at["a.aiff"], ">I", 8),
        "a.aifc": (at["a.aifc"], ">I", 8),
        "a.au": (8, ">I", 0),
        "a.caf": (content.find(b"data") + 4, ">q", 4),
        "a.w64": (content.find(b"data") + 16, "<q", 24),
    }[name]


SIZED = FORMATS[2:]


@pytest.mark.parametrize("counted_s", [0, 1, 20])
@pytest.mark.parametrize(("name", "kind", "subtype"), SIZED, ids=[name for name, *_ in SIZED])
def test_a_header_that_counts_too_little_is_overruled(
    tmp_path: Path, name: str, kind: str, subtype: str | None, counted_s: int
) -> None:
    content = bytearray(encoded(kind, subtype, 30.0, 440.0, RATE_HZ, 1))
    at, form, beside = sizes(name, bytes(content))
    counted = counted_s * RATE_HZ * (4 if subtype == "FLOAT" else 2)
    struct.pack_into(form, content, at, beside + counted)
    (tmp_path / name).write_bytes(content)
    samples, _, failure, notes = heard(tmp_path / name)
    assert failure is None
    assert len(samples) == 30 * RATE_HZ
    assert np.sqrt(np.mean(samples[-8000:] ** 2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.02)
    if not counted_s:
        assert notes == ()
        return
    more = f"{30 * counted // counted_s - counted} bytes of sound more than the {counted} that its header declares"
    assert notes == (f"{tmp_path / name}: it holds {more}.",)


@pytest.mark.parametrize(("name", "kind", "subtype"), SIZED, ids=[name for name, *_ in SIZED])
def test_a_size_of_all_ones_says_that_the_writer_could_not_know(
    tmp_path: Path, name: str, kind: str, subtype: str | None
) -> None:
    content = bytearray(encoded(kind, subtype, 3.0, 440.0, RATE_HZ, 1))
    at, form, _ = sizes(name, bytes(content))
    content[at : at + struct.calcsize(form)] = b"\xff" * struct.calcsize(form)
    (tmp_path / name).write_bytes(content)
    assert len(whole(tmp_path / name)[0]) == 3 * RATE_HZ


@pytest.mark.parametrize("kind", ["aiff", "au"])
def test_what_sox_writes_into_a_pipe_is_heard_whole(tmp_path: Path, kind: str) -> None:
    command = [program("sox"), "-n", "-r", "16000", "-b", "16", "-t", kind, "-", "synth", "3", "sine", "440"]
    (tmp_path / "a").write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    assert len(whole(tmp_path / "a")[0]) == 3 * RATE_HZ


@pytest.mark.parametrize(("name", "tail"), [
    ("a.aiff", b"NAME\x00\x00\x00\x04abcd" + b"ANNO\x00\x00\x00\x46" + bytes(70)),
    ("a.aiff", b"ID3 \x00\x00\x00\x64" + bytes(100)),
    ("a.caf", b"info" + struct.pack(">q", 100) + bytes(100)),
    ("a.w64", b"levl" + bytes.fromhex("f3acd3118cd100c04f8edb8a") + struct.pack("<q", 124) + bytes(100)),
    ("a.au", b"TAG" + bytes(125)),
    ("a.aiff", b"APETAGEX" + bytes(200)),
])  # fmt: skip
def test_chunks_and_tags_behind_the_sound_are_no_sound(tmp_path: Path, name: str, tail: bytes) -> None:
    kind = {"a.aiff": "AIFF", "a.caf": "CAF", "a.w64": "W64", "a.au": "AU"}[name]
    content = bytearray(encoded(kind, None, 3.0, 440.0, RATE_HZ, 1))
    (tmp_path / name).write_bytes(content + tail)
    samples, _, failure, notes = heard(tmp_path / name)
    assert (failure, notes) == (None, ())
    assert len(samples) == 3 * RATE_HZ
