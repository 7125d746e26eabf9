"""What the preparation of long corpora costs: features through the cache, on one worker process and on two.

    make bench                                       (10 and 100 hours)
    python -m benchmarks.preparation --hours 10 100 1000 --repeats 1

Each recording is one minute of breath-like sound at 4 kHz under a new name, turned by its number: so no recording has
the content of another, and the cache never hits. A worker writes it, prepares it, and deletes it and
its entry, so that 1,000 hours need no more disk than one. Nothing is extrapolated: every hour is prepared. Compare the
figures with each other, not with another machine's.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import platform
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from training.data.datasets.annotated_recording import AnnotatedRecording
from training.data.examples import Example
from training.networks.baseline import LUNG_LOG_MEL
from training.preparation.feature_batch import feature_batch
from training.scaling.feature_cache import FeatureCache
from training.scaling.run_all import run_all, usable_cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

RATE_HZ = LUNG_LOG_MEL.sample_rate_hz
MINUTE_S = 60
TURN = 4
WINDOW_S = LUNG_LOG_MEL.window_samples / RATE_HZ


@dataclass(frozen=True, slots=True)
class Timed:
    """One pass over a corpus: how long it took, and hashes that tell whether another gave the same features."""

    seconds: float
    hashes: list[str]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.preparation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--hours", type=float, nargs="+", default=[10.0, 100.0], help="sizes of the corpus")
    parser.add_argument("--repeats", type=int, default=3, help="of each size up to 10 hours; larger ones are run once")
    given = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, {usable_cores()} cores\n")
    print("| corpus | one worker | two workers | one / two | x real time, one | time an hour, of the first row's |")
    print("| --- | --- | --- | --- | --- | --- |")
    first_s = None
    for hours in given.hours:
        one_s, two_s = passes(hours, given.repeats if hours <= 10 else 1)
        first_s = first_s or one_s / hours
        print(
            f"| {hours:,g} h | {one_s:.1f} s | {two_s:.1f} s | {one_s / two_s:.2f} | {hours * 3600 / one_s:,.0f} | "
            f"{one_s / hours / first_s:.2f} |",
            flush=True,
        )
    print()
    parts(min(given.hours))


def passes(hours: float, repeats: int) -> tuple[float, float]:
    """Median seconds of one worker and of two, which take turns; ends the program if their features differ."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    found: list[list[str]] = []
    for _ in range(repeats):
        for workers, seconds in taken.items():
            timed = prepare(hours, workers)
            seconds.append(timed.seconds)
            found.append(timed.hashes)
    if any(one != found[0] for one in found):
        sys.exit("the features of two workers are not those of one")
    return statistics.median(taken[1]), statistics.median(taken[2])


def parts(hours: float) -> None:
    """What a cache that holds all of it saves, and what writing the recordings adds to every figure above."""
    with tempfile.TemporaryDirectory() as folder:
        cold = _timed(functools.partial(prepare_minute, folder, deletes=False), hours, 1)
        warm = _timed(functools.partial(prepare_minute, folder, deletes=False), hours, 1)
        written = _timed(functools.partial(write_minute, folder), hours, 1)
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.features"))
    if warm.hashes != cold.hashes:
        sys.exit("the cache gives other features than it was given")
    print(f"| {hours:g} h, one worker | of the first pass |\n| --- | --- |")
    print("| first pass, features kept | 1.00 |")
    print(f"| second pass, all found in the cache | {warm.seconds / cold.seconds:.2f} |")
    print(f"| writing the recordings, which is in all figures | {written.seconds / cold.seconds:.2f} |")
    print(f"\nThe cache takes {size / hours / 1e6:.1f} MB an hour of sound.")


def prepare(hours: float, workers: int) -> Timed:
    """One pass that leaves nothing on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return _timed(functools.partial(prepare_minute, folder, deletes=True), hours, workers)


def _timed(function: functools.partial[str], hours: float, workers: int) -> Timed:
    began = time.perf_counter()
    hashes = run_all(function, range(round(hours * 60)), workers=workers, progress=f"minutes of {hours:g} h")
    return Timed(time.perf_counter() - began, hashes)


def prepare_minute(folder: str, number: int, *, deletes: bool) -> str:
    """Write a recording, take the features of all its windows through the cache; a hash of them."""
    path = Path(folder) / f"{number:06}.wav"
    write_minute(folder, number)
    cache = FeatureCache(Path(folder) / ("cache" if not deletes else f"cache-{number}"))
    (features,), _ = feature_batch(windows_of(path), [LUNG_LOG_MEL], cache=cache)
    path.unlink()
    if deletes:
        shutil.rmtree(cache.folder)
    return hashlib.sha256(features.tobytes()).hexdigest()[:16]


def write_minute(folder: str, number: int) -> str:
    """The base minute, beginning `TURN` samples later for each recording: all of 1,000 hours differ."""
    samples = np.roll(base_minute(), -TURN * number)
    soundfile.write(Path(folder) / f"{number:06}.wav", samples, RATE_HZ, subtype="PCM_16")
    return ""


def windows_of(path: Path) -> Sequence[Example]:
    """All windows of a minute, one after another."""
    recording = AnnotatedRecording(path, "bench", (), "s", "", "", RATE_HZ, float(MINUTE_S), (), "")
    starts_s = np.arange(0, MINUTE_S, WINDOW_S)
    return [Example(recording, float(one), float(one + WINDOW_S), (0.0,), "s", "test") for one in starts_s]


@functools.cache
def base_minute() -> npt.NDArray[np.int16]:
    """Noise that swells every three seconds, as breathing does: int16 (240000,)."""
    rng = np.random.default_rng(2026)
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * np.arange(MINUTE_S * RATE_HZ) / (3 * RATE_HZ))
    return (3000 * swell * rng.standard_normal(len(swell))).clip(-32768, 32767).astype(np.int16)


if __name__ == "__main__":
    main()
