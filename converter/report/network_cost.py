"""Time and memory of one network in a process of its own: nothing but Python, numpy, the runtime and the network.

As a program, `python -m converter.report.network_cost THREADS FILE..` measures, and prints JSON; a network in two parts
is two files, run one after the other. The inputs are noise:
the time of the operations that the device runs does not depend on the sound.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_RUNS = 25
LEAST_S = 1.5
"""Both are reached before the measurement ends."""

_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """What one process found.

    Attributes:
        ms: of one window: of all runs the fastest, because others use the machine too.
        peak_mb: the largest resident memory of the process, 1e6 bytes.
    """

    ms: float
    peak_mb: float


def network_cost(files: Sequence[Path], threads: int) -> NetworkCost:
    """Measure the files of a network.

    Raises:
        BundleError: the process fails, with its last line.
    """
    words = [sys.executable, "-m", "converter.report.network_cost", str(threads), *map(str, files)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 - this module
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        raise BundleError(f"{files[0].name} cannot be measured: {last}")
    found = json.loads(ended.stdout)
    return NetworkCost(found["ms"], found["peak_mb"])


def measure(files: Sequence[Path], threads: int) -> NetworkCost:
    """Measure in this process."""
    interpreters = [_with_noise(file, threads) for file in files]
    taken: list[float] = []
    while len(taken) < LEAST_RUNS or sum(taken) < LEAST_S:
        begin = time.perf_counter()
        for interpreter in interpreters:
            interpreter.invoke()
        taken.append(time.perf_counter() - begin)
    return NetworkCost(1e3 * min(taken), _peak_mb())


def _with_noise(file: Path, threads: int) -> Any:
    """An interpreter whose inputs are set."""
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(file), num_threads=threads)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        noise = rng.normal(0.0, 1.0, detail["shape"])
        is_float = detail["dtype"] is np.float32
        interpreter.set_tensor(detail["index"], noise.astype(np.float32) if is_float else (30 * noise).astype(np.int8))
    return interpreter


def _peak_mb() -> float:
    """Of this process alone; `getrusage` counts its parent's memory too."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


if __name__ == "__main__":
    cost = measure([Path(word) for word in sys.argv[2:]], int(sys.argv[1]))
    print(json.dumps({"ms": cost.ms, "peak_mb": cost.peak_mb}))
