"""What `auricle devices` prints: the microphones that there are, how to name each, and how loud one is now."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, TextIO

from device.errors import MicrophoneError
from device.hearing.level import Level
from device.messages import AudioBlock, NoAudio
from device.sources.device_match import NO_MICROPHONE, identity
from device.sources.microphone import Microphone
from device.sources.microphone_list import list_microphones

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from device.config.settings import MicrophoneSettings
    from device.sources.device_match import ListedDevice

REDRAWN_EVERY_S = 0.1
PRINTED_EVERY_S = 1.0
FLOOR_DBFS = -90.0
"""Left end of the bar; 16 bit resolve no less."""

_BAR = 36
_HEADER = ("", "microphone", "device = ", "channels", "rates in Hz")


def list_devices(devices: Sequence[ListedDevice] | None = None) -> Iterator[str]:
    """One line for each microphone, under a heading: its name, what to write in the configuration, rates.

    Args:
        devices: that are there; None looks.

    Raises:
        MicrophoneError: there is none, or they cannot be listed.
    """
    there = list_microphones() if devices is None else devices
    if not there:
        raise MicrophoneError(NO_MICROPHONE)
    rows = [_HEADER, *(_row(device, there) for device in there)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    if any(device.is_default for device in there):
        yield '* is what device = "default" hears at present'


def meter(settings: MicrophoneSettings, stream: TextIO, *, seconds: float | None = None) -> None:
    """Show a microphone's level until `seconds` are over, or Ctrl-C: redrawn in place on a terminal only.

    Args:
        settings: which microphone.
        stream: a terminal, or anything else, which gets a line a second.
        seconds: None for ever.

    Raises:
        MicrophoneError: nothing was heard in all that time; the sentence says why.
    """
    drawn = stream.isatty()
    heard = False
    reason = "it was given no time"
    with Microphone(settings) as microphone:
        for reading in readings(microphone.blocks(), REDRAWN_EVERY_S if drawn else PRINTED_EVERY_S, seconds):
            _show(reading, stream, drawn=drawn)
            heard |= isinstance(reading, Level)
            reason = reading.reason if isinstance(reading, NoAudio) else reason
    if drawn:
        stream.write("\n")
    if not heard:
        raise MicrophoneError(f"nothing was heard: {reason}")


def readings(
    messages: Iterable[AudioBlock | NoAudio], every_s: float, seconds: float | None = None
) -> Iterator[Level | NoAudio]:
    """A reading every so often: the level of the sound since the last, or why there was none.

    Args:
        messages: of a microphone.
        every_s: from one reading to the next, in the stream's time.
        seconds: of the stream; None for all of it.
    """
    held = Level(every_s)
    due_s = every_s
    for message in messages:
        now_s = _end_s(message)
        if isinstance(message, AudioBlock):
            held.push(message.samples, message.sample_rate_hz)
        if now_s >= due_s - 1e-9:
            yield message if isinstance(message, NoAudio) else held
            held = Level(every_s)
            due_s = now_s + every_s
        if seconds is not None and now_s >= seconds:
            return


def line(reading: Level | NoAudio) -> str:
    """A reading in one line; levels in dBFS, where a full-scale square wave is 0 and a full-scale sine -3."""
    if isinstance(reading, NoAudio):
        return f"no audio: {reading.reason}"
    rms_dbfs, peak_dbfs = reading.rms_dbfs, reading.peak_dbfs
    if rms_dbfs is None or peak_dbfs is None:
        return "no signal (digital silence): muted, or a dead microphone"
    return f"{_bar(rms_dbfs, peak_dbfs)} {rms_dbfs:6.1f} dBFS RMS {peak_dbfs:6.1f} dBFS peak"


def _row(device: ListedDevice, among: Sequence[ListedDevice]) -> tuple[str, ...]:
    way = identity(device, among)
    rates = ", ".join(str(rate_hz) for rate_hz in device.rates_hz) or f"{device.default_rate_hz} (in use?)"
    return (
        "*" if device.is_default else "",
        device.stable_name,
        f'"{way}"' if way else "cannot be told from another",
        str(device.channels),
        rates,
    )


def _end_s(message: AudioBlock | NoAudio) -> float:
    return message.at_s if isinstance(message, NoAudio) else message.end_sample / message.sample_rate_hz


def _show(reading: Level | NoAudio, stream: TextIO, *, drawn: bool) -> None:
    text = line(reading)
    if drawn:
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
