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
import sys
import time
import types
from typing import TYPE_CHECKING, Any

from device.errors import MicrophoneError
from device.sources.capture_child import serve
from device.sources.capture_record import BLOCK_S, FRAME, LISTED, OPENED, OVERFLOWED, CaptureRecord
from device.sources.device_match import Card, ListedDevice, card_identity, card_number, choose, parse_device

if TYPE_CHECKING:
    from collections.abc import Iterator

BUFFER_S = 0.2
"""Requested latency of the sound card; its periods are a quarter of that, so no frame waits for long."""

USUAL_RATES_HZ = (8000, 16000, 22050, 32000, 44100, 48000, 96000, 192000)

_VIRTUAL_CHANNELS = 2  # a virtual device of 32 or 128 channels is a converter in front of one or two
# Blocking reads through it corrupt PortAudio 19.6's heap; ALSA's own way to JACK (`type jack`) is sound.
_UNREADABLE = frozenset({"JACK Audio Connection Kit"})

# PortAudio's codes (portaudio.h) of errors that people can repair.
_PA_INVALID_RATE = -9997
_PA_INVALID_CHANNELS = -9998
_PA_UNAVAILABLE = -9985
_PA_HOST_ERROR = -9999


def main() -> None:
    """Run the mode of the command line."""
    mode, options = sys.argv[1], json.loads(sys.argv[2])
    serve(lambda: _records(mode, options))


def _records(mode: str, options: dict[str, Any]) -> Iterator[CaptureRecord]:
    sound = _portaudio()
    return _list_records(sound) if mode == "list" else _capture_records(sound, options)


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
