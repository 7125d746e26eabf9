"""The capture process: what goes over its pipe, and that it leaves and complains as it should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import MicrophoneError
from device.sources import capture
from device.sources.capture_record import (
    ERROR,
    FRAME,
    HEADER,
    LISTED,
    MAX_PAYLOAD,
    OPENED,
    OVERFLOWED,
    CaptureProtocolError,
    CaptureRecord,
    Decoder,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORDS = st.lists(
    st.builds(
        CaptureRecord,
        kind=st.sampled_from([FRAME, OPENED, ERROR, LISTED]),
        payload=st.binary(max_size=300),
        flags=st.sampled_from([0, OVERFLOWED]),
        number=st.integers(0, 2**32 - 1),
        at_ns=st.integers(0, 2**62),
    ),
    max_size=6,
)


@given(RECORDS, st.lists(st.integers(1, 200), min_size=1))
def test_records_survive_the_pipe_however_it_cuts_them(records: list[CaptureRecord], cuts: list[int]) -> None:
    data = b"".join(encode(record) for record in records)
    decoder = Decoder()
    came: list[CaptureRecord] = []
    turn = 0
    while data:
        size = cuts[turn % len(cuts)]
        came += decoder.push(data[:size])
        data, turn = data[size:], turn + 1
    assert came == records


@given(st.binary(max_size=400), st.lists(st.binary(max_size=40), max_size=4))
def test_garbage_is_nonsense_or_a_record_and_nothing_else(garbage: bytes, more: list[bytes]) -> None:
    decoder = Decoder()
    try:
        for data in (garbage, *more):
            assert all(len(record.payload) <= MAX_PAYLOAD for record in decoder.push(data))
    except CaptureProtocolError:
        pass


def test_a_header_that_promises_too_much_is_nonsense_at_once() -> None:
    header = HEADER.pack(b"aur1", FRAME, 0, 0, MAX_PAYLOAD + 1, 0)
    with pytest.raises(CaptureProtocolError):
        list(Decoder().push(header))


def test_frame_numbers_wrap_around() -> None:
    (record,) = Decoder().push(encode(CaptureRecord(FRAME, b"", number=2**32 + 5)))
    assert record.number == 5


def _child(*arguments: str, module_path: str, stdin: int) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-S", "-P", "-m", "device.sources.capture", *arguments]
    environment = {**os.environ, "PYTHONPATH": module_path}
    return subprocess.run(command, stdin=stdin, env=environment, capture_output=True, timeout=60, check=False)


@pytest.fixture
def held_open() -> Iterator[int]:
    """The reading end of a pipe whose other end lives as long as the test."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


def _paths(first: Path) -> str:
    return os.pathsep.join([str(first), *(path for path in sys.path if path)])


def test_a_missing_portaudio_is_one_sentence_that_names_the_package(tmp_path: Path, held_open: int) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    options = '{"device": "default", "channel": 0, "sample_rate_hz": null}'
    done = _child("capture", options, module_path=_paths(tmp_path), stdin=held_open)
    (record,) = Decoder().push(done.stdout)
    assert record.kind == ERROR
    assert b"apt-get install libportaudio2" in record.payload
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_missing_sounddevice_names_the_extra(tmp_path: Path, held_open: int) -> None:
    (tmp_path / "sounddevice.py").write_text("raise ModuleNotFoundError('sounddevice')\n")
    done = _child("list", "{}", module_path=_paths(tmp_path), stdin=held_open)
    (record,) = Decoder().push(done.stdout)
    assert b"auricle[device]" in record.payload


def test_it_leaves_when_its_parent_lets_go_even_while_portaudio_hangs(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("import time\ntime.sleep(3600)\n")
    done = _child("list", "{}", module_path=_paths(tmp_path), stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (0, b"")


def test_what_libraries_print_never_comes_between_the_records(tmp_path: Path, held_open: int) -> None:
    (tmp_path / "sounddevice.py").write_text("import os\nos.write(1, b'noise')\nraise OSError('gone')\n")
    done = _child("list", "{}", module_path=_paths(tmp_path), stdin=held_open)
    (record,) = Decoder().push(done.stdout)
    assert record.kind == ERROR
    assert done.stderr == b"noise"


def test_it_starts_without_numpy_and_without_portaudio() -> None:
    program = "import sys, device.sources.capture; print({'numpy', 'sounddevice', 'dataclasses'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


class RefusalError(Exception):
    pass


class FakeStream:
    """Three blocks, the second after an overflow, then what a pulled plug gives."""

    def __init__(self, opened: dict[str, Any], **asked: Any) -> None:
        opened.update(asked)
        self._reads = 0

    def start(self) -> None:
        pass

    def read(self, samples: int) -> tuple[bytes, bool]:
        self._reads += 1
        if self._reads > 3:
            raise RefusalError("Unanticipated host error", -9999, (8, -19, "No such device"))
        return bytes(4 * samples), self._reads == 2


def _sound(opened: dict[str, Any], *, channels: int = 2, refusal: Exception | None = None) -> SimpleNamespace:
    """What of sounddevice is used, over one card and a loudspeaker."""

    def open_stream(**asked: Any) -> FakeStream:
        if refusal is not None:
            raise refusal
        return FakeStream(opened, **asked)

    def device(name: str, inputs: int) -> dict[str, Any]:
        return {"name": name, "hostapi": 0, "max_input_channels": inputs, "default_samplerate": 48000.0}

    return SimpleNamespace(
        PortAudioError=RefusalError,
        RawInputStream=open_stream,
        query_hostapis=lambda: ({"name": "ALSA", "default_input_device": 1},),
        query_devices=lambda: [device("HDMI (hw:90,0)", 0), device("Mic: Audio (hw:91,0)", channels)],
    )


def _options(channel: int | None = 0, rate_hz: int | None = None) -> dict[str, Any]:
    return {"device": "mic", "channel": channel, "sample_rate_hz": rate_hz}


def _taken(sound: SimpleNamespace, options: dict[str, Any]) -> tuple[list[CaptureRecord], str]:
    """The records up to the error, and its sentence."""
    records: list[CaptureRecord] = []
    try:
        for record in capture._capture_records(sound, options):
            records.append(record)  # noqa: PERF402 - what came before the error is asked for
    except MicrophoneError as error:
        return records, str(error)
    pytest.fail("capturing ended without an error")


def test_frames_are_numbered_and_overflows_flagged_until_the_plug_is_pulled() -> None:
    records, sentence = _taken(_sound({}), _options())
    assert "unplugged" in sentence
    assert "No such device" in sentence
    assert json.loads(records[0].payload) == {"name": "Mic: Audio (hw:91,0)", "sample_rate_hz": 48000, "channels": 1}
    assert [(record.kind, record.number, record.flags) for record in records[1:]] == [
        (FRAME, 0, 0),
        (FRAME, 1, OVERFLOWED),
        (FRAME, 2, 0),
    ]
    assert all(len(record.payload) == 4 * 2400 for record in records[1:])
    times = [record.at_ns for record in records]
    assert times == sorted(times)


@pytest.mark.parametrize(("channel", "channels", "opens"), [(0, 4, 1), (1, 4, 2), (None, 4, 4), (None, 1, 1)])
def test_no_more_channels_are_opened_than_are_needed(channel: int | None, channels: int, opens: int) -> None:
    asked: dict[str, Any] = {}
    next(iter(capture._capture_records(_sound(asked, channels=channels), _options(channel))))
    assert (asked["channels"], asked["samplerate"], asked["dtype"]) == (opens, 48000, "float32")


def test_a_rate_that_was_asked_for_is_opened() -> None:
    asked: dict[str, Any] = {}
    next(iter(capture._capture_records(_sound(asked), _options(rate_hz=16000))))
    assert asked["samplerate"] == 16000


def test_a_channel_that_is_not_there_is_refused_with_how_many_are() -> None:
    assert "has no channel 3: it has 2" in _taken(_sound({}), _options(channel=2))[1]


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (RefusalError("Device unavailable", -9985), "in use by another program"),
        (RefusalError("Invalid sample rate", -9997), "does not open at 48000 Hz"),
        (RefusalError("Invalid number of channels", -9998), "does not give the channel"),
        (RefusalError("Unanticipated host error", -9999, (8, -5, "Input/output error")), "Input/output error"),
        (RefusalError("Some\nnew error"), "PortAudio: Some new error"),
    ],
)
def test_portaudios_refusals_become_sentences_that_help(refusal: Exception, says: str) -> None:
    assert says in _taken(_sound({}, refusal=refusal), _options())[1]
