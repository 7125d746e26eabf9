"""Standard input as a source, over real pipes: WAV and bare samples, faster and slower than time, and its end."""

from __future__ import annotations

import io
import os
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError, MicrophoneError
from device.messages import AudioBlock, NoAudio
from device.sources.streams import standard_input
from device.sources.streams.sample_format import SampleFormat, parse_raw, wav_header
from device.sources.streams.standard_input import StandardInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

S16 = SampleFormat("s16le", 16000, 1)
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
Pipe = tuple[int, "Callable[..., None]"]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe's reading end, and a function that writes pieces to it in a thread, and then closes it."""
    reading, writing = os.pipe()
    threads: list[threading.Thread] = []

    def write(*pieces: bytes | float, ends: bool = True) -> None:
        def run() -> None:
            for piece in pieces:
                if isinstance(piece, bytes):
                    os.write(writing, piece)
                else:
                    time.sleep(piece)
            if ends:
                os.close(writing)

        threads.append(threading.Thread(target=run, name="writer"))
        threads[-1].start()

    yield reading, write
    os.close(reading)
    for thread in threads:
        thread.join(10.0)


def _header(form: bytes, size: int, *, before: bytes = b"", riff: bytes = b"RIFF") -> bytes:
    fmt = b"fmt " + len(form).to_bytes(4, "little") + form
    return riff + b"\xff\xff\xff\xff" + b"WAVE" + before + fmt + b"data" + size.to_bytes(4, "little")


def _form(tag: int, channels: int, rate_hz: int, bits: int, more: bytes = b"") -> bytes:
    frame = channels * bits // 8
    words = ((tag, 2), (channels, 2), (rate_hz, 4), (rate_hz * frame, 4), (frame, 2), (bits, 2))
    return b"".join(value.to_bytes(size, "little") for value, size in words) + more


def _heard(source: StandardInput) -> tuple[list[AudioBlock | NoAudio], str]:
    """All that a source yields, and the sentence of its end."""
    messages: list[AudioBlock | NoAudio] = []
    try:
        messages.extend(source.blocks())  # keeps what came before the error
    except MicrophoneError as error:
        return messages, str(error)
    return messages, ""


def _samples(messages: list[AudioBlock | NoAudio]) -> np.ndarray:
    return np.concatenate([message.samples for message in messages if isinstance(message, AudioBlock)])


@pytest.fixture(autouse=True)
def _short_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard_input, "END_REPORTED_S", 0.1)


def _parsed(data: bytes) -> tuple[SampleFormat, int | None]:
    parser, file = wav_header(), io.BytesIO(data)
    wanted = next(parser)
    try:
        while True:
            wanted = parser.send(file.read(wanted))
    except StopIteration as done:
        found: tuple[SampleFormat, int | None] = done.value
        return found


# --- formats


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("s16le,16000", S16),
        ("S16_LE,16000,2", SampleFormat("s16le", 16000, 2)),
        (" FLOAT_LE,48000,1 ", SampleFormat("f32le", 48000, 1)),
        ("S24_3LE,44100", SampleFormat("s24le", 44100, 1)),
    ],
)
def test_a_format_is_what_arecord_and_ffmpeg_call_it(text: str, form: SampleFormat) -> None:
    assert parse_raw(text) == form


@pytest.mark.parametrize(
    "text",
    ["", "s16le", "16000", "s16be,16000", "s24_le,16000", "s16le,100", "s16le,16000,65", "a,b", "s16le,1600\u0660"],
)
def test_what_is_no_format_is_refused_with_one_that_works(text: str) -> None:
    with pytest.raises(ConfigError, match="as in --raw s16le,16000"):
        parse_raw(text)


@given(st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=20))
def test_every_format_decodes_to_what_was_encoded(values: list[int]) -> None:
    x = np.array(values, np.float64) / 2.0**15
    wide = np.array(values, np.int32) << 8
    encoded = {
        "u8": (np.array(values) // 256 + 128).astype(np.uint8).tobytes(),
        "s16le": np.array(values, "<i2").tobytes(),
        "s24le": wide.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes(),
        "s32le": (np.array(values, "<i4") << 16).astype("<i4").tobytes(),
        "f32le": x.astype("<f4").tobytes(),
        "f64le": x.astype("<f8").tobytes(),
    }
    for name, data in encoded.items():
        decoded = SampleFormat(name, 16000, 1).decode(data)
        assert decoded.shape == (len(values), 1)
        assert decoded.dtype == np.float32
        assert np.abs(decoded[:, 0] - x).max() <= (1 / 128 if name == "u8" else 1e-7)


def test_what_is_no_number_is_silent_and_what_is_too_loud_is_full_scale() -> None:
    data = np.array([np.nan, np.inf, -np.inf, 7.0, 0.5], "<f4").tobytes()
    assert SampleFormat("f32le", 16000, 1).decode(data)[:, 0].tolist() == [0.0, 1.0, -1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (_header(_form(1, 1, 16000, 16), 320), (S16, 320)),
        (_header(_form(1, 1, 16000, 16), 0x7FFFFFFF), (S16, None)),
        (_header(_form(1, 1, 16000, 16), 0xFFFFFFFF, riff=b"RF64"), (S16, None)),
        (_header(_form(1, 1, 16000, 16), 0, before=b"LIST\x03\0\0\0abc\0"), (S16, None)),
        (_header(_form(3, 2, 48000, 32), 80), (SampleFormat("f32le", 48000, 2), 80)),
        (
            _header(_form(0xFFFE, 1, 44100, 24, b"\x16\0\x18\0\x04\0\0\0" + PCM_GUID), 30),
            (SampleFormat("s24le", 44100, 1), 30),
        ),
    ],
)
def test_a_header_says_format_and_length_or_that_it_cannot_know(
    data: bytes, says: tuple[SampleFormat, int | None]
) -> None:
    assert _parsed(data) == says


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"fLaC" + bytes(40), "is no WAV; where it is bare samples"),
        (_header(_form(7, 1, 8000, 8), 100), "in encoding 7"),
        (_header(_form(1, 1, 100, 16), 100), "and 100 Hz"),
        (_header(b"\x01\0", 100), "cut short"),
        (b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff" + bytes(100), "leads to no samples"),
        (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 200_000, "leads to no samples"),
    ],
)
def test_a_header_that_leads_nowhere_is_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(MicrophoneError, match=says):
        _parsed(data)


# --- in time


def test_samples_come_as_they_were_sent_and_the_end_is_reported_before_it_is_an_error(pipe: Pipe) -> None:
    sent = np.arange(-4000, 4000, dtype="<i2")
    pipe[1](_header(_form(1, 1, 16000, 16), 0xFFFFFFFF) + sent.tobytes())
    source = StandardInput(pipe[0], 0)
    messages, end = _heard(source)
    assert np.array_equal(_samples(messages), sent / np.float32(32768.0))
    blocks = [message for message in messages if isinstance(message, AudioBlock)]
    assert all(len(block.samples) == 800 and not block.after_gap for block in blocks)
    starts = [block.start_sample - blocks[0].start_sample for block in blocks]
    assert starts == list(range(0, 8000, 800))
    assert isinstance(messages[-1], NoAudio)
    assert (messages[-1].reason, end) == ("standard input has ended", "standard input has ended")


def test_sound_that_comes_faster_than_time_is_held_and_not_dropped(pipe: Pipe) -> None:
    pipe[1](bytes(2 * 16000 * 3 // 2))  # 1.5 s at once
    began_s = time.monotonic()
    messages, _ = _heard(StandardInput(pipe[0], 0, S16))
    assert len(_samples(messages)) == 24000
    assert time.monotonic() - began_s > 0.9  # half a second may be ahead


def test_a_pause_is_reported_and_then_missing_sound(pipe: Pipe) -> None:
    pipe[1](bytes(1600 * 4), 0.8, bytes(1600), 0.25, bytes(1600), 0.05, bytes(1600), 0.05, bytes(1600))
    source = StandardInput(pipe[0], 0, S16)
    messages, _ = _heard(source)
    reasons = {message.reason for message in messages if isinstance(message, NoAudio)}
    assert "standard input gives no sound" in reasons
    blocks = [message for message in messages if isinstance(message, AudioBlock)]
    assert source.overruns == sum(block.after_gap for block in blocks) == 1
    assert all(b.start_sample >= a.end_sample for a, b in pairwise(blocks))


def test_a_wav_that_knows_its_length_ends_with_it(pipe: Pipe) -> None:
    pipe[1](_header(_form(1, 1, 16000, 16), 3200) + bytes(3200) + b"LIST of what is no sound", ends=False)
    messages, end = _heard(StandardInput(pipe[0], 0))
    assert (len(_samples(messages)), end) == (1600, "standard input has ended")


def test_a_channel_is_chosen_or_mixed_and_one_that_is_not_there_is_a_sentence(pipe: Pipe) -> None:
    frames = np.tile(np.array([[8192, 16384]], "<i2"), (1600, 1)).tobytes()
    stereo = SampleFormat("s16le", 16000, 2)
    pipe[1](frames, ends=False)
    mixed, chosen = StandardInput(pipe[0], None, stereo).blocks(), StandardInput(pipe[0], 1, stereo).blocks()
    mix, second = next(mixed), next(chosen)
    assert isinstance(mix, AudioBlock)
    assert isinstance(second, AudioBlock)
    assert set(mix.samples.tolist()) == {0.375}
    assert mix.independent_power is not None
    assert set(second.samples.tolist()) == {0.5}
    assert _heard(StandardInput(pipe[0], 2, stereo))[1] == "standard input has no channel 3: it has 2 channels"


def test_closing_ends_it_at_once_while_nothing_comes(pipe: Pipe) -> None:
    source = StandardInput(pipe[0], 0, S16)
    ended: list[tuple[list[AudioBlock | NoAudio], str]] = []
    thread = threading.Thread(target=lambda: ended.append(_heard(source)), name="reader")
    thread.start()
    time.sleep(0.05)
    source.close()
    source.close()
    thread.join(1.0)
    assert ended == [([], "")]


def test_a_terminal_is_refused() -> None:
    controller, terminal = os.openpty()
    try:
        with pytest.raises(MicrophoneError, match="is a terminal: pipe sound into it"):
            StandardInput(terminal, 0)
    finally:
        os.close(controller)
        os.close(terminal)
