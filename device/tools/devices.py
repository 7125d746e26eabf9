"""`auricle devices`: lists the microphones and how to name each in the configuration, or meters the level of one."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, TextIO

from device.config.microphone.microphone_settings import MicrophoneSettings
from device.errors import ConfigError, MicrophoneError
from device.hearing.level import Level
from device.messages import AudioBlock, NoAudio
from device.runtime.command_line import bounded_number
from device.runtime.secrets.microphone_login import open_microphone
from device.sources.device_match import NO_MICROPHONE, identity
from device.sources.microphone_list import list_microphones

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from device.sources.device_match import ListedDevice

REDRAWN_EVERY_S = 0.1
PRINTED_EVERY_S = 1.0
FLOOR_DBFS = -90.0
"""Left end of the bar; 16 bits resolve no lower level."""

_BAR = 36
_HEADER = ("", "microphone", "device = ", "channels", "rates in Hz")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle devices`."""
    parser.add_argument(
        "--meter", metavar="DEVICE", nargs="?", const="default", help="show the level of one (default: the default one)"
    )
    parser.add_argument("--seconds", metavar="N", type=_seconds, help="end the meter by itself (default: Ctrl-C)")


def run(arguments: argparse.Namespace) -> int:
    """List the microphones, or meter one; returns exit code 0.

    Raises:
        ConfigError: `--seconds` without `--meter`.
        MicrophoneError: there is no microphone, they cannot be listed, or the metered one gave no sound.
    """
    if arguments.meter is not None:
        meter(MicrophoneSettings(device=arguments.meter), sys.stdout, seconds=arguments.seconds)
        return 0
    if arguments.seconds is not None:
        raise ConfigError("--seconds ends the level meter; give it with --meter")
    for text in list_devices():
        print(text)
    return 0


def _seconds(text: str) -> float:
    return bounded_number(text, 0.1, 1e6, "not a number of seconds, 0.1 to 1000000")


def list_devices(devices: Sequence[ListedDevice] | None = None) -> Iterator[str]:
    """One line for each microphone, under a heading: its name, what to write in the configuration, rates.

    Args:
        devices: to list; None for all of this machine.

    Raises:
        MicrophoneError: there is no microphone, or they cannot be listed.
    """
    listed = list_microphones() if devices is None else devices
    if not listed:
        raise MicrophoneError(NO_MICROPHONE)
    rows = [_HEADER, *(_row(device, listed) for device in listed)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    if any(device.is_default for device in listed):
        yield '* is what device = "default" hears at present'


def meter(settings: MicrophoneSettings, stream: TextIO, *, seconds: float | None = None) -> None:
    """Show a microphone's level until `seconds` are over, or Ctrl-C.

    Args:
        settings: of the microphone.
        stream: a terminal, where one line is redrawn in place; or anything else, which gets one line a second.
        seconds: of sound; None for no limit.

    Raises:
        MicrophoneError: the microphone gave no sound in all that time; the message says why.
    """
    redraws = stream.isatty()
    heard = False
    reason = "it was given no time"
    with open_microphone(settings) as microphone:
        for reading in readings(microphone.blocks(), REDRAWN_EVERY_S if redraws else PRINTED_EVERY_S, seconds):
            _show(reading, stream, redraws=redraws)
            heard |= isinstance(reading, Level)
            reason = reading.reason if isinstance(reading, NoAudio) else reason
    if redraws:
        stream.write("\n")
    if not heard:
        raise MicrophoneError(f"nothing was heard: {reason}")


def readings(
    messages: Iterable[AudioBlock | NoAudio], every_s: float, seconds: float | None = None
) -> Iterator[Level | NoAudio]:
    """One reading per `every_s`: the level of the sound since the last reading, or why there was no sound.

    Args:
        messages: of a microphone.
        every_s: from one reading to the next, in stream time.
        seconds: of the stream; None for all of it.
    """
    level = Level(every_s)
    due_s = every_s
    for message in messages:
        now_s = _end_s(message)
        if isinstance(message, AudioBlock):
            level.push(message.samples, message.sample_rate_hz)
        if now_s >= due_s - 1e-9:
            yield message if isinstance(message, NoAudio) else level
            level = Level(every_s)
            due_s = now_s + every_s
        if seconds is not None and now_s >= seconds:
            return


def line(reading: Level | NoAudio) -> str:
    """A reading as one line; levels in dBFS: a full-scale square wave has 0, a full-scale sine -3."""
    if isinstance(reading, NoAudio):
        return f"no audio: {reading.reason}"
    rms_dbfs, peak_dbfs = reading.rms_dbfs, reading.peak_dbfs
    if rms_dbfs is None or peak_dbfs is None:
        return "no signal (digital silence): muted, or a dead microphone"
    return f"{_bar(rms_dbfs, peak_dbfs)} {rms_dbfs:6.1f} dBFS RMS {peak_dbfs:6.1f} dBFS peak"


def _row(device: ListedDevice, among: Sequence[ListedDevice]) -> tuple[str, ...]:
    name = identity(device, among)
    rates = ", ".join(str(rate_hz) for rate_hz in device.rates_hz) or f"{device.default_rate_hz} (in use?)"
    return (
        "*" if device.is_default else "",
        device.stable_name,
        f'"{name}"' if name else "cannot be told from another",
        str(device.channels),
        rates,
    )


def _end_s(message: AudioBlock | NoAudio) -> float:
    return message.at_s if isinstance(message, NoAudio) else message.end_sample / message.sample_rate_hz


def _show(reading: Level | NoAudio, stream: TextIO, *, redraws: bool) -> None:
    text = line(reading)
    if redraws:
        stream.write(f"\r{text[: shutil.get_terminal_size().columns - 1]}\x1b[K")
    else:
        stream.write(f"{text}\n")
    stream.flush()


def _bar(rms_dbfs: float, peak_dbfs: float) -> str:
    """`=` up to the level, `|` at the peak."""
    filled, peak = _column(rms_dbfs), _column(peak_dbfs)
    cells = ["="] * filled + [" "] * (_BAR - filled)
    cells[min(peak, _BAR - 1)] = "|"
    return "[" + "".join(cells) + "]"


def _column(dbfs: float) -> int:
    return round(_BAR * min(1.0, max(0.0, 1.0 - dbfs / FLOOR_DBFS)))
