"""The child process that holds the microphone: reads it, numbers the frames, writes them to a pipe.

PortAudio, ALSA and sound servers crash, hang, and stick in `close()`. Here they may: the reader of the pipe
kills this process and starts another, which lists the devices anew. It never closes a stream and never
waits for anything but sound; it ends when its parent ends.

    python -m device.sources.capture capture '{"device": "default", "channel": 0, "sample_rate_hz": null}'
    python -m device.sources.capture list '{}'

It writes a sequence of records: a header (`HEADER`) and as many bytes as that says. It imports
sounddevice in `main` alone, and no numpy: it must be small and start fast.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import time
import types
from typing import TYPE_CHECKING, Any, NamedTuple

from device.errors import MicrophoneError
from device.sources.device_match import Card, ListedDevice, card_identity, card_number, choose, parse_device

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_S = 0.05
"""Duration of one frame."""

BUFFER_S = 0.2
"""Requested latency of the sound card; its periods are a quarter of that, so no frame waits for long."""

HEADER = struct.Struct("<4sBBxxIIq")
"""Magic, kind, flags, number, payload bytes, CLOCK_MONOTONIC in ns at the end of the read."""

MAGIC = b"aur1"
MAX_PAYLOAD = 4 << 20  # 50 ms at 192 kHz of 64 channels are 2.4 MB

FRAME = 1
"""Interleaved little-endian float32 samples of all channels that are open."""

OPENED = 2
"""JSON: name, sample_rate_hz, channels. Sent once, before the first frame."""

ERROR = 3
"""UTF-8: one sentence. The process ends after it."""

LISTED = 4
"""JSON: the fields of each `ListedDevice`."""

OVERFLOWED = 1
"""Flag of a frame: samples are missing before it."""

USUAL_RATES_HZ = (8000, 16000, 22050, 32000, 44100, 48000, 96000, 192000)

_NUMBERS = 1 << 32
_VIRTUAL_CHANNELS = 2  # a virtual device of 32 or 128 channels is a converter in front of one or two
_PARENT_EVERY_S = 1.0
# Blocking reads through it corrupt PortAudio 19.6's heap; ALSA's own way to JACK (`type jack`) is sound.
_UNREADABLE = frozenset({"JACK Audio Connection Kit"})

# PortAudio's codes (portaudio.h) of errors that people can repair.
_PA_INVALID_RATE = -9997
_PA_INVALID_CHANNELS = -9998
_PA_UNAVAILABLE = -9985
_PA_HOST_ERROR = -9999


class CaptureRecord(NamedTuple):
    """One message of the child.

    Attributes:
        kind: FRAME, OPENED, ERROR or LISTED.
        payload: see the kind.
        flags: OVERFLOWED or 0.
        number: of a frame, from 0, modulo 2**32; a missing one is missing sound.
        at_ns: CLOCK_MONOTONIC when the frame had been read.
    """

    kind: int
    payload: bytes
    flags: int = 0
    number: int = 0
    at_ns: int = 0


class CaptureProtocolError(ValueError):
    """The child sent something that is not a valid record, or not the one that is due."""


def encode(record: CaptureRecord) -> bytes:
    """A record -> its bytes on the pipe."""
    number = record.number % _NUMBERS
    head = HEADER.pack(MAGIC, record.kind, record.flags, number, len(record.payload), record.at_ns)
    return head + record.payload


class Decoder:
    """Bytes of any size in, whole records out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def __repr__(self) -> str:
        return f"Decoder({len(self._buffer)} bytes buffered)"

    def push(self, data: bytes) -> Iterator[CaptureRecord]:
        """Bytes -> the records that are complete now, oldest first.

        Raises:
            CaptureProtocolError: the bytes are not records; nothing that follows can be read.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            magic, kind, flags, number, size, at_ns = HEADER.unpack_from(self._buffer)
            if magic != MAGIC or not FRAME <= kind <= LISTED or size > MAX_PAYLOAD:
                raise CaptureProtocolError(f"a header of {bytes(self._buffer[: HEADER.size])!r}")
            end = HEADER.size + size
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield CaptureRecord(kind, payload, flags, number, at_ns)


def main() -> None:
    """Run the mode of the command line, write records to the pipe that stdout was, and exit without cleaning up."""
    mode, options = sys.argv[1], json.loads(sys.argv[2])
    pipe = _redirect_stdout()
    threading.Thread(target=_exit_with_parent, args=(os.getppid(),), name="parent", daemon=True).start()
    try:
        sound = _portaudio()
        for record in _list_records(sound) if mode == "list" else _capture_records(sound, options):
            _write(pipe, encode(record))
    except MicrophoneError as error:
        _write(pipe, encode(CaptureRecord(ERROR, str(error).encode())))
    except BrokenPipeError:
        pass  # the reader has ended
    os._exit(0)  # no atexit: sounddevice would close its stream, which may hang


def _redirect_stdout() -> int:
    """The pipe that stdout was; libraries that print (JACK's does) now print to stderr."""
    pipe = os.dup(1)
    os.dup2(2, 1)
    return pipe


def _write(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]


def _exit_with_parent(parent: int) -> None:
    """Exit when the parent has ended: stdin is a pipe of which only the parent holds the other end."""
    import select

    while os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], _PARENT_EVERY_S)
        if readable and not os.read(0, 4096):
            break
    os._exit(0)


def _skip_library_search() -> None:
    """Make sounddevice load PortAudio by name: its search runs ldconfig and imports 3 MB."""
    found = types.ModuleType("ctypes.util")
    found.find_library = lambda name: f"lib{name}.so.2"  # type: ignore[attr-defined]  # a module of one function
    sys.modules.setdefault("ctypes.util", found)


def _portaudio() -> Any:
    _skip_library_search()
    try:
        import sounddevice
    except ImportError as error:
        raise MicrophoneError("sounddevice is not installed: pip install 'auricle[device]' brings it") from error
    except OSError as error:
        raise MicrophoneError(
            f"PortAudio cannot be loaded ({_one_line(error)}): apt-get install libportaudio2 brings it"
        ) from error
    except Exception as error:  # sounddevice.PortAudioError, which cannot be imported where this is raised
        raise MicrophoneError(f"PortAudio does not start here: {_one_line(error)}") from error
    return sounddevice


# --- list


def _list_records(sound: Any) -> Iterator[CaptureRecord]:
    devices = [device._replace(rates_hz=_accepted_rates_hz(sound, device)) for device in listed(sound)]
    yield CaptureRecord(LISTED, json.dumps(devices).encode())


def listed(sound: Any) -> list[ListedDevice]:
    """The devices that can record now; their rates are not tried, since that opens each of them.

    Args:
        sound: the module sounddevice.
    """
    apis = sound.query_hostapis()
    default = next((api["default_input_device"] for api in apis if api["default_input_device"] >= 0), -1)
    found = []
    for number, info in enumerate(sound.query_devices()):
        host_api = apis[info["hostapi"]]["name"]
        if info["max_input_channels"] > 0 and host_api not in _UNREADABLE:
            found.append(_listed_device(number, info, host_api, default))
    return found


def _listed_device(number: int, info: Any, host_api: str, default: int) -> ListedDevice:
    number_of_card = card_number(info["name"])
    card = Card() if number_of_card is None else card_identity(number_of_card)
    return ListedDevice(
        number=number,
        name=info["name"],
        host_api=host_api,
        channels=info["max_input_channels"],
        default_rate_hz=round(info["default_samplerate"]),
        usb=card.usb,
        port=card.port,
        is_default=number == default,
    )


def _accepted_rates_hz(sound: Any, device: ListedDevice) -> tuple[int, ...]:
    def accepts(rate_hz: int) -> bool:
        try:
            sound.check_input_settings(device=device.number, channels=1, dtype="float32", samplerate=rate_hz)
        except sound.PortAudioError:
            return False
        return True

    return tuple(rate_hz for rate_hz in USUAL_RATES_HZ if accepts(rate_hz))


# --- capture


def _capture_records(sound: Any, options: dict[str, Any]) -> Iterator[CaptureRecord]:
    device = choose(listed(sound), parse_device(options["device"]))
    rate_hz = options["sample_rate_hz"] or device.default_rate_hz
    channels = _channels(device, options["channel"])
    try:
        stream = sound.RawInputStream(
            device=device.number, samplerate=rate_hz, channels=channels, dtype="float32", latency=BUFFER_S
        )
        stream.start()
    except sound.PortAudioError as error:
        raise MicrophoneError(_open_error(device, rate_hz, error)) from error
    opened = {"name": device.name, "sample_rate_hz": rate_hz, "channels": channels}
    yield CaptureRecord(OPENED, json.dumps(opened).encode(), at_ns=time.monotonic_ns())
    yield from _frames(sound, stream, device, max(1, round(rate_hz * BLOCK_S)))


def _channels(device: ListedDevice, channel: int | None) -> int:
    """As few as possible: up to the configured one, or all of them for their mean."""
    if channel is None:
        return device.channels if card_number(device.name) is not None else min(device.channels, _VIRTUAL_CHANNELS)
    if channel >= device.channels:
        raise MicrophoneError(
            f'"{device.stable_name}" has no channel {channel + 1}: it has {device.channels}, the first is 1'
        )
    return channel + 1


def _frames(sound: Any, stream: Any, device: ListedDevice, samples: int) -> Iterator[CaptureRecord]:
    number = 0
    while True:
        try:
            data, overflowed = stream.read(samples)
        except sound.PortAudioError as error:
            raise MicrophoneError(_read_error(device, error)) from error
        yield CaptureRecord(FRAME, bytes(data), OVERFLOWED if overflowed else 0, number, time.monotonic_ns())
        number += 1


def _open_error(device: ListedDevice, rate_hz: int, error: Exception) -> str:
    code = _error_code(error)
    if code == _PA_UNAVAILABLE:
        return f'"{device.stable_name}" is in use by another program: stop that, see `fuser -v /dev/snd/*`'
    if code == _PA_INVALID_RATE:
        return f'"{device.stable_name}" does not open at {rate_hz} Hz: {device.default_rate_hz} Hz is its own rate'
    if code == _PA_INVALID_CHANNELS:
        return f'"{device.stable_name}" does not give the channel that was asked for: auricle devices says how many'
    return f'"{device.stable_name}" cannot be opened, it may be unplugged or in use (PortAudio: {_error_text(error)})'


def _read_error(device: ListedDevice, error: Exception) -> str:
    return f'"{device.stable_name}" is gone: unplugged, or its sound server ended (PortAudio: {_error_text(error)})'


def _error_code(error: Exception) -> int | None:
    return next((argument for argument in error.args if isinstance(argument, int)), None)


def _error_text(error: Exception) -> str:
    """PortAudio's error text, with the driver's if PortAudio says only that the driver failed."""
    driver = error.args[2] if _error_code(error) == _PA_HOST_ERROR and len(error.args) > 2 else None
    text = _one_line(error.args[0] if error.args else error)
    return f"{text}, {_one_line(driver[2])}" if driver else text


def _one_line(value: object) -> str:
    return " ".join(str(value).split())


if __name__ == "__main__":
    main()
