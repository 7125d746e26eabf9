"""What the daemon costs: the nursery profile beside stock YAMNet, its memory, and how soon it hears.

    make bench                                       (or: python -m benchmarks.daemon [--minutes 10])

Everything is measured in one run; CPU seconds of one thread where one thing is set beside another. The
microphone is a private PulseAudio, the one that the system tests use. YAMNet (Google, float, as
TensorFlow Lite, features inside) is Frigate's network and is expected in ../shared/peers.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from ai_edge_litert.interpreter import Interpreter

from device.config.loading import profile
from device.demo.scene import SEED, bedside
from device.hearing.features import FrameCache, finish
from device.hearing.listening_model import NetworkWithPast
from device.messages import AudioBlock
from device.runtime.model_loader import OpenModels, open_models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

ROOT = Path(__file__).resolve().parents[1]
YAMNET = ROOT.parent / "shared" / "peers" / "yamnet.tflite"
RATE_HZ = 16000
HOP = 8000
BLOCK = 800


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.daemon", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=10, help="of sound for the comparison")
    parser.add_argument("--seconds", type=float, default=30.0, help="that the whole daemon runs")
    given = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}\n")
    scene = bedside(np.random.default_rng(SEED)).samples
    beside_yamnet(np.tile(scene, given.minutes))
    print()
    with tempfile.TemporaryDirectory() as folder:
        whole_daemon(scene, Path(folder), given.seconds)


def beside_yamnet(samples: Float32) -> None:
    """CPU of the nursery profile and of YAMNet on the same minutes, in turns: both meet the same machine."""
    with open_models(profile("nursery")) as models:
        ways: dict[str, Callable[[Float32], None]] = {
            "YAMNet, stock": _yamnet(),
            "nursery: features and inference": _features_and_inference(models),
            "nursery: the whole listener": _listener(models),
        }
        cpu_s = dict.fromkeys(ways, 0.0)
        minute = 60 * RATE_HZ
        for first in range(0, len(samples), minute):
            for name, run in ways.items():
                began_s = time.process_time()
                run(samples[first : first + minute])
                cpu_s[name] += time.process_time() - began_s
    windows = len(samples) / HOP
    base = cpu_s["YAMNet, stock"]
    print("| one window, hop 0.5 s | ms of CPU | of YAMNet's |\n|---|---|---|")
    for name, spent_s in cpu_s.items():
        print(f"| {name} | {1000 * spent_s / windows:.2f} | {spent_s / base:.2f} |")


def _yamnet() -> Callable[[Float32], None]:
    interpreter = Interpreter(model_path=str(YAMNET), num_threads=1)
    interpreter.allocate_tensors()
    given, window = interpreter.get_input_details()[0], 15600
    scores = interpreter.get_output_details()[0]["index"]

    def run(samples: Float32) -> None:
        for first in range(0, len(samples) - window + 1, HOP):
            interpreter.set_tensor(given["index"], samples[first : first + window].reshape(given["shape"]))
            interpreter.invoke()
            interpreter.get_tensor(scores)

    return run


def _features_and_inference(models: OpenModels) -> Callable[[Float32], None]:
    """All models of the profile: frames that they have in common are computed once, and so is their backbone."""
    caches = {spec.frame_hash: FrameCache(spec) for model in models.listening for spec in model.specs}
    window = max(spec.window_samples for model in models.listening for spec in model.specs)

    def run(samples: Float32) -> None:
        for cache in caches.values():
            cache.reset()
        pasts: dict[str, Float32 | None] = {}
        for first in range(0, len(samples) - window + 1, HOP):
            heard = samples[first : first + window]
            for model in models.listening:
                features = [
                    finish(spec, caches[spec.frame_hash].frames(heard, first // spec.hop)) for spec in model.specs
                ]
                if isinstance(model.network, NetworkWithPast):
                    pasts[model.name] = model.network.classify_after(features, pasts.get(model.name)).next_past
                else:
                    model.network.classify(features)

    return run


def _listener(models: OpenModels) -> Callable[[Float32], None]:
    def run(samples: Float32) -> None:
        listener = models.listener(profile("nursery"), "bench")
        for first in range(0, len(samples), BLOCK):
            listener.push(AudioBlock(samples[first : first + BLOCK], RATE_HZ, first))
        listener.finish()

    return run


# --- the whole daemon

_STAMPED = """
import json, sys, time
from device.daemon.options import ListenOptions
from device.daemon.app import Daemon

class Tap:
    def __init__(self, source):
        self.source, self.ends = source, []
    def blocks(self):
        for item in self.source.blocks():
            if hasattr(item, "samples"):
                self.ends.append((item.end_sample / item.sample_rate_hz, time.monotonic()))
            yield item
    def close(self):
        self.source.close()

taps = []
def tapped(source):
    taps.append(Tap(source))
    return taps[-1]

daemon = Daemon(ListenOptions(instance="bench"), wrap=tapped)
runner, waits = daemon._loop.parts.runner, []
hear = runner.push
def stamped(item):
    heard = hear(item)
    now = time.monotonic()
    for scores in heard.scores:
        end_s, at_s = next(pair for pair in taps[0].ends if pair[0] >= scores.end_s - 1e-9)
        waits.append(now - (at_s - (end_s - scores.end_s)))
    del taps[0].ends[1:-400]
    return heard
runner.push = stamped
with daemon:
    code = daemon.run()
print("STAMPS " + json.dumps({"first_block": taps[0].ends[0], "waits": waits}), flush=True)
sys.exit(code)
"""


def whole_daemon(scene: Float32, folder: Path, seconds: float) -> None:
    """Start, memory and delay of the daemon as it runs, with its capture child."""
    tape = folder / "scene.wav"
    soundfile.write(tape, np.tile(scene, 2 + int(seconds // 60)), RATE_HZ, "PCM_16")
    card = _sound_card()(folder, rate_hz=RATE_HZ)
    card.start()
    try:
        card.play(tape)
        _report(_run(card.environment, folder, seconds))
    finally:
        card.stop()


def _run(environment: dict[str, str], folder: Path, seconds: float) -> dict[str, Any]:
    private = {"XDG_RUNTIME_DIR": str(folder / "run"), "XDG_STATE_HOME": str(folder / "state")}
    began_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", _STAMPED],
        env={**os.environ, **environment, **private},
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    time.sleep(seconds)
    family = [process.pid, *_children(process.pid)]
    measured: dict[str, Any] = {
        "began": began_s,
        "rss": {_name(pid): _memory_mb(pid, "Rss") for pid in family},
        "pss": {_name(pid): _memory_mb(pid, "Pss") for pid in family},
        "cpu": sum(map(_cpu_s, family)) / seconds,
    }
    process.terminate()
    output, _ = process.communicate(timeout=10)
    stamps = next(line for line in output.splitlines() if line.startswith("STAMPS "))
    return {**measured, **json.loads(stamps.removeprefix("STAMPS "))}


def _report(figures: dict[str, Any]) -> None:
    waits = np.array(figures["waits"])
    rows = {
        "process start to first captured sample": f"{figures['first_block'][1] - figures['began']:.2f} s",
        "first score after the last sample of its window": f"{1000 * waits[0]:.0f} ms",
        "every score after the last sample of its window, median and worst": f"{1000 * np.median(waits):.0f} ms, "
        f"{1000 * waits.max():.0f} ms",
        "resident memory, daemon and capture child, no filters": f"{sum(figures['rss'].values()):.1f} MB",
        **{f"- of it {name}": f"{value:.1f} MB" for name, value in figures["rss"].items()},
        "the same, pages that they share counted once (PSS)": f"{sum(figures['pss'].values()):.1f} MB",
        "CPU, of one core": f"{100 * figures['cpu']:.1f} %",
    }
    print("| whole daemon, nursery, 16 kHz | figure |\n|---|---|")
    for name, figure in rows.items():
        print(f"| {name} | {figure} |")


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from _children(int(child))


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return "the capture child" if any("capture" in word for word in words) else "the daemon"


def _memory_mb(pid: int, field: str) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{field}:")) * 1024 / 1e6


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _sound_card() -> Any:
    """The sound card of the system tests, which are no package."""
    spec = importlib.util.spec_from_file_location("system_conftest", ROOT / "tests" / "system" / "conftest.py")
    if spec is None or spec.loader is None:
        raise RuntimeError("tests/system/conftest.py, which holds the sound card, is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PulseCard


if __name__ == "__main__":
    main()
