"""Whether the daemon would hear: its models work here, the machine is fast enough for them, the microphone works.

The microphone is a Protocol here. Time is read from its blocks, so that a simulated one takes no time.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from device.config.microphone.stream_address import is_stream
from device.config.wording import listed
from device.errors import SpecError
from device.findings import Finding
from device.hearing.level import Level
from device.messages import AudioBlock, NoAudio
from device.quantity import quantity
from device.tools.level_text import level_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from device.config.settings import Settings
    from device.runtime.daemon_state import DaemonState
    from device.runtime.model_loader import OpenModels

RECORDED_S = 3.0
SETTLES_S = 0.5
"""A microphone just opened may pop."""

TIMEOUT_S = 13.0
"""Longest wait for sound; a sound server may take a few seconds to wake, and a camera longer."""

FULL_SCALE = 0.999
CLIPPED_SHARE = 0.05
FAINT_DBFS = -85.0
"""The least steps of 16 bits: the quietest room with the best microphone is louder."""

TIMED_S = 5.0
NOISE = 0.01
"""Amplitude of the noise that the models are timed with; their time does not depend on the sound."""

TIGHT_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class _Cures:
    """What to do about a microphone, or a stream: what is not heard, stuck, clipped, lost, faint, low in rate, zero."""

    not_heard: str
    stuck: str
    clipped: str
    lost: str
    faint: str
    low_rate: str
    zeros: str


_OF_MICROPHONE = _Cures(
    not_heard="auricle devices lists what is there",
    stuck="unplug it and plug it in again, or replace it",
    clipped="turn its gain down in alsamixer",
    lost="look for what else keeps this machine or its USB busy",
    faint="check whether it is muted or its gain is down in alsamixer",
    low_rate='set "sample_rate_hz" in [microphone] to "device", or use another microphone',
    zeros="look for a switch on it and at alsamixer; set gates_to_zero in [deafness] if it is said to gate",
)
_OF_STREAM = _Cures(
    not_heard="open its address in a player; is the camera on, and its sound switched on in its settings?",
    stuck="start the camera again",
    clipped="turn its microphone down in the camera's settings",
    lost="look at the network between the two: a cable, or a nearer access point",
    faint="turn its microphone up in the camera's settings",
    low_rate="choose AAC, Opus or a higher rate in the camera's settings, if it has that: less is heard of a cry",
    zeros="switch its microphone on in the camera's settings; set gates_to_zero in [deafness] if it filters noise",
)


class CheckedMicrophone(Protocol):
    """What a check needs of a microphone."""

    @property
    def name(self) -> str:
        """The device's full name, once it is open."""

    @property
    def overruns(self) -> int:
        """How often samples were lost."""

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Sound, or the reason why there is none, without end."""

    def close(self) -> None:
        """Close the device."""


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A few seconds of a microphone.

    Attributes:
        samples: float32 (n,); empty if there was no sound.
        sample_rate_hz: 0 if there was no sound.
        name: of the device.
        overruns: during the recording.
        reason: why there was no sound, or less than requested; empty otherwise.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    name: str
    overruns: int
    reason: str


def check_models(opened: OpenModels, settings: Settings) -> Finding:
    """Whether the models can run at the configured hop; opening them has already checked their golden numbers."""
    try:
        opened.listener(settings, "check")
    except SpecError as error:
        return Finding("models", "failure", str(error), 'correct "hop_s" in [listen]')
    names = listed([f"{model.name} {model.version}" for model in opened.listed])
    return Finding("models", "ok", f"{names}: golden numbers come out here, a window every {settings.listen.hop_s:g} s")


def check_speed(opened: OpenModels, settings: Settings, clock_s: Callable[[], float] = time.perf_counter) -> Finding:
    """Whether features and networks of one hop take well less than a hop, with all models running at once."""
    listener = replace(
        opened, listening=tuple(replace(model, listens_while=None) for model in opened.listening)
    ).listener(settings, "check")
    rate_hz = max(model.sample_rate_hz for model in opened.listed)
    longest_s = max(model.window_s for model in opened.listed)
    blocks = list(_noise(rate_hz, longest_s + TIMED_S))
    first_timed = round(longest_s * rate_hz)
    for block in blocks:
        if block.start_sample < first_timed:
            listener.push(block)
    began_s = clock_s()
    for block in blocks:
        if block.start_sample >= first_timed:
            listener.push(block)
    return _judged_speed((clock_s() - began_s) / TIMED_S, settings.listen.hop_s)


def _noise(rate_hz: int, length_s: float) -> Iterator[AudioBlock]:
    """Blocks of 50 ms."""
    samples = np.random.default_rng(0).standard_normal(round(length_s * rate_hz), np.float32) * np.float32(NOISE)
    step = rate_hz // 20
    for start in range(0, len(samples), step):
        yield AudioBlock(samples[start : start + step], rate_hz, start)


def _judged_speed(share: float, hop_s: float) -> Finding:
    summary = f"features and networks take {share * hop_s * 1e3:.1f} ms of a hop of {hop_s:g} s"
    cure = "set a larger hop_s in [listen], or enable fewer models; look at heat and at what else runs"
    if share >= 1.0:
        return Finding("speed", "failure", summary, cure)
    return Finding("speed", "warning", summary, cure) if share >= TIGHT_SHARE else Finding("speed", "ok", summary)


def record(microphone: CheckedMicrophone, seconds: float = RECORDED_S) -> Recorded:
    """Record `seconds` after `SETTLES_S`, or less if there is no sound in `TIMEOUT_S`; closes the microphone."""
    parts: list[AudioBlock] = []
    reason = ""
    try:
        for item in microphone.blocks():
            if isinstance(item, NoAudio):
                reason, now_s = item.reason, item.at_s
            else:
                if parts and parts[0].sample_rate_hz != item.sample_rate_hz:
                    parts.clear()
                parts.append(item)
                now_s = item.end_sample / item.sample_rate_hz
            if _length_s(parts) >= SETTLES_S + seconds or now_s >= TIMEOUT_S:
                break
    finally:
        microphone.close()
    rate_hz = parts[0].sample_rate_hz if parts else 0
    samples = np.concatenate([part.samples for part in parts]) if parts else np.zeros(0, np.float32)
    settled = samples[round(SETTLES_S * rate_hz) :]
    is_complete = len(settled) >= seconds * rate_hz > 0
    lack = "" if is_complete else reason or "it is too slow"
    return Recorded(settled, rate_hz, microphone.name, microphone.overruns, lack)


def _length_s(parts: list[AudioBlock]) -> float:
    return sum(len(part.samples) for part in parts) / parts[0].sample_rate_hz if parts else 0.0


def check_microphone(recorded: Recorded, *, needed_hz: int, gates_to_zero: bool) -> Finding:
    """Whether the recorded microphone works.

    Args:
        recorded: from the microphone.
        needed_hz: highest rate of the models; 0 if none could be opened.
        gates_to_zero: it outputs zeros while nothing is loud.
    """
    cures = _OF_STREAM if is_stream(recorded.name) else _OF_MICROPHONE
    if recorded.reason:
        return _failed(f'"{recorded.name}" is not heard: {recorded.reason}', cures.not_heard)
    samples, rate_hz = recorded.samples, recorded.sample_rate_hz
    level = Level()
    level.push(samples, rate_hz)
    summary = f'"{recorded.name}" at {rate_hz} Hz: {level_text(level.rms_dbfs, level.peak_dbfs)}'
    if not samples.any():
        return _silent(summary, cures, gates_to_zero=gates_to_zero)
    if samples.min() == samples.max():
        return _failed(f"{summary}: one value for {RECORDED_S:g} s", cures.stuck)
    return _judged_sound(summary, recorded, level, needed_hz, cures)


def _judged_sound(summary: str, recorded: Recorded, level: Level, needed_hz: int, cures: _Cures) -> Finding:
    clipped = float(np.mean(np.abs(recorded.samples) >= FULL_SCALE))
    if clipped > CLIPPED_SHARE:
        return _warned(f"{summary}, {100 * clipped:.0f} % of the samples clipped", cures.clipped)
    if recorded.overruns:
        return _warned(f"{summary}, samples were lost {quantity(recorded.overruns, 'time')}", cures.lost)
    if level.rms_dbfs is not None and level.rms_dbfs < FAINT_DBFS:
        return _warned(f"{summary}: hardly anything", cures.faint)
    if recorded.sample_rate_hz < needed_hz:
        return _warned(f"{summary}, the models hear at {needed_hz}", cures.low_rate)
    return Finding("microphone", "ok", summary)


def _silent(summary: str, cures: _Cures, *, gates_to_zero: bool) -> Finding:
    if gates_to_zero:
        return _warned(
            f"{summary}, only zeros, as it may give them in a quiet room", "clap your hands, and check again"
        )
    return _failed(f"{summary}, only zeros: it is muted or dead", cures.zeros)


def check_microphone_of_daemon(state: DaemonState) -> Finding:
    """What the running daemon reports of its microphone: nobody else can record from it meanwhile."""
    summary = (
        f'the daemon that runs holds "{state.device or state.source}": {level_text(state.level_dbfs, state.peak_dbfs)}'
    )
    if state.hears:
        return Finding("microphone", "ok", f"{summary}, and hears")
    return _failed(f"{summary}, and does not hear", f"auricle status --instance {state.instance} tells why")


def _failed(summary: str, cure: str) -> Finding:
    return Finding("microphone", "failure", summary, cure)


def _warned(summary: str, cure: str) -> Finding:
    return Finding("microphone", "warning", summary, cure)
