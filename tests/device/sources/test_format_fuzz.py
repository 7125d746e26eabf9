"""Two thousand mutated sound files: each is heard or refused in a sentence, soon, and none that another plays is."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.errors import RecordingError
from device.sources.recording import Recording

if TYPE_CHECKING:
    from pathlib import Path

MUTATIONS = 2000
RATE_HZ = 16000
LONGEST_S = 20.0
KINDS = [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]


def small_files() -> list[bytes]:
    """A quarter of a second in each format."""
    time_s = np.arange(RATE_HZ // 4) / RATE_HZ
    made = []
    for container, subtype in KINDS:
        stream = io.BytesIO()
        soundfile.write(stream, 0.3 * np.sin(2 * np.pi * 440 * time_s), RATE_HZ, format=container, subtype=subtype)
        made.append(stream.getvalue())
    return [*made, made[2] + made[3]]


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One to four bytes changed, or a stretch cut out, doubled or zeroed; half of the time in the header."""
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(0, min(len(damaged), 100) if rng.random() < 0.5 else len(damaged)))
        length = int(rng.integers(1, 40))
        kind = rng.integers(0, 5)
        if kind == 0:
            damaged[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            del damaged[at : at + length]
        elif kind == 2:
            damaged[at:at] = damaged[at : at + length]
        elif kind == 3:
            damaged[at : at + length] = bytes(length)
        else:
            damaged[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\xff\xff\xff\x7f", b"\1\0\0\0"])
        damaged = damaged or bytearray(b"R")
    return bytes(damaged)


def heard_samples(path: Path) -> tuple[int, str]:
    """Samples that were heard, and the sentence that ended them, if any."""
    count = 0
    try:
        with Recording(path) as recording:
            for block in recording.blocks():
                assert np.isfinite(block.samples).all()
                count += len(block.samples)
    except RecordingError as error:
        return count, str(error)
    return count, ""


def decodes(path: Path) -> bool:
    """Whether libsndfile alone gives sound."""
    try:
        with soundfile.SoundFile(path) as file:
            return file.samplerate in range(1000, 768_001) and len(file.read(256)) > 0
    except (soundfile.SoundFileError, TypeError):
        return False


@pytest.mark.parametrize("part", range(4))
def test_mutations_are_heard_or_refused_in_a_sentence(tmp_path: Path, part: int) -> None:
    rng, files = np.random.default_rng(part), small_files()
    refused = []
    for number in range(MUTATIONS // 4):
        path = tmp_path / f"{number}"
        path.write_bytes(mutated(files[number % len(files)], rng))
        began_s = time.monotonic()
        count, sentence = heard_samples(path)
        assert time.monotonic() - began_s < LONGEST_S, path
        assert "corrupt" not in sentence
        assert "\n" not in sentence
        assert not sentence or sentence.startswith(str(path))
        if not count and "contradicts itself" not in sentence and decodes(path):
            refused.append((number, sentence))
        path.unlink()
    assert refused == []
