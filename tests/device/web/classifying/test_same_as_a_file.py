"""A recording that is sent to a real page is heard as `auricle classify` hears the same bytes in a file.

Each of these is odd in one way: its container, its header, its end, or what stands before and behind its sound.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from device.config.loading import load_config
from device.replay.classify_command import answer_bytes, classify
from device.replay.replay_options import ReplayOptions
from tests.device.sources.test_formats import encode, header, run, without_end_flag
from tests.device.web.classifying.classify_page import Page
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

RATE_HZ = 16000
ID3 = b"ID3\4\0\0\0\0\2\0" + bytes(256)
ID3V1 = b"TAG" + bytes(125)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, tiny_bundle_path: Path) -> Iterator[Page]:
    with Page(tmp_path_factory.mktemp("page"), tiny_bundle_path) as page:
        yield page


def sound() -> np.ndarray[Any, np.dtype[np.float64]]:
    """A tone of three seconds in ten of noise."""
    samples = 1e-3 * np.random.default_rng(0).standard_normal(10 * RATE_HZ)
    samples[3 * RATE_HZ : 6 * RATE_HZ] += 0.3 * np.sin(2 * np.pi * 1000 * np.arange(3 * RATE_HZ) / RATE_HZ)
    return samples


def written(folder: Path, name: str, **options: str) -> bytes:
    soundfile.write(folder / name, sound(), RATE_HZ, **options)
    return (folder / name).read_bytes()


def with_data_bytes(content: bytes, count: int) -> bytes:
    at = content.index(b"data") + 4
    return content[:at] + struct.pack("<I", count) + content[at + 4 :]


def long_by_its_header(content: bytes) -> bytes:
    """FLAC whose STREAMINFO declares an hour."""
    changed = bytearray(content)
    changed[21] &= 0xF0
    changed[22:26] = struct.pack(">I", 3600 * RATE_HZ)
    return bytes(changed)


def ogg_flac(folder: Path) -> bytes:
    written(folder, "a.wav")
    run(program("flac"), "--silent", "--ogg", folder / "a.wav", "-o", folder / "a.oga")
    return (folder / "a.oga").read_bytes()


def mp3_in_wav(folder: Path) -> bytes:
    encode(folder / "a.wav", "libmp3lame", "wav")
    return (folder / "a.wav").read_bytes()


def opus(folder: Path) -> bytes:
    written(folder, "a.wav")
    run(program("opusenc"), "--quiet", folder / "a.wav", folder / "a.opus")
    return (folder / "a.opus").read_bytes()


def damaged_inside(content: bytes) -> bytes:
    at = len(content) * 2 // 3
    return content[:at] + bytes(byte ^ 0xFF for byte in content[at : at + 64]) + content[at + 64 :]


CASES: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "flac behind a tag": ("flac", lambda to: ID3 + written(to, "a.flac")),
    "flac behind two tags": ("flac", lambda to: ID3 + ID3 + written(to, "a.flac")),
    "flac before a tag": ("flac", lambda to: written(to, "a.flac") + ID3V1),
    "joined flac": ("flac", lambda to: 2 * written(to, "a.flac")),
    "joined flac with tags": ("flac", lambda to: 2 * (ID3 + written(to, "a.flac"))),
    "flac that breaks off": ("flac", lambda to: written(to, "a.flac")[:-50_000]),
    "damaged flac": ("flac", lambda to: damaged_inside(written(to, "a.flac"))),
    "flac that declares an hour": ("flac", lambda to: long_by_its_header(written(to, "a.flac"))),
    "opus": ("ogg", opus),
    "opus without its end": ("ogg", lambda to: without_end_flag(written(to, "a.ogg", format="OGG", subtype="OPUS"))),
    "joined vorbis": ("ogg", lambda to: 2 * written(to, "a.ogg")),
    "vorbis and opus": ("ogg", lambda to: written(to, "a.ogg") + opus(to)),
    "damaged vorbis": ("ogg", lambda to: damaged_inside(written(to, "a.ogg"))),
    "flac in ogg": ("ogg", ogg_flac),
    "wav that counts too little": ("wav", lambda to: with_data_bytes(written(to, "a.wav"), 1024)),
    "wav that counts too much": ("wav", lambda to: with_data_bytes(written(to, "a.wav"), 4000 * 2 * RATE_HZ)),
    "wav that does not count": ("wav", lambda to: with_data_bytes(written(to, "a.wav"), 0xFFFFFFFF)),
    "wav from a pipe": ("wav", lambda to: header(data_bytes=0, riff_bytes=0) + written(to, "a.wav")[44:]),
    "wav that breaks off": ("wav", lambda to: written(to, "a.wav")[:-100_001]),
    "wav before a tag": ("wav", lambda to: written(to, "a.wav") + ID3V1),
    "two files in one wav": ("wav", lambda to: 2 * written(to, "a.wav")),
    "wav of 24 bits": ("wav", lambda to: written(to, "a.wav", subtype="PCM_24")),
    "wav of floats": ("wav", lambda to: written(to, "a.wav", subtype="FLOAT")),
    "a-law in wav": ("wav", lambda to: written(to, "a.wav", subtype="ALAW")),
    "big-endian wav": ("wav", lambda to: written(to, "a.wav", endian="BIG")),
    "adpcm": ("wav", lambda to: written(to, "a.wav", subtype="MS_ADPCM")),
    "adpcm that counts too little": (
        "wav",
        lambda to: with_data_bytes(written(to, "a.wav", subtype="IMA_ADPCM"), 1024),
    ),
    "mp3 in wav": ("wav", mp3_in_wav),
    "rf64": ("wav", lambda to: written(to, "a.wav", format="RF64")),
    "bw64": ("wav", lambda to: b"BW64" + written(to, "a.wav", format="RF64")[4:]),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_bytes_give_the_same_answer(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    suffix, made = CASES[case]
    content = made(tmp_path)
    (tmp_path / f"recording.{suffix}").write_bytes(content)
    monkeypatch.chdir(tmp_path)  # the answer has the name as it is given
    in_a_file = classify(ReplayOptions(load_config(str(page.config)), workers=1), f"recording.{suffix}")
    assert in_a_file["scores"]
    assert page.post(content).content == answer_bytes(in_a_file)
