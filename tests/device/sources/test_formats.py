"""Every kind of sound file that people have is heard whole, or named with what converts it; none is called corrupt."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import wave
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from device.__main__ import main
from device.errors import RecordingError
from device.sources.containers.ogg import _checksum
from device.sources.recording import Recording
from tests.device.sources.sound_files import RATE_HZ, heard, pitch_hz, tone, whole
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def run(*command: str | Path, stdin: bytes | None = None) -> bytes:
    return subprocess.run([str(word) for word in command], input=stdin, capture_output=True, check=True).stdout


# --- chained streams


Shape = tuple[float, float, int, int]  # seconds, pitch, rate, channels


def chain(path: Path, subtype: str, shapes: Sequence[Shape]) -> None:
    """Streams one behind the other in one file, as `cat` and stream rippers make them."""
    content = b""
    for seconds, at_hz, rate_hz, channels in shapes:
        part = path.with_suffix(f".{len(content)}")
        soundfile.write(part, tone(seconds, at_hz, rate_hz, channels), rate_hz, format="OGG", subtype=subtype)
        content += part.read_bytes()
        part.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("shapes", [
    [(3.0, 440.0, 16000, 1), (2.0, 880.0, 16000, 1)],
    [(3.0, 440.0, 16000, 1), (2.0, 880.0, 48000, 2), (1.5, 600.0, 8000, 1)],
    [(2.0, 440.0, 48000, 2), (2.0, 880.0, 8000, 1), (1.0, 500.0, 48000, 1), (2.0, 700.0, 16000, 2)],
])  # fmt: skip
def test_all_links_of_a_chain_are_heard_whatever_their_rates(
    tmp_path: Path, subtype: str, shapes: Sequence[Shape]
) -> None:
    path = tmp_path / "chain.ogg"
    chain(path, subtype, shapes)
    samples, rate_hz = whole(path)
    assert rate_hz == shapes[0][2]
    assert len(samples) / rate_hz == pytest.approx(sum(shape[0] for shape in shapes), abs=0.001)
    with Recording(path) as recording:
        assert recording.duration_s == pytest.approx(len(samples) / rate_hz, abs=0.001)
    at_s = 0.0
    for seconds, at_hz, _, _ in shapes:
        link = samples[round((at_s + 0.2) * rate_hz) : round((at_s + seconds - 0.2) * rate_hz)]
        assert pitch_hz(link, rate_hz) == pytest.approx(at_hz, abs=3)
        assert np.sqrt(np.mean(link**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)
        at_s += seconds


@pytest.mark.parametrize("block_samples", [1, 799, 100_000])
def test_blocks_of_a_chain_hold_the_same_samples_whatever_their_size(tmp_path: Path, block_samples: int) -> None:
    path = tmp_path / "chain.ogg"
    chain(path, "VORBIS", [(0.3, 440.0, 16000, 1), (0.3, 880.0, 48000, 2)])
    samples, _ = whole(path)
    np.testing.assert_array_equal(whole(path, block_samples=block_samples)[0], samples)


def test_a_channel_of_a_chain_is_that_channel_wherever_there_is_one(tmp_path: Path) -> None:
    stereo = np.concatenate([tone(1, 440), tone(1, 1000)], axis=1)
    parts = []
    for name, sound in (("1", stereo), ("2", tone(1, 700)), ("3", stereo)):
        soundfile.write(tmp_path / name, sound, RATE_HZ, format="OGG", subtype="VORBIS")
        parts.append((tmp_path / name).read_bytes())
    (tmp_path / "chain.ogg").write_bytes(b"".join(parts))
    samples, _ = whole(tmp_path / "chain.ogg", channel=1)
    pitches = [pitch_hz(samples[at : at + RATE_HZ // 2], RATE_HZ) for at in (4000, 20000, 36000)]
    assert pitches == pytest.approx([1000, 700, 1000], abs=3)


def test_a_chain_that_is_cut_in_its_last_link_is_heard_up_to_there_and_said_to_break_off(tmp_path: Path) -> None:
    path = tmp_path / "chain.ogg"
    chain(path, "VORBIS", [(2.0, 440.0, 16000, 1), (8.0, 880.0, 48000, 1)])
    content = path.read_bytes()
    path.write_bytes(content[: -len(content) // 4])
    samples, rate_hz, failure, _ = heard(path)
    assert 4.0 < len(samples) / rate_hz < 10.0
    assert f"breaks off after {len(samples) / rate_hz:.1f}" in str(failure)


UNFLAGGED = (
    "its last page is not flagged as the last (a recorder that was killed leaves that, and so does a cut between two "
    "pages): it is heard to its end"
)


def without_end_flag(content: bytes) -> bytes:
    """An Ogg file whose last page is not flagged as such: its writer was killed."""
    at = content.rindex(b"OggS")
    page = bytearray(content[at:])
    page[5] &= ~4
    page[22:26] = struct.pack("<I", _checksum(bytes(page)))
    return content[:at] + bytes(page)


@pytest.mark.parametrize("channels", [1, 2])
def test_opus_without_its_end_flag_is_heard_to_its_end(tmp_path: Path, channels: int) -> None:
    soundfile.write(tmp_path / "a.wav", tone(3, channels=channels), RATE_HZ)
    run(program("opusenc"), "--quiet", tmp_path / "a.wav", tmp_path / "a.opus")
    complete, _ = whole(tmp_path / "a.opus")
    (tmp_path / "b.opus").write_bytes(without_end_flag((tmp_path / "a.opus").read_bytes()))
    for tag in (b"", b"TAG" + bytes(125)):  # a player may have appended one
        (tmp_path / "b.opus").write_bytes(without_end_flag((tmp_path / "a.opus").read_bytes()) + tag)
        samples, _, failure, notes = heard(tmp_path / "b.opus")
        np.testing.assert_array_equal(samples, complete)
        assert failure is None
        assert notes == (f"{tmp_path / 'b.opus'}: {UNFLAGGED}.",)


def test_vorbis_whose_recorder_was_killed_is_heard_to_its_end_and_noted_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was said to break off, with exit code 2, although nobody can know whether anything is missing."""
    soundfile.write(tmp_path / "a.ogg", tone(4), RATE_HZ)
    complete, _ = whole(tmp_path / "a.ogg")
    content = (tmp_path / "a.ogg").read_bytes()
    (tmp_path / "b.ogg").write_bytes(without_end_flag(content))
    samples, _, failure, notes = heard(tmp_path / "b.ogg")
    np.testing.assert_array_equal(samples, complete)
    assert (failure, notes) == (None, (f"{tmp_path / 'b.ogg'}: {UNFLAGGED}.",))
    assert main(["replay", str(tmp_path / "b.ogg")]) == 0
    assert capsys.readouterr().err.count("not flagged as the last") == 1


def test_an_ogg_of_headers_alone_holds_no_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.ogg", tone(4), RATE_HZ)
    content = (tmp_path / "a.ogg").read_bytes()
    third = content.index(b"OggS", content.index(b"OggS", 1) + 1)
    (tmp_path / "b.ogg").write_bytes(content[:third])
    with pytest.raises(RecordingError, match="holds no sound"):
        heard(tmp_path / "b.ogg")


def test_a_link_in_the_middle_needs_no_end_flag(tmp_path: Path) -> None:
    for name, at_hz in (("1", 440.0), ("2", 880.0)):
        soundfile.write(tmp_path / name, tone(2, at_hz), RATE_HZ, format="OGG", subtype="OPUS")
    content = without_end_flag((tmp_path / "1").read_bytes()) + (tmp_path / "2").read_bytes()
    (tmp_path / "chain.opus").write_bytes(content)
    assert len(whole(tmp_path / "chain.opus")[0]) == 4 * RATE_HZ


# --- WAV files whose header does not count all of their sound


def pcm(seconds: float) -> bytes:
    return np.round(tone(seconds)[:, 0] * 32767).astype("<i2").tobytes()


def header(*, data_bytes: int, riff_bytes: int, channels: int = 1, bits: int = 16, block: int = 2) -> bytes:
    fields = struct.pack("<IHHIIHH", 16, 1, channels, RATE_HZ, RATE_HZ * block, block, bits)
    return b"RIFF" + struct.pack("<I", riff_bytes) + b"WAVEfmt " + fields + b"data" + struct.pack("<I", data_bytes)


def check_heard_on(path: Path, seconds: float) -> None:
    samples, rate_hz, failure, notes = heard(path)
    assert failure is None
    assert len(samples) / rate_hz == seconds
    assert np.sqrt(np.mean(samples[-rate_hz // 2 :] ** 2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.02)
    (note,) = notes
    assert note.startswith(f"{path}: it holds ")
    assert "its header" in note


def test_what_a_killed_writer_wrote_behind_its_first_block_is_heard(tmp_path: Path) -> None:
    script = (
        "import os, sys, wave\n"
        "sound = sys.stdin.buffer.read()\n"
        "file = wave.open(sys.argv[1], 'wb')\n"
        "file.setnchannels(1); file.setsampwidth(2); file.setframerate(16000)\n"
        "for at in range(0, len(sound), 3200): file.writeframesraw(sound[at : at + 3200])\n"
        "file._file.flush(); os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "killed.wav"
    subprocess.run([sys.executable, "-c", script, path], input=pcm(30), check=False)
    with wave.open(str(path)) as file:
        assert file.getnframes() == 1600  # what the header of a killed writer says
    check_heard_on(path, 30.0)


@pytest.mark.parametrize("riff_s", [4, 30], ids=["both sizes are stale", "the RIFF size is right"])
def test_a_header_of_4_s_of_30_is_overruled(tmp_path: Path, riff_s: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(header(data_bytes=4 * 32000, riff_bytes=36 + riff_s * 32000) + pcm(30))
    check_heard_on(path, 30.0)


def test_loud_bytes_that_look_like_a_chunks_name_are_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(header(data_bytes=32000, riff_bytes=36 + 32000) + pcm(1) + b"LOUDLOUD" + pcm(2))
    assert len(heard(path)[0]) == 3 * RATE_HZ + 4


def test_chunks_and_tags_behind_the_sound_are_no_sound_even_if_the_riff_size_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for tail in (
        b"LIST\x04\0\0\0abcd",
        b"junk\x02\0\0\0abmine\x03\0\0\0abc",
        b"TAG" + bytes(125),
        b"APETAGEX" + bytes(200),
        b"ID3\4",
    ):
        path.write_bytes(header(data_bytes=64000, riff_bytes=36 + 64000) + pcm(2) + tail)
        assert len(whole(path)[0]) == 2 * RATE_HZ


def test_a_size_that_wrapped_at_4_gib_is_unwrapped(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    data_bytes = 2**32 + 8 * 32000
    with path.open("wb") as file:
        file.write(header(data_bytes=data_bytes % 2**32, riff_bytes=(36 + data_bytes) % 2**32))
        file.write(pcm(8))
        file.truncate(44 + data_bytes - 32000)  # a sparse file: it takes no room
        file.seek(0, 2)
        file.write(pcm(1) + b"LIST\x04\0\0\0abcd")
    with Recording(path) as recording:
        assert recording.frames == data_bytes // 2
        (note,) = recording.notes
    assert f"holds {data_bytes} bytes of sound, of which its header counts {8 * 32000}" in note


def test_two_wav_files_in_one_are_said_to_be_two(tmp_path: Path) -> None:
    for _ in range(2):
        with (tmp_path / "a.wav").open("ab") as file:
            file.write(header(data_bytes=64000, riff_bytes=36 + 64000) + pcm(2))
    samples, _, failure, notes = heard(tmp_path / "a.wav")
    assert (len(samples), failure) == (2 * RATE_HZ, None)
    (note,) = notes
    assert note.endswith("a.wav: another WAV file follows its sound at byte 64044 and is not heard: split them.")


def test_adpcm_of_a_killed_writer_is_heard_on_too(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(10), RATE_HZ, subtype="MS_ADPCM")
    complete, _ = whole(tmp_path / "a.wav")
    content = bytearray((tmp_path / "a.wav").read_bytes())
    at = content.index(b"data")
    content[at + 4 : at + 8] = struct.pack("<I", 1024)
    (tmp_path / "b.wav").write_bytes(content)
    samples, _, failure, notes = heard(tmp_path / "b.wav")
    assert failure is None
    assert len(samples) >= len(complete)
    assert "more than the 1024 that its header declares" in notes[0]


# --- block alignment


@pytest.mark.parametrize(
    ("channels", "bits", "block"), [(2, 32, 4), (2, 16, 2), (1, 16, 1), (1, 16, 0), (1, 16, 4), (2, 24, 3)]
)
def test_a_block_alignment_that_contradicts_the_samples_is_overruled(
    tmp_path: Path, channels: int, bits: int, block: int
) -> None:
    written = tone(2, channels=channels)
    soundfile.write(tmp_path / "a.wav", written, RATE_HZ, subtype=f"PCM_{bits}")
    data = (tmp_path / "a.wav").read_bytes()[-written.size * bits // 8 :]
    head = header(data_bytes=len(data), riff_bytes=36 + len(data), channels=channels, bits=bits, block=block)
    (tmp_path / "b.wav").write_bytes(head + data)
    samples, _, failure, notes = heard(tmp_path / "b.wav")
    assert failure is None
    np.testing.assert_allclose(samples, written[:, 0], atol=2**-14)
    shape = f"{channels} {'channel' if channels == 1 else 'channels'} of {bits} bits"
    holds = f"a frame of {shape} has {channels * bits // 8} bytes"
    assert notes == (f"{tmp_path / 'b.wav'}: its block alignment of {block} is wrong: {holds}.",)


def test_a_block_alignment_that_the_data_do_not_help_with_is_refused_naming_both(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(header(data_bytes=32001, riff_bytes=36 + 32001, channels=2, bits=16, block=3) + pcm(1) + b"\0")
    with pytest.raises(RecordingError, match="have 3 bytes by the block alignment, but 4 by 2 channels of 16 bits"):
        Recording(path)


def test_24_bits_in_4_bytes_are_read_as_such(tmp_path: Path) -> None:
    data = (np.round(tone(2)[:, 0] * 2**23).astype("<i4") << 8).tobytes()
    (tmp_path / "a.wav").write_bytes(header(data_bytes=len(data), riff_bytes=36 + len(data), bits=24, block=4) + data)
    np.testing.assert_allclose(heard(tmp_path / "a.wav")[0], tone(2)[:, 0], atol=2**-20)


# --- what libsndfile reads


@pytest.mark.parametrize(("name", "options"), [
    ("a.mp3", {}),
    ("a.wav", {"subtype": "IMA_ADPCM"}),
    ("a.wav", {"subtype": "MS_ADPCM"}),
    ("a.wav", {"subtype": "GSM610"}),
    ("a.wav", {"subtype": "G721_32"}),
    ("a.aiff", {}),
    ("a.caf", {}),
    ("a.w64", {}),
    ("a.au", {}),
    ("a.sph", {"format": "NIST"}),
    ("a.voc", {}),
    ("a.caf", {"subtype": "ALAC_16"}),
])  # fmt: skip
def test_what_libsndfile_reads_is_heard_whole(tmp_path: Path, name: str, options: dict[str, str]) -> None:
    soundfile.write(tmp_path / name, tone(5), RATE_HZ, **options)
    samples, rate_hz = whole(tmp_path / name)
    assert rate_hz == RATE_HZ
    assert 5.0 <= len(samples) / rate_hz < 5.1
    assert pitch_hz(samples, rate_hz) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("kind", ["gsm-full-rate", "ms-adpcm", "ima-adpcm", "a-law", "mu-law"])
def test_what_sox_writes_is_heard_whole(tmp_path: Path, kind: str) -> None:
    soundfile.write(tmp_path / "a.wav", tone(5, rate_hz=8000), 8000)
    run(program("sox"), tmp_path / "a.wav", "-e", kind, tmp_path / "b.wav")
    samples, rate_hz = whole(tmp_path / "b.wav")
    assert pitch_hz(samples, rate_hz) == pytest.approx(440, abs=2)


def test_opus_as_opusenc_writes_it_is_heard(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(5), RATE_HZ)
    run(program("opusenc"), "--quiet", tmp_path / "a.wav", tmp_path / "a.opus")
    assert len(whole(tmp_path / "a.opus")[0]) == 5 * RATE_HZ


def test_flac_from_a_pipe_with_an_unknown_length_is_heard_whole(tmp_path: Path) -> None:
    raw = ["--force-raw-format", "--endian=little", "--sign=signed", "--channels=1", "--bps=16", "--sample-rate=16000"]
    content = run(program("flac"), "--silent", *raw, "-", "--stdout", stdin=pcm(5))
    (tmp_path / "a.flac").write_bytes(content)
    with Recording(tmp_path / "a.flac") as recording:
        assert recording.duration_s is None
    assert len(whole(tmp_path / "a.flac")[0]) == 5 * RATE_HZ


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_sound_behind_id3_tags_is_heard(tmp_path: Path, suffix: str) -> None:
    soundfile.write(tmp_path / f"a.{suffix}", tone(5), RATE_HZ)
    tag = b"ID3\4\0\0\0\0\2\0" + bytes(256)
    (tmp_path / "b").write_bytes(tag + tag + (tmp_path / f"a.{suffix}").read_bytes())
    np.testing.assert_array_equal(whole(tmp_path / "b")[0], whole(tmp_path / f"a.{suffix}")[0])


@pytest.mark.parametrize("magic", [b"RF64", b"BW64"])
def test_rf64_and_bw64_are_heard_alike(tmp_path: Path, magic: bytes) -> None:
    soundfile.write(tmp_path / "a.wav", tone(2), RATE_HZ, format="RF64")
    (tmp_path / "b.wav").write_bytes(magic + (tmp_path / "a.wav").read_bytes()[4:])
    assert len(whole(tmp_path / "b.wav")[0]) == 2 * RATE_HZ


@pytest.mark.parametrize("name", ["a.aiff", "a.caf", "a.w64", "a.au", "a.mp3", "adpcm.wav"])
def test_what_was_cut_short_is_said_in_every_container_that_says_its_size(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, tone(60), RATE_HZ, subtype="IMA_ADPCM" if name == "adpcm.wav" else None)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    samples, rate_hz, failure, _ = heard(tmp_path / name)
    assert 29.0 < len(samples) / rate_hz < 31.0
    assert f"breaks off after {len(samples) / rate_hz:.3f} s (its header declares" in str(failure)


def test_channels_are_counted_from_1(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1, channels=2), RATE_HZ)
    with pytest.raises(RecordingError, match="has no channel 3; it has 2 channels, the first is 1"):
        Recording(tmp_path / "a.wav", channel=2)


# --- what PyAV reads


def encode(path: Path, codec: str, container: str, *, rate_hz: int = 48000, channels: int = 2) -> None:
    """Five seconds of a tone by FFmpeg's encoder."""
    import av

    sound = np.ascontiguousarray(tone(5, rate_hz=rate_hz, channels=channels).T)
    layout = "stereo" if channels == 2 else "mono"
    with av.open(str(path), "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate_hz, layout=layout)
        stream.bit_rate = 16_000 if codec == "adpcm_g726" else 128_000
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout=layout)
        frame.rate, frame.pts = rate_hz, 0
        resampler = av.AudioResampler(
            format=stream.codec_context.format.name,
            layout=layout,
            rate=rate_hz,
            frame_size=stream.codec_context.frame_size or 1024,
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))


FOR_PYAV = [
    ("a.m4a", "aac", "ipod", "AAC in an MP4 file"),
    ("a.m4a", "alac", "ipod", "ALAC in an MP4 file"),
    ("a.aac", "aac", "adts", "AAC in an ADTS stream"),
    ("a.mka", "flac", "matroska", "sound in a Matroska or WebM file"),
    ("a.webm", "libopus", "webm", "sound in a Matroska or WebM file"),
    ("a.ac3", "ac3", "ac3", "AC-3"),
    ("a.wma", "wmav2", "asf", "WMA in an ASF file"),
    ("a.wv", "wavpack", "wv", "WavPack"),
    ("a.tta", "tta", "tta", "TTA"),
    ("a.wav", "libmp3lame", "wav", "MP3 in a WAV file"),
    ("a.wav", "adpcm_g726", "wav", "G.726 ADPCM in a WAV file"),
]


@pytest.mark.parametrize(("name", "codec", "container", "kind"), FOR_PYAV)
def test_what_libsndfile_does_not_know_is_heard_with_pyav_and_named_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str, container: str, kind: str
) -> None:
    path = tmp_path / name
    narrow, rate_hz = codec == "adpcm_g726", 44100 if codec == "wmav2" else 48000
    encode(path, codec, container, rate_hz=8000 if narrow else rate_hz, channels=1 if narrow else 2)
    samples, rate_hz = whole(path)
    assert 4.9 < len(samples) / rate_hz < 5.2
    assert pitch_hz(samples, rate_hz) == pytest.approx(440, abs=3)
    monkeypatch.setitem(sys.modules, "av", None)
    if kind == "MP3 in a WAV file":  # libsndfile 1.2 has it, older ones do not
        return
    with pytest.raises(RecordingError) as caught:
        Recording(path)
    sentence = str(caught.value)
    assert f"{path} holds {kind}: pip install 'auricle[formats]' reads it" in sentence
    assert f"ffmpeg -i {path} " in sentence


def test_flac_in_an_ogg_file_is_heard_with_pyav_and_named_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(5), RATE_HZ)
    run(program("flac"), "--silent", "--ogg", tmp_path / "a.wav", "-o", tmp_path / "a.oga")
    np.testing.assert_array_equal(whole(tmp_path / "a.oga")[0], whole(tmp_path / "a.wav")[0])
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(RecordingError, match="holds FLAC in an Ogg file: pip install 'auricle"):
        Recording(tmp_path / "a.oga")


def test_an_m4a_that_was_cut_short_is_said_to_be(tmp_path: Path) -> None:
    import av

    encode(tmp_path / "a.m4a", "aac", "ipod")
    with (
        av.open(str(tmp_path / "a.m4a")) as source,
        av.open(str(tmp_path / "b.m4a"), "w", format="ipod", options={"movflags": "faststart"}) as output,
    ):
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    content = (tmp_path / "b.m4a").read_bytes()
    (tmp_path / "b.m4a").write_bytes(content[: len(content) // 2])
    samples, rate_hz, failure, _ = heard(tmp_path / "b.m4a")
    assert 1.0 < len(samples) / rate_hz < 4.0
    assert "breaks off after" in str(failure)


def test_a_playlist_that_calls_itself_a_film_opens_no_other_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.aac"
    encode(secret, "aac", "adts")
    (tmp_path / "a.mp4").write_bytes(b"#EXTM3U\n#EXTINF:5,\n" + str(secret).encode() + b"\n")
    with pytest.raises(RecordingError, match="is not audio"):
        Recording(tmp_path / "a.mp4")


# --- a file of many links


def test_a_chain_of_thousands_of_links_is_read_in_bounded_time(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "1.ogg", tone(0.05), RATE_HZ)
    (tmp_path / "a.ogg").write_bytes((tmp_path / "1.ogg").read_bytes() * 2000)
    began_s = time.monotonic()
    samples, _ = whole(tmp_path / "a.ogg")
    assert len(samples) == 2000 * 800
    assert time.monotonic() - began_s < 60
