"""A training run of a tiny network, with all that a state has to hold: dropout, BatchNorm, mixing and AdamW.

As a program: `tiny_run.py FOLDER EPOCHS PAUSE_S` trains in a process of its own, PAUSE_S after each batch.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.networks.cnn_bilstm import PUBLISHED_MFCC
from training.networks.network_form import NetworkForm, feature_inputs
from training.train.system.epoch_loop import LoopSettings, train_epochs
from training.train.system.prepared_parts import Place, PreparedPart
from training.train.system.stop_request import StopRequest
from training.train.system.system_recipes import SystemRecipe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from training.train.system.training_state import Progress

RECIPE = SystemRecipe(
    task="breath_sounds",
    optimizer="adamw",
    learning_rate=3e-3,
    batch=16,
    epochs=5,
    patience=5,
    weight_decay=1e-2,
    schedule="cosine",
    weighted=True,
    mixup=0.3,
    mask=0.2,
)
LABELS = ("wheeze", "crackle")


def build(seed: int) -> Any:
    """(100, 13, 1) -> logits (2,)."""
    import keras

    keras.utils.set_random_seed(seed)
    (inputs,) = feature_inputs((PUBLISHED_MFCC,))
    tensor = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 5, strides=4)(inputs))
    tensor = keras.layers.Dropout(0.4, seed=seed)(keras.layers.Flatten()(keras.layers.ReLU()(tensor)))
    return keras.Model(inputs, keras.layers.Dense(2, name="logits")(tensor), name="tiny")


FORM = NetworkForm("tiny", "only", LABELS, "sigmoid", (PUBLISHED_MFCC,), build)


def part(count: int, seed: int) -> PreparedPart:
    """Windows in which a label is a raised band."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((count, 2)) < 0.4).astype(np.float32)
    windows = rng.normal(0, 1, (count, *PUBLISHED_MFCC.shape, 1)).astype(np.float32)
    windows[:, :, 2, 0] += targets[:, :1]
    windows[:, :, 8, 0] += targets[:, 1:]
    return PreparedPart((windows,), targets, (Place("a.wav", 0.0, 2.0, "ann"),) * count)


class SlowRequest(StopRequest):
    """Waits after each batch, so that there is a moment to be killed in."""

    def __init__(self, pause_s: float) -> None:
        super().__init__()
        self._pause_s = pause_s

    @contextmanager
    def noted_only(self) -> Iterator[None]:
        with super().noted_only():
            yield
            time.sleep(self._pause_s)


def train(
    folder: Path,
    *,
    epochs: int,
    stop: StopRequest | None = None,
    budget_s: float | None = None,
    seed: int = 7,
    eager: bool = True,
    average: float = 0.0,
) -> Progress:
    """Train, or go on; eagerly, as compiling takes longer than the few steps do."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = LoopSettings(
        seed=seed, epochs=epochs, folder=folder, budget_s=budget_s, eager=eager, identity={"seed": seed}
    )
    parts = (part(80, 1), part(40, 2))
    recipe = replace(RECIPE, average=average)
    return train_epochs(build(seed), FORM, recipe, parts, settings, stop or StopRequest())


if __name__ == "__main__":
    train(Path(sys.argv[1]), epochs=int(sys.argv[2]), stop=SlowRequest(float(sys.argv[3])), eager=False)
