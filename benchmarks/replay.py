"""What a replay costs: speed, memory, time to the first score, and where the time goes.

    make bench                                       (or: python -m benchmarks.replay [--hours 10])

Everything is measured in one run on one core, in CPU seconds where that is what counts; compare the
figures with each other, not with another machine's.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import python_speech_features as psf
import soundfile

from device.demo.scene import SEED, bedside
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from device.hearing.decision import Decider
from device.hearing.features import FrameCache, computer, finish, window_features
from device.messages import Scores
from device.runtime.model_library import bundle_path

if TYPE_CHECKING:
    import resource
    from collections.abc import Callable

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16000
HOP = 8000
REPEATS = 200


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=10.0, help="length of the long file")
    parser.add_argument("--model", default="cry", help="a shipped model's name or a bundle file")
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, one core\n")
    scene = scene_samples()
    parts(given.model, scene)
    print()
    with tempfile.TemporaryDirectory() as folder:
        whole_process(given.model, scene, Path(folder), given.hours)


def scene_samples() -> Float32:
    """The demo's bedside minute: float32 (960000,) at 16 kHz."""
    return bedside(np.random.default_rng(SEED)).samples


def parts(model: str, scene: Float32) -> None:
    """Where the time of one new hop goes, and what others need for the same numbers."""
    bundle = read_bundle(bundle_path(model))
    log_mel = next(spec for spec in bundle.specs if spec.n_mfcc == 0)
    window = scene[30 * RATE_HZ :][: log_mel.window_samples]
    new, whole = HOP // log_mel.hop, log_mel.shape[0]
    fresh = window[-(log_mel.span + (new - 1) * log_mel.hop) :]
    point = bundle.labels[0].operating_point
    decider = Decider(event_prefix="b", model=bundle.name, label=bundle.label_names[0], point=point, hop_s=0.5)
    scores = Scores(bundle.name, {bundle.label_names[0]: 0.1}, 0.0, 2.0)
    with Classifier.open(bundle) as classifier:
        rows = {
            "features of a new hop (all inputs, frames shared)": _hop_of_features(bundle.specs, scene),
            "inference": _inference(classifier, bundle.specs, scene),
            "decision": lambda: decider.push(scores),
            f"log-mel of a new hop ({new} frames)": lambda: computer(log_mel).mel(fresh),
            f"bare float32 FFT of the same {new} frames": lambda: np.fft.rfft(_frames(log_mel, fresh)),
            f"log-mel of the whole window ({whole} frames)": lambda: computer(log_mel).mel(window),
            f"bare float32 FFT of the same {whole} frames": lambda: np.fft.rfft(_frames(log_mel, window)),
            "librosa, log-mel of the whole window": lambda: _librosa(log_mel, window),
            "python_speech_features, log-mel of the whole window": lambda: _psf(log_mel, window),
        }
        medians = {name: _median_us(run) for name, run in rows.items()}
    base = medians[f"log-mel of a new hop ({new} frames)"]
    print(f"| per window, hop 0.5 s | median us | of a new hop's log-mel |\n|{'-' * 55}|{'-' * 11}|{'-' * 24}|")
    for name, median in medians.items():
        print(f"| {name:<53} | {median:9.1f} | {median / base:22.2f} |")


def whole_process(model: str, scene: Float32, folder: Path, hours: float) -> None:
    """Speed, memory and time to the first score of the command as people run it."""
    short, minute, ten, long = (folder / name for name in ("3s.wav", "1min.wav", "10min.wav", "long.wav"))
    soundfile.write(short, scene[28 * RATE_HZ : 31 * RATE_HZ], RATE_HZ)
    _write_repeated(minute, scene, 1)
    _write_repeated(ten, scene, 10)
    _write_repeated(long, scene, round(hours * 60))
    startup = statistics.median(_first_score_s(model, short) for _ in range(5))
    runs = {path: _replay(model, path) for path in (minute, ten, long)}
    base_cpu_s = runs[minute][0]
    print(f"| whole process, one core | figure |\n|{'-' * 55}|{'-' * 22}|")
    _row("process start to first score of a 3 s file", f"{startup:.2f} s")
    _row("replay, 10 minutes, start included", f"{600 / runs[ten][0]:.0f} x real time")
    _row("replay, between minute 1 and 10", f"{540 / (runs[ten][0] - base_cpu_s):.0f} x real time")
    _row(f"replay, {hours:g} hours", f"{hours * 3600 / runs[long][0]:.0f} x real time")
    _row("peak memory, 1 minute", f"{runs[minute][1]:.1f} MiB")
    _row(f"peak memory, {hours:g} hours", f"{runs[long][1]:.1f} MiB")
    _row("ratio of the two", f"{runs[long][1] / runs[minute][1]:.3f}")


def _row(name: str, figure: str) -> None:
    print(f"| {name:<53} | {figure:>20} |")


def _command(model: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "device", "replay", "--model", model, "--workers", "1", *arguments]


def _replay(model: str, path: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB of a replay that writes scores and events."""
    out = path.with_suffix(".csv")
    command = _command(model, "--scores", str(out), "--events", f"{out}.jsonl", str(path))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak_kib = 0
    while True:
        peak_kib = max(peak_kib, _peak_kib(process.pid))
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        time.sleep(0.01)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"replay of {path.name} failed")
    return _cpu_s(usage), peak_kib / 1024


def _peak_kib(pid: int) -> int:
    """High-water mark of a running process; the value of wait4 would include this process's own from before exec."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)


def _cpu_s(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _first_score_s(model: str, path: Path) -> float:
    began = time.perf_counter()
    with subprocess.Popen(_command(model, "--scores", "-", str(path)), stdout=subprocess.PIPE) as process:
        if process.stdout is None:
            raise RuntimeError("no pipe to read scores from")
        process.stdout.readline()  # the header
        process.stdout.readline()
        elapsed_s = time.perf_counter() - began
        process.stdout.read()
    return elapsed_s


def _write_repeated(path: Path, scene: Float32, times: int) -> None:
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16") as file:
        for _ in range(times):
            file.write(scene)


def _hop_of_features(specs: tuple[FeatureSpec, ...], scene: Float32) -> Callable[[], object]:
    """A function that computes the features of the next window of a stream, all inputs."""
    mel = FrameCache(next(spec for spec in specs if spec.n_mfcc == 0))
    caches = [mel if spec.n_mfcc == 0 else FrameCache(spec, mel=mel) for spec in specs]
    state = {"start": 0}

    def run() -> object:
        start = state["start"]
        state["start"] = (start + HOP) % (len(scene) - specs[0].window_samples - HOP)
        if state["start"] < start:
            for cache in caches:
                cache.reset()
        window = scene[start : start + specs[0].window_samples]
        return [
            finish(spec, cache.frames(window, start // spec.hop)) for spec, cache in zip(specs, caches, strict=True)
        ]

    return run


def _inference(classifier: Classifier, specs: tuple[FeatureSpec, ...], scene: Float32) -> Callable[[], object]:
    """A function that scores the next of some windows: a backbone computes nothing for the same features again."""
    starts = range(0, len(scene) - specs[0].window_samples, 5 * HOP)
    windows = (scene[start:][: specs[0].window_samples] for start in starts)
    features = itertools.cycle([window_features(spec, window) for spec in specs] for window in windows)
    return lambda: classifier.classify(next(features))


def _frames(spec: FeatureSpec, samples: Float32) -> Float32:
    return np.lib.stride_tricks.sliding_window_view(samples, spec.n_fft)[:: spec.hop]


def _librosa(spec: FeatureSpec, window: Float32) -> object:
    power = librosa.feature.melspectrogram(
        y=window, sr=RATE_HZ, n_fft=spec.n_fft, hop_length=spec.hop, n_mels=spec.n_mels, center=False
    )
    return librosa.power_to_db(power, top_db=None)


def _psf(spec: FeatureSpec, window: Float32) -> object:
    return psf.logfbank(
        window, RATE_HZ, spec.frame_length / RATE_HZ, spec.hop / RATE_HZ, spec.n_mels, spec.n_fft, preemph=0
    )


def _median_us(run: Callable[[], object]) -> float:
    for _ in range(20):
        run()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


if __name__ == "__main__":
    main()
