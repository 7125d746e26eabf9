"""How far the estimated beginnings and ends of cries are off: `python -m training event-times`.

Cries of the donateacry corpus, whose bursts people marked as intervals, are laid over backgrounds of a home and heard
by the device's listener. A cry begins with its first interval and ends with its last.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from device.config.loading import profile
from device.messages import AudioBlock
from device.runtime.model_loader import open_models
from training.data.clips import SAMPLE_RATE_HZ, load_clips
from training.data.split_list import read_list
from training.mixing.clip_in_background import background, place_clip
from training.mixing.scenes import home_backgrounds

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from device.config.settings import Settings
    from device.messages import Event
    from device.runtime.model_loader import OpenModels
    from training.data.clips import LoadedClip
    from training.data.split_list import Part
    from training.mixing.signal import Float32

SNRS_DB = (20.0, 10.0, 5.0)
_LEAD_S = (8.0, 10.0)
_TAIL_S = 8.0
_SET = "donateacry"
_BLOCK = 1600


@dataclass(frozen=True, slots=True)
class Timing:
    """One cry, as it was and as it was estimated, in seconds.

    Attributes:
        began_s: start of its first interval.
        ended_s: end of its last interval.
        window_start_s: start of the first window that counted.
        window_end_s: end of the last window above the off threshold; None if its end was not heard.
        onset_s: the estimate of its beginning.
        offset_s: of its end; None likewise.
    """

    began_s: float
    ended_s: float
    window_start_s: float
    window_end_s: float | None
    onset_s: float
    offset_s: float | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the verb."""
    parser.add_argument("--data", type=Path, required=True, help="folder of the collections")
    parser.add_argument("--part", choices=("val", "test"), default="val", help="subjects (default: val)")
    parser.add_argument("--seed", type=int, default=20250228, help="of backgrounds and positions")


def run(arguments: argparse.Namespace) -> int:
    """Print a table of the errors; returns exit code 0. Raises RecordingError."""
    rng, settings = np.random.default_rng(arguments.seed), profile("nursery")
    intervals = read_intervals(arguments.data / _SET / "cry_intervals.csv")
    clips, grounds = _cries(arguments.data, arguments.part, intervals), home_backgrounds(arguments.data, arguments.part)
    subjects = len({clip.listed.subject for clip in clips})
    print(f"{len(clips)} cries of {subjects} subjects, part {arguments.part}; errors in seconds: median, 90 %, 95 %\n")
    print("| level over the background | heard | beginning | end |\n| --- | --- | --- | --- |")
    with open_models(settings) as models:
        measured: dict[float, list[Timing | None]] = {snr_db: [] for snr_db in SNRS_DB}
        for clip in clips:
            for snr_db, timing in _timings(models, settings, clip, intervals[clip.listed.file], grounds, rng):
                measured[snr_db].append(timing)
    for snr_db, timings in measured.items():
        print(row(f"{snr_db:g} dB", timings))
    print(row("all", [timing for timings in measured.values() for timing in timings]))
    return 0


def read_intervals(path: Path) -> dict[str, list[tuple[float, float]]]:
    """Listed file -> (start, end) of its bursts of crying, in seconds."""
    intervals: dict[str, list[tuple[float, float]]] = {}
    with path.open(newline="", encoding="utf-8") as lines:
        for line in csv.DictReader(lines):
            bursts = intervals.setdefault(f"{_SET}/{line['file']}", [])
            bursts.append((float(line["start_s"]), float(line["end_s"])))
    return intervals


def row(name: str, timings: Sequence[Timing | None]) -> str:
    """A row of the table: how many were heard, and the errors of beginnings and ends."""
    heard = [timing for timing in timings if timing is not None]
    onsets = [timing.onset_s - timing.began_s for timing in heard]
    offsets = [timing.offset_s - timing.ended_s for timing in heard if timing.offset_s is not None]
    return f"| {name} | {len(heard)} of {len(timings)} | {errors(onsets)} | {errors(offsets)} |"


def errors(signed: Sequence[float]) -> str:
    """Median, 90 % and 95 % of the absolute errors, in seconds."""
    if not signed:
        return "-"
    return ", ".join(f"{value:.2f}" for value in np.percentile(np.abs(signed), (50, 90, 95)))


def timing(events: Sequence[Event], began_s: float, ended_s: float) -> Timing | None:
    """The times of a cry by its first beginning and its last end; None if it was not heard."""
    begun = [event for event in events if event.phase == "begin"]
    over = [event for event in events if event.phase == "end" and event.reason == "quiet"]
    if not begun:
        return None
    first, last = begun[0], over[-1] if over else None
    return Timing(
        began_s,
        ended_s,
        window_start_s=first.start_s,
        window_end_s=None if last is None else last.end_s,
        onset_s=first.began_s,
        offset_s=None if last is None else last.ended_s,
    )


def _cries(data: Path, part: Part, intervals: Mapping[str, object]) -> tuple[LoadedClip, ...]:
    listed = [
        clip
        for clip in read_list()
        if clip.part == part and clip.set == _SET and clip.label == "cry" and not clip.doubtful
    ]
    return load_clips(data, part, listed=[clip for clip in listed if clip.file in intervals])


def _timings(
    models: OpenModels,
    settings: Settings,
    clip: LoadedClip,
    bursts: Sequence[tuple[float, float]],
    grounds: Sequence[Float32],
    rng: np.random.Generator,
) -> Iterator[tuple[float, Timing | None]]:
    lead = round(rng.uniform(*_LEAD_S) * SAMPLE_RATE_HZ)
    under = background(rng, grounds, lead + len(clip.samples) + round(_TAIL_S * SAMPLE_RATE_HZ))
    for snr_db in SNRS_DB:
        mixed = place_clip(clip.samples, under, lead_samples=lead, snr_db=snr_db)
        events = _events(models, settings, mixed.samples)
        yield snr_db, timing(events, mixed.start_s + bursts[0][0], mixed.start_s + bursts[-1][1])


def _events(models: OpenModels, settings: Settings, samples: Float32) -> list[Event]:
    listener = models.listener(settings, "timing")
    events: list[Event] = []
    for start in range(0, len(samples), _BLOCK):
        events += listener.push(AudioBlock(samples[start : start + _BLOCK], SAMPLE_RATE_HZ, start)).events
    return [*events, *listener.finish().events]
