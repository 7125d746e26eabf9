"""The work of some windows, for a process whose instructions are counted; it runs in a tree for another processor.

    python3 window_work.py yamnet FILE N           stock YAMNet on N windows, its features included
    python3 window_work.py features FILE[,FILE] N  the features of N windows, each hop's new frames alone
    python3 window_work.py models FILE[,FILE] N    the same, and the networks of all models; what two share runs once
    python3 window_work.py listener FILE[,FILE] N  all that the listener does: these, decisions, is the microphone deaf

Imports what is installed in the tree and nothing of the benchmarks.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from device.config.settings import Settings
from device.hearing.features import FrameCache, finish
from device.hearing.listening_model import NetworkWithPast
from device.messages import AudioBlock
from device.runtime.model_loader import open_models

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec

    Float32 = npt.NDArray[np.float32]

HOP_S, BLOCK_S = 0.5, 0.05
YAMNET_RATE_HZ, YAMNET_SAMPLES = 16_000, 15_600


def noise(rate_hz: int, windows: int) -> Float32:
    """Sound of so many windows: what a window costs does not depend on what is heard."""
    samples = rate_hz * (3 + HOP_S * windows)
    return (0.1 * np.random.default_rng(1).standard_normal(round(samples))).astype(np.float32)


def run_yamnet(path: str, windows: int) -> None:
    """Stock YAMNet on windows a hop apart."""
    network = Interpreter(model_path=path, num_threads=1)
    network.allocate_tensors()
    given, scores = network.get_input_details()[0], network.get_output_details()[0]["index"]
    samples, hop = noise(YAMNET_RATE_HZ, windows), round(HOP_S * YAMNET_RATE_HZ)
    for first in range(0, windows * hop, hop):
        network.set_tensor(given["index"], samples[first : first + YAMNET_SAMPLES].reshape(given["shape"]))
        network.invoke()
        network.get_tensor(scores)


def features_of(specs: tuple[FeatureSpec, ...], windows: int) -> list[list[Float32]]:
    """The inputs of each window; frames that windows share are computed once."""
    spec = specs[0]
    samples, hop = noise(spec.sample_rate_hz, windows), round(HOP_S * spec.sample_rate_hz)
    caches = {one.frame_hash: FrameCache(one) for one in specs}
    return [
        [
            finish(one, caches[one.frame_hash].frames(samples[first : first + one.window_samples], first // one.hop))
            for one in specs
        ]
        for first in range(0, windows * hop, hop)
    ]


def run_models(files: list[str], windows: int, *, with_networks: bool) -> None:
    """Features of the first model's windows, and the networks of all models on them.

    The files are not tried in a child process first: under emulation none can be started.
    """
    tried = {Path(file): hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files}
    with open_models(Settings(), files, tried=tried) as models:
        pasts: dict[str, Float32 | None] = {}
        for features in features_of(models.listening[0].specs, windows):
            for model in models.listening if with_networks else ():
                if isinstance(model.network, NetworkWithPast):
                    pasts[model.name] = model.network.classify_after(features, pasts.get(model.name)).next_past
                else:
                    model.network.classify(features)


def run_listener(files: list[str], windows: int) -> None:
    """The whole listener on sound of so many windows, in blocks as a microphone gives them."""
    tried = {Path(file): hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files}
    with open_models(Settings(), files, tried=tried) as models:
        rate_hz = models.listening[0].specs[0].sample_rate_hz
        samples, block = noise(rate_hz, windows), round(BLOCK_S * rate_hz)
        listener = models.listener(Settings(), "count")
        for first in range(0, len(samples), block):
            listener.push(AudioBlock(samples[first : first + block], rate_hz, first))
        listener.finish("end_of_file")


def main() -> None:
    """Do what the command line says."""
    what, path, windows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if what == "yamnet":
        run_yamnet(path, windows)
    elif what == "listener":
        run_listener(path.split(","), windows)
    else:
        run_models(path.split(","), windows, with_networks=what == "models")


if __name__ == "__main__":
    main()
