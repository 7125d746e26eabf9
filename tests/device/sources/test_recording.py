"""Recordings of every shape come back as they were written, and damage is told after what could be heard."""

from __future__ import annotations

import csv
import os
import struct
import subprocess
import sys
import tracemalloc
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from device.errors import MissingExtraError, RecordingError
from device.sources.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

DATA = Path(__file__).parents[4] / "shared" / "data"
RATE_HZ = 16000
SMALL = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WIDTHS = {  # libsndfile's name -> the largest error of a sample of at most 0.9
    "PCM_S8": 2**-7,
    "PCM_U8": 2**-7,
    "PCM_16": 2**-15,
    "PCM_24": 2**-23,
    "PCM_32": 2**-24,
    "FLOAT": 0.0,
    "DOUBLE": 0.0,
    "ULAW": 2**-5,
    "ALAW": 2**-5,
}


def noise(frames: int, channels: int = 1, seed: int = 0) -> Float32:
    """Uniform noise in [-0.9, 0.9], (frames, channels)."""
    return np.random.default_rng(seed).uniform(-0.9, 0.9, (frames, channels)).astype(np.float32)


def tones(frames: int, channels: int, rate_hz: int) -> Float32:
    """Chords of slowly fading sines, (frames, channels): what a lossy codec keeps."""
    time_s = np.arange(frames)[:, None] / rate_hz
    pitches_hz = rate_hz / 40 * (1 + np.arange(channels))[None, :]
    return (0.5 * np.sin(2 * np.pi * pitches_hz * time_s) * np.exp(-time_s)).astype(np.float32)


def wav_bytes(  # each argument is a field of the header
    payload: bytes,
    *,
    rate_hz: int = RATE_HZ,
    channels: int = 1,
    tag: int = 1,
    bits: int = 16,
    data_bytes: int | None = None,
    riff_bytes: int | None = None,
    behind: bytes = b"",
) -> bytes:
    """A WAV file as its bytes; sizes that are not given are the true ones."""
    width = bits // 8
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, tag, channels, rate_hz, 0, channels * width % 65536, bits)
    body += b"data" + struct.pack("<I", len(payload) if data_bytes is None else data_bytes) + payload + behind
    return b"RIFF" + struct.pack("<I", len(body) if riff_bytes is None else riff_bytes) + body


def rf64_bytes(payload: bytes, *, data_bytes: int) -> bytes:
    """An RF64 file of 16-bit samples whose ds64 chunk declares this many bytes."""
    body = b"WAVEds64" + struct.pack("<IQQQI", 28, data_bytes + 72, data_bytes, data_bytes // 2, 0)
    body += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    return b"RF64\xff\xff\xff\xff" + body + b"data\xff\xff\xff\xff" + payload


def pcm16(samples: Float32) -> bytes:
    """Little-endian 16-bit samples."""
    return np.round(samples * 2**15).astype("<i2").tobytes()


def encoded(folder: Path, suffix: str, frames: int = 20000, **options: Any) -> bytes:
    """Noise in a file of this kind, as its bytes."""
    path = folder / f"encoded{suffix}"
    soundfile.write(path, noise(frames), RATE_HZ, **options)
    return path.read_bytes()


def hear(path: Path, **options: Any) -> tuple[Float32, RecordingError | None]:
    """All samples of a recording, and how it ended."""
    with Recording(path, **options) as recording:
        pieces: list[Float32] = []
        try:
            pieces.extend(block.samples for block in recording.blocks())
        except RecordingError as exc:
            return joined(pieces), exc
        return joined(pieces), None


def joined(pieces: list[Float32]) -> Float32:
    """One array of float32 pieces, which may be none."""
    return np.concatenate([np.zeros(0, np.float32), *pieces])


def heard_whole(path: Path, **options: Any) -> Float32:
    """All samples of a recording that has nothing wrong with it."""
    samples, failure = hear(path, **options)
    assert failure is None
    return samples


def refusal(path: Path | str, **options: Any) -> str:
    """The sentence with which a file is refused when it is opened."""
    with pytest.raises(RecordingError) as caught:
        Recording(path, **options).close()
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    assert sentence.endswith(".")
    return sentence


# ---- every shape


@pytest.mark.parametrize(("kind", "subtype"), [
    *product(["WAV", "WAVEX", "RF64"], ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]),
    ("WAV", "ULAW"), ("WAV", "ALAW"),
    *product(["FLAC"], ["PCM_S8", "PCM_16", "PCM_24"]),
])  # fmt: skip
def test_every_width_rate_and_channel_count_comes_back(tmp_path: Path, kind: str, subtype: str) -> None:
    for rate_hz, channels in product([1000, 4000, 11025, 44100, 192000], [1, 2, 6]):
        written = noise(3000, channels, seed=rate_hz)
        path = tmp_path / "a.bin"  # the name must not matter
        soundfile.write(path, written, rate_hz, format=kind, subtype=subtype)
        for channel in range(channels):
            with Recording(path, channel=channel) as recording:
                heard = joined([block.samples for block in recording.blocks()])
                assert (recording.sample_rate_hz, recording.channels, recording.frames) == (rate_hz, channels, 3000)
                assert recording.duration_s == 3000 / rate_hz
            np.testing.assert_allclose(heard, written[:, channel], rtol=0, atol=WIDTHS[subtype])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_big_endian_wav_comes_back(tmp_path: Path, subtype: str) -> None:
    written = noise(3000, 2)
    soundfile.write(tmp_path / "a.wav", written, RATE_HZ, subtype=subtype, endian="BIG")
    assert (tmp_path / "a.wav").read_bytes().startswith(b"RIFX")
    heard = heard_whole(tmp_path / "a.wav", channel=1)
    np.testing.assert_allclose(heard, written[:, 1], rtol=0, atol=WIDTHS[subtype])


@pytest.mark.parametrize(("subtype", "rates_hz"), [
    ("VORBIS", [8000, 11025, 16000, 44100, 48000]),
    ("OPUS", [8000, 16000, 48000]),
])  # fmt: skip
def test_every_ogg_rate_and_channel_count_comes_back(tmp_path: Path, subtype: str, rates_hz: list[int]) -> None:
    for rate_hz, channels in product(rates_hz, [1, 2]):
        written = tones(rate_hz, channels, rate_hz)
        path = tmp_path / "a.ogg"
        soundfile.write(path, written, rate_hz, format="OGG", subtype=subtype)
        for channel in range(channels):
            heard = heard_whole(path, channel=channel)
            assert len(heard) == rate_hz
            assert np.corrcoef(heard, written[:, channel])[0, 1] > 0.98


@given(samples=st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=200))
@SMALL
def test_16_bit_samples_come_back_exactly(tmp_path: Path, samples: list[int]) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(np.array(samples, "<i2").tobytes()))
    assert (heard_whole(path) * 2**15).tolist() == samples


def test_channels_are_mixed_to_their_mean(tmp_path: Path) -> None:
    written = noise(5000, 3)
    soundfile.write(tmp_path / "a.wav", written, RATE_HZ, subtype="FLOAT")
    np.testing.assert_allclose(heard_whole(tmp_path / "a.wav"), written.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("channel", [-1, 2, 7])
def test_a_channel_that_is_not_there_names_how_many_are(tmp_path: Path, channel: int) -> None:
    soundfile.write(tmp_path / "a.flac", noise(100, 2), RATE_HZ)
    sentence = refusal(tmp_path / "a.flac", channel=channel)
    assert f"has no channel {channel + 1}; it has 2 channels, the first is 1" in sentence


def test_chunks_around_the_sound_are_passed_over(tmp_path: Path) -> None:
    plain = wav_bytes(pcm16(noise(999)))
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    path = tmp_path / "a.wav"
    path.write_bytes(plain[:12] + odd + plain[12:36] + odd + plain[36:] + odd + b"junk")
    np.testing.assert_allclose(heard_whole(path), noise(999)[:, 0], atol=2**-15)


def test_narrow_samples_in_a_wider_container_are_read_by_the_container(tmp_path: Path) -> None:
    # 20 bits stand in the upper bits of 24, as WAVEFORMATEXTENSIBLE demands.
    header = bytearray(wav_bytes(b"\x00\x00\x40" * 100, bits=24))
    header[34:36] = struct.pack("<H", 20)
    (tmp_path / "a.wav").write_bytes(header)
    assert (heard_whole(tmp_path / "a.wav") == 0.5).all()


# ---- blocks


@given(block_samples=st.integers(1, 70000), kind=st.sampled_from([".wav", ".flac", ".ogg"]))
@example(block_samples=1, kind=".wav")
@example(block_samples=60 * RATE_HZ, kind=".flac")
@settings(SMALL, max_examples=30)
def test_block_size_never_changes_the_samples(tmp_path: Path, block_samples: int, kind: str) -> None:
    path = tmp_path / f"a{kind}"
    if not path.exists():
        soundfile.write(path, noise(60000, 2), RATE_HZ)
    with Recording(path, block_samples=block_samples) as recording:
        blocks = list(recording.blocks())
    assert [len(block.samples) for block in blocks[:-1]] == [block_samples] * (len(blocks) - 1)
    assert 1 <= len(blocks[-1].samples) <= block_samples
    np.testing.assert_array_equal(joined([block.samples for block in blocks]), heard_whole(path))


def test_blocks_are_float32_mono_and_count_their_samples(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(20001, 2), RATE_HZ, subtype="DOUBLE")
    with Recording(tmp_path / "a.wav") as recording:
        blocks = list(recording.blocks())
    assert [(block.start_sample, block.end_sample) for block in blocks] == [(0, 8000), (8000, 16000), (16000, 20001)]
    for block in blocks:
        assert block.samples.dtype == np.float32
        assert block.samples.ndim == 1
        assert block.sample_rate_hz == RATE_HZ
        assert not block.after_gap


def test_blocks_do_not_change_after_they_were_given_out(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(50000), RATE_HZ)
    with Recording(tmp_path / "a.wav", block_samples=100) as recording:
        blocks = recording.blocks()
        first = next(blocks)
        then = first.samples.copy()
        list(blocks)
    np.testing.assert_array_equal(first.samples, then)


def test_a_block_has_a_sample_at_least(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(10), RATE_HZ)
    with pytest.raises(ValueError, match="block_samples is 0"):
        Recording(tmp_path / "a.wav", block_samples=0)


def test_samples_beyond_full_scale_are_clipped_and_counted(tmp_path: Path) -> None:
    written = np.array([0.0, 1.0, 1.5, -1.0, -3.0, 0.5])
    for subtype in ("FLOAT", "DOUBLE"):
        soundfile.write(tmp_path / "a.wav", written, RATE_HZ, subtype=subtype)
        with Recording(tmp_path / "a.wav") as recording:
            heard = joined([block.samples for block in recording.blocks()])
            assert heard.tolist() == [0.0, 1.0, 1.0, -1.0, -1.0, 0.5]
            assert recording.clipped_samples == 2


def test_a_double_beyond_the_range_of_a_float_is_loud_and_not_infinite(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.0, 1e300, -1e300]), RATE_HZ, subtype="DOUBLE")
    assert heard_whole(tmp_path / "a.wav").tolist() == [0.0, 1.0, -1.0]


# ---- memory


def sparse_wav(path: Path, frames: int) -> None:
    """Digital silence in 8 bits: a file of any length that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(wav_bytes(b"", bits=8, rate_hz=8000, data_bytes=frames, riff_bytes=frames + 36))
        file.truncate(44 + frames)


def peak_bytes(path: Path) -> int:
    """The most memory that reading a whole recording took."""
    tracemalloc.start()
    with Recording(path) as recording:
        heard = sum(len(block.samples) for block in recording.blocks())
        assert heard == recording.frames
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_ten_hours_take_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    sparse_wav(tmp_path / "minute.wav", 60 * 8000)
    sparse_wav(tmp_path / "night.wav", 10 * 3600 * 8000)
    # The interpreter's own tables grow once, by 2 MB; the night holds 1152 MB of float32.
    assert peak_bytes(tmp_path / "night.wav") < peak_bytes(tmp_path / "minute.wav") + 4_000_000


def test_a_header_that_claims_2_to_the_60_frames_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(rf64_bytes(pcm16(noise(1000)), data_bytes=2**61))
    tracemalloc.start()
    heard, failure = hear(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(heard) == 1000
    assert "its header declares 72057594037927.938 s" in str(failure)
    assert peak < 2_000_000


def test_a_thousand_channels_are_read_without_much_memory(tmp_path: Path) -> None:
    payload = np.tile(np.arange(1000, dtype="<i2"), 5000).tobytes()
    (tmp_path / "a.wav").write_bytes(wav_bytes(payload, channels=1000))
    tracemalloc.start()
    heard = heard_whole(tmp_path / "a.wav", channel=999)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (heard * 2**15).tolist() == [999] * 5000
    assert peak < 2_000_000


# ---- what is refused at once


def test_what_is_missing_a_directory_or_empty_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    assert "does not exist" in refusal(tmp_path / "no.wav")
    assert "is a directory" in refusal(tmp_path)
    assert "is empty (0 bytes)" in refusal(tmp_path / "empty.wav")
    assert "cannot be read" in refusal("a\0b.wav")


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(10), RATE_HZ)
    path.chmod(0)
    root = os.geteuid() == 0
    if root:  # who may read everything
        os.seteuid(65534)
    try:
        sentence = refusal(path)
    finally:
        if root:
            os.seteuid(0)
    assert "cannot be read (Permission denied)" in sentence


def test_pipes_and_devices_are_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.wav")
    assert "no regular file" in refusal(tmp_path / "a.wav")
    assert "no regular file" in refusal("/dev/zero")


@pytest.mark.parametrize(
    "content", [b"\0", b"ID3" + bytes(100), b"#EXTM3U\n/etc/passwd\n", b"hello, I am a text\n" * 100, bytes(10000)]
)
def test_what_is_no_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    assert "is not audio that can be read here; WAV, FLAC" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize(("content", "why"), [
    (b"RIFF", "ends within its header"),
    (wav_bytes(bytes(100))[:30], "ends within its header"),
    (wav_bytes(bytes(100))[:40], "ends within its header"),
    (b"RIFF\0\0\0\0AVI " + bytes(100), "no WAVE"),
    (b"RIFF\0\0\0\0WAVE" + bytes(100000), "no sound within its first 1000 chunks"),
    (b"RIFF\0\0\0\0WAVEdata" + bytes(100), "its sound comes before its format"),
    (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0\1\0", "its format chunk has 2 bytes"),
    (wav_bytes(bytes(100), channels=0), "declares 0 channels instead of 1 to 1024"),
    (wav_bytes(bytes(100), channels=65535), "declares 65535 channels"),
    (wav_bytes(bytes(100), tag=0x1234), "holds an unknown codec (format tag 0x1234) in a WAV file"),
    (b"fLaC" + bytes(10), "has no STREAMINFO block"),
    (b"fLaC" + bytes(100), "holds FLAC that cannot be decoded here"),
    (b"OggS" + bytes(100), "holds an unknown codec in an Ogg file that cannot be decoded here"),
])  # fmt: skip
def test_a_corrupt_header_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    assert why in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("rate_hz", [0, 1, 999, 768001, 2**31 - 1, 2**32 - 1])
def test_a_rate_that_no_microphone_has_is_refused(tmp_path: Path, rate_hz: int) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes(bytes(100), rate_hz=rate_hz))
    assert f"a rate of {rate_hz} Hz; 1000 to 768000 Hz work" in refusal(tmp_path / "a.wav")


def flac_header(content: bytes) -> bytes:
    """The metadata blocks of a FLAC file, without its sound."""
    position, last = 4, False
    while not last:
        last = bool(content[position] & 0x80)
        position += 4 + int.from_bytes(content[position + 1 : position + 4], "big")
    return content[:position]


@pytest.mark.parametrize("declared", [20000, 0])
def test_a_flac_without_any_sound_is_told(tmp_path: Path, declared: int) -> None:
    content = bytearray(flac_header(encoded(tmp_path, ".flac")))
    content[22:26] = struct.pack(">I", declared)
    (tmp_path / "a.flac").write_bytes(content)
    heard, failure = hear(tmp_path / "a.flac")
    assert not len(heard)
    assert ("breaks off after 0.000 s" if declared else "holds no sound") in str(failure)


def test_an_ogg_without_any_sound_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.ogg", np.zeros(0), RATE_HZ)
    assert "holds no sound" in refusal(tmp_path / "a.ogg")
    whole = encoded(tmp_path, ".ogg")
    pages = [index for index in range(len(whole)) if whole.startswith(b"OggS", index)]
    (tmp_path / "b.ogg").write_bytes(whole[: pages[2]])  # the page that identifies, the page that sets up
    assert "holds no sound" in refusal(tmp_path / "b.ogg")


def test_a_header_alone_is_refused_whatever_it_declares(tmp_path: Path) -> None:
    behind = b"LIST\4\0\0\0abcd"
    for content in (
        wav_bytes(b""),
        wav_bytes(b"", data_bytes=1000),
        wav_bytes(b"", data_bytes=0xFFFFFFFF),
        wav_bytes(b"\0"),
        wav_bytes(b"", behind=behind),
    ):
        (tmp_path / "a.wav").write_bytes(content)
        assert "holds no sound" in refusal(tmp_path / "a.wav")


def test_without_soundfile_the_extra_is_named_and_bare_samples_are_heard(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['soundfile'] = None\n"
        "from device.errors import MissingExtraError\n"
        "from device.sources.recording import Recording\n"
        "try: print(Recording(sys.argv[1]).sample_rate_hz)\n"
        "except MissingExtraError as exc: print(exc)"
    )
    assert issubclass(MissingExtraError, ImportError)
    for name, said in (("a.flac", "pip install 'auricle[device]'"), ("a.wav", str(RATE_HZ))):
        soundfile.write(tmp_path / name, noise(RATE_HZ), RATE_HZ)
        command = [sys.executable, "-c", script, str(tmp_path / name)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert said in result.stdout


# ---- what breaks off: what could be heard comes first


def check_breaks_off(path: Path, whole: Float32, *, at_least: int, why: str) -> None:
    heard, failure = hear(path)
    assert at_least <= len(heard) < len(whole)
    np.testing.assert_array_equal(heard, whole[: len(heard)])
    sentence = str(failure)
    assert sentence.startswith(f"{path} breaks off after {len(heard) / RATE_HZ:.3f} s (")
    assert why in sentence
    assert "what was heard until then is kept" in sentence


def test_a_wav_that_is_shorter_than_its_header_declares_breaks_off(tmp_path: Path) -> None:
    whole = wav_bytes(pcm16(noise(20000)))
    path = tmp_path / "a.wav"
    path.write_bytes(whole)
    samples = heard_whole(path)
    for kept in (44 + 30001, 44 + 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        check_breaks_off(path, samples, at_least=(kept - 44) // 2, why="its header declares 1.250 s")


def test_an_rf64_that_is_shorter_than_its_header_declares_breaks_off(tmp_path: Path) -> None:
    samples = noise(1000)
    (tmp_path / "a.wav").write_bytes(rf64_bytes(pcm16(samples), data_bytes=2000))
    whole = heard_whole(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(rf64_bytes(pcm16(samples[:500]), data_bytes=2000))
    check_breaks_off(tmp_path / "a.wav", whole, at_least=500, why="its header declares 0.062 s")


@pytest.mark.parametrize("data_bytes", [0xFFFFFFFF, 0xFFFFFFDB, 0x80000000, 0x7FFFFFFF, 0x7FFFFF00, 0x7FFFF000])
def test_a_stream_whose_length_was_never_known_is_whole(tmp_path: Path, data_bytes: int) -> None:
    # ffmpeg, arecord and sox leave these sizes where they write into a pipe.
    (tmp_path / "a.wav").write_bytes(wav_bytes(pcm16(noise(1000)), data_bytes=data_bytes))
    assert len(heard_whole(tmp_path / "a.wav")) == 1000


@pytest.mark.parametrize("riff_bytes", [0, 36, 0xFFFFFFFF])
def test_a_recording_whose_recorder_was_killed_is_whole(tmp_path: Path, riff_bytes: int) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes(pcm16(noise(1000)), data_bytes=0, riff_bytes=riff_bytes))
    assert len(heard_whole(tmp_path / "a.wav")) == 1000
    with Recording(tmp_path / "a.wav") as recording:
        assert ["declares no length" in note for note in recording.notes] == [True]


def test_an_rf64_of_unknown_length_is_whole(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(rf64_bytes(pcm16(noise(1000)), data_bytes=0))
    assert len(heard_whole(tmp_path / "a.wav")) == 1000


def test_a_flac_that_is_cut_short_breaks_off(tmp_path: Path) -> None:
    whole = encoded(tmp_path, ".flac")
    samples = heard_whole(tmp_path / "encoded.flac")
    path = tmp_path / "a.flac"
    for part in (0.4, 0.7, 0.99):
        path.write_bytes(whole[: int(part * len(whole))])
        check_breaks_off(path, samples, at_least=int(part * 20000) - 4096, why="")


def test_a_flac_of_unknown_length_is_whole(tmp_path: Path) -> None:
    content = bytearray(encoded(tmp_path, ".flac"))
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    with Recording(tmp_path / "a.flac") as recording:
        assert recording.frames is None
        assert recording.duration_s is None
        assert "unknown length" in repr(recording)
    assert len(heard_whole(tmp_path / "a.flac")) == 20000


def test_a_flac_that_declares_more_than_it_holds_breaks_off(tmp_path: Path) -> None:
    content = bytearray(encoded(tmp_path, ".flac"))
    content[22:26] = struct.pack(">I", 40000)
    (tmp_path / "a.flac").write_bytes(content)
    heard, failure = hear(tmp_path / "a.flac")
    assert len(heard) == 20000
    assert "breaks off after 1.250 s (its header declares 2.500 s)" in str(failure)


def test_a_flipped_bit_in_a_flac_ends_it_without_a_false_sample(tmp_path: Path) -> None:
    whole = encoded(tmp_path, ".flac")
    samples = heard_whole(tmp_path / "encoded.flac")
    for position in range(len(whole) // 4, len(whole), len(whole) // 9):
        content = bytearray(whole)
        content[position] ^= 0x10
        (tmp_path / "a.flac").write_bytes(content)
        part = position / len(whole)
        check_breaks_off(tmp_path / "a.flac", samples, at_least=int(part * 20000) - 2 * 4096, why="")


def test_an_ogg_that_is_cut_short_breaks_off(tmp_path: Path) -> None:
    whole = encoded(tmp_path, ".ogg", frames=80000)
    samples = heard_whole(tmp_path / "encoded.ogg")
    path = tmp_path / "a.ogg"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    check_breaks_off(path, samples, at_least=20000, why="it ends within page")


def test_an_ogg_that_ends_between_two_pages_is_heard_to_its_end_and_may_have_been_cut(tmp_path: Path) -> None:
    """Nothing distinguishes a cut there from a recorder that was killed, so that no more is claimed."""
    whole = encoded(tmp_path, ".ogg", frames=80000)
    samples = heard_whole(tmp_path / "encoded.ogg")
    path = tmp_path / "a.ogg"
    path.write_bytes(whole[: whole.rindex(b"OggS")])
    with Recording(path) as recording:
        heard = np.concatenate([block.samples for block in recording.blocks()])
        (note,) = recording.notes
    assert 20000 <= len(heard) < len(samples)
    np.testing.assert_array_equal(heard, samples[: len(heard)])
    assert "its last page is not flagged as the last" in note
    assert "so does a cut between two pages" in note


def test_a_damaged_ogg_is_heard_up_to_the_damaged_page(tmp_path: Path) -> None:
    whole = encoded(tmp_path, ".ogg", frames=160000)
    samples = heard_whole(tmp_path / "encoded.ogg")
    path = tmp_path / "a.ogg"
    middle = whole.index(b"OggS", len(whole) // 2)
    after = whole.index(b"OggS", middle + 1)
    for content, why in (
        (whole[: middle + 40] + bytes([whole[middle + 40] ^ 1]) + whole[middle + 41 :], "fails its checksum"),
        (whole[:middle] + whole[after:], "a page is missing"),
        (whole[:middle] + bytes(after - middle) + whole[after:], "is overwritten"),
    ):
        path.write_bytes(content)
        check_breaks_off(path, samples, at_least=40000, why=why)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_what_others_append_to_a_whole_file_is_no_damage(tmp_path: Path, suffix: str) -> None:
    whole = encoded(tmp_path, suffix)
    samples = heard_whole(tmp_path / f"encoded{suffix}")
    (tmp_path / f"a{suffix}").write_bytes(whole + b"TAG" + bytes(125))
    np.testing.assert_array_equal(heard_whole(tmp_path / f"a{suffix}"), samples)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_all_before_a_nan_is_heard_and_its_second_named(tmp_path: Path, subtype: str, value: float) -> None:
    written = noise(3 * RATE_HZ, 2)
    written[RATE_HZ * 5 // 2, 1] = value
    path = tmp_path / "a.wav"
    soundfile.write(path, written, RATE_HZ, subtype=subtype)
    heard, failure = hear(path)
    np.testing.assert_allclose(heard, written[: RATE_HZ * 5 // 2].mean(axis=1), atol=1e-7)
    assert "breaks off after 2.500 s (it holds NaN or infinity)" in str(failure)
    assert len(heard_whole(path, channel=0)) == 3 * RATE_HZ  # the other channel is whole


def test_a_disk_that_fails_while_it_is_read_breaks_the_recording_off(tmp_path: Path) -> None:
    # Found while writing: an exception within the decoder's callback was printed and taken for the end.
    soundfile.write(tmp_path / "a.wav", noise(50000), RATE_HZ)
    with Recording(tmp_path / "a.wav") as recording:
        blocks = recording.blocks()
        next(blocks)
        assert recording._file is not None
        directory = os.open(tmp_path, os.O_RDONLY)  # reading a directory is a real EISDIR
        os.dup2(directory, recording._file.fileno())
        os.close(directory)
        with pytest.raises(RecordingError, match=r"breaks off after \d\.\d+ s \(Is a directory\)"):
            list(blocks)


# ---- life


def test_closing_twice_is_allowed_and_repr_tells_the_truth(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(RATE_HZ, 2), RATE_HZ)
    recording = Recording(path)
    assert repr(recording) == f"Recording({str(path)!r}, 16000 Hz, 2 channels, 1.000 s)"
    assert recording.path == str(path)
    recording.close()
    recording.close()
    assert recording.closed
    assert repr(recording) == f"Recording({str(path)!r}, closed)"
    with pytest.raises(RecordingError, match="is closed"):
        next(recording.blocks())


def test_a_recording_is_read_once(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(100), RATE_HZ)
    with Recording(tmp_path / "a.wav") as recording:
        assert not recording.closed
        list(recording.blocks())
        with pytest.raises(RecordingError, match="has been read already"):
            next(recording.blocks())


def test_closing_in_the_middle_ends_the_blocks(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(100000), RATE_HZ)
    with Recording(tmp_path / "a.wav", block_samples=100) as recording:
        blocks = recording.blocks()
        next(blocks)
    assert len(list(blocks)) < 1000


def test_a_refused_file_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav_bytes(bytes(100), rate_hz=1))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        refusal(tmp_path / "a.wav")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# ---- fuzz


def small_files(folder: Path) -> dict[str, bytes]:
    """Short valid files of each kind, in every container that is read."""
    plain = wav_bytes(pcm16(noise(700)))
    floats = wav_bytes(noise(300, 2).astype("<f4").tobytes(), tag=3, bits=32, channels=2)
    return {
        "wav": plain,
        "float": floats,
        "rf64": rf64_bytes(pcm16(noise(300)), data_bytes=600),
        "flac": encoded(folder, ".flac", frames=2000),
        "vorbis": encoded(folder, ".ogg", frames=4000),
        "opus": encoded(folder, ".ogg", frames=4000, format="OGG", subtype="OPUS"),
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return small_files(tmp_path_factory.mktemp("corpus"))


def flip(content: bytes, position: int, data: bytes) -> bytes:
    """Overwrite bytes by their exclusive or with other bytes."""
    damaged = bytearray(content)
    for offset, byte in enumerate(data[: len(content) - position]):
        damaged[position + offset] ^= byte
    return bytes(damaged)


DAMAGES: dict[str, Callable[[bytes, int, bytes], bytes]] = {
    "flip": flip,
    "overwrite": lambda content, position, data: content[:position] + data + content[position + len(data) :],
    "insert": lambda content, position, data: content[:position] + data + content[position:],
    "remove": lambda content, position, data: content[:position] + content[position + len(data) :],
    "truncate": lambda content, position, _: content[:position],
    "repeat": lambda content, position, data: content[:position] * (1 + len(data) % 4) + content[position:],
}

damage = st.tuples(
    st.sampled_from(sorted(DAMAGES)),
    # A header is small beside its sound: half of all damage hits it.
    st.one_of(st.integers(0, 120), st.integers(0, 10_000)),
    st.one_of(st.binary(min_size=1, max_size=40), st.sampled_from([b"\0" * 8, b"\xff" * 4, b"\xff" * 40])),
)


@given(kind=st.sampled_from(["wav", "float", "rf64", "flac", "vorbis", "opus"]), damages=st.lists(damage, max_size=4))
@settings(SMALL, max_examples=1500)
def test_damage_of_any_kind_raises_recording_errors_alone(
    tmp_path: Path, corpus: dict[str, bytes], kind: str, damages: list[tuple[str, int, bytes]]
) -> None:
    content = corpus[kind]
    for how, position, data in damages:
        content = DAMAGES[how](content, min(position, max(0, len(content) - 1)), data)
    path = tmp_path / "damaged"
    path.write_bytes(content)
    try:
        samples, failure = hear(path)
    except RecordingError as exc:
        samples, failure = np.zeros(0, np.float32), exc
    assert np.isfinite(samples).all()
    assert (np.abs(samples) <= 1).all()
    if failure is not None:
        assert str(failure).startswith(str(path))
        assert "\n" not in str(failure)
    assert failure is not None or damages or len(samples) > 0


@given(content=st.binary(max_size=300), magic=st.sampled_from([b"RIFF\0\0\0\0WAVEfmt ", b"RF64", b"fLaC", b"OggS\0"]))
@settings(SMALL, max_examples=500)
def test_any_bytes_behind_a_magic_raise_recording_errors_alone(tmp_path: Path, content: bytes, magic: bytes) -> None:
    (tmp_path / "a").write_bytes(magic + content)
    try:
        samples, _ = hear(tmp_path / "a")
    except RecordingError:
        return
    assert np.isfinite(samples).all()


# ---- real audio


def manifest(name: str) -> list[tuple[Path, int, float]]:
    """(file, rate, seconds) of all clips of a set."""
    with (DATA / name / "manifest.csv").open(newline="") as file:
        return [(DATA / name / row["file"], int(row["sr"]), float(row["duration"])) for row in csv.DictReader(file)]


@pytest.mark.real_audio
@pytest.mark.parametrize("name", ["esc50", "donateacry", "sprsound", "ambient"])
def test_real_recordings_last_as_long_as_their_manifest_says(name: str) -> None:
    clips = manifest(name)
    assert len(clips) > 100
    for path, rate_hz, duration_s in clips[:: len(clips) // 25]:
        with Recording(path) as recording:
            heard = sum(len(block.samples) for block in recording.blocks())
            assert recording.sample_rate_hz == rate_hz
            assert heard == recording.frames
            assert recording.duration_s == pytest.approx(duration_s, abs=6e-4)


@pytest.mark.real_audio
def test_the_hospital_recordings_are_read_as_they_were_shipped() -> None:
    paths = sorted((DATA / "icbhi_sample").rglob("*.wav"))
    assert len(paths) == 8
    for path in paths:
        with Recording(path) as recording:
            heard = joined([block.samples for block in recording.blocks()])
        reference, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        assert recording.sample_rate_hz == rate_hz
        np.testing.assert_allclose(heard, reference.mean(axis=1), atol=1e-7)
