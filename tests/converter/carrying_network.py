"""A network that carries its past, with random weights, and what training would hand over for it.

`python -m tests.converter.carrying_network` makes the two small bundles that tests of the device listen with: `cry` and
`scream`, which have one backbone.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converter import toolchain
from converter.convert import convert
from converter.training_output import read_training_output
from device.hearing.bundle.contents import Label
from device.hearing.bundle.manifest import label_to_dict
from device.hearing.bundle.reader import read_bundle
from device.hearing.decision import OperatingPoint
from device.hearing.features import window_features
from device.hearing.spec import FeatureSpec
from tests.converter.family_output import FEW

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

STEPS, SIZE = 3, 8
RATE_HZ = 4000
HOP_S = 0.5
SPEC = FeatureSpec(
    sample_rate_hz=RATE_HZ,
    window_samples=2 * RATE_HZ,
    frame_length=250,
    n_fft=256,
    hop=125,
    n_mels=16,
    f_max_hz=2000.0,
    floor=1e-6,
    normalization="fixed",
    mean=(-40.0,),
    scale=(20.0,),
)
POINT = OperatingPoint(on=0.5, off=0.3, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=1.0, cooldown_s=2.0)


def network(seed: int = 0, backbone_seed: int = 0) -> Any:
    """A small convolution over the last second, whose embeddings a causal convolution hears in their order."""
    keras = toolchain.keras()
    layers, first = keras.layers, keras.initializers.GlorotUniform(backbone_seed)
    features, past = keras.Input((*SPEC.shape, 1), name="input_0"), keras.Input((STEPS, SIZE), name="past")
    last_second = layers.Cropping2D(((SPEC.frame_count // 2, 0), (0, 0)))(features)
    local = layers.Conv2D(SIZE, 5, strides=3, activation="relu", kernel_initializer=first, name="local")(last_second)
    embedding = layers.GlobalAveragePooling2D(name="embedding")(local)
    row = layers.Reshape((1, SIZE), name="row")(embedding)
    after = layers.Concatenate(axis=1, name="after")([layers.Cropping1D((1, 0), name="kept")(past), row])
    heard = layers.Concatenate(axis=1, name="heard")([past, row])
    start = keras.initializers.GlorotUniform(seed)
    context = layers.Conv1D(SIZE, 2, activation="relu", kernel_initializer=start, name="context")(heard)
    logit = layers.Dense(1, kernel_initializer=start, name="logit")(layers.Flatten(name="flat")(context))
    return keras.Model([features, past], {"scores": logit, "next_past": after})


def sequence_windows(rng: np.random.Generator, windows: int) -> Float32:
    """Features (windows, frames, bins, 1) of consecutive windows: a tone that comes and goes in noise."""
    samples = SPEC.window_samples + round((windows - 1) * HOP_S * RATE_HZ)
    sound = stream(rng, samples)
    hop = round(HOP_S * RATE_HZ)
    cut = [sound[place * hop : place * hop + SPEC.window_samples] for place in range(windows)]
    return np.stack([window_features(SPEC, window)[..., None] for window in cut])


def stream(rng: np.random.Generator, samples: int) -> Float32:
    """A tone that comes and goes in noise of any loudness."""
    seconds = np.arange(samples) / RATE_HZ
    tone = np.sin(2 * np.pi * rng.uniform(200, 1800) * seconds) * (np.sin(2 * np.pi * seconds / rng.uniform(1, 5)) > 0)
    sound = 10 ** rng.uniform(-2, -0.5) * (tone + rng.normal(0.0, 10 ** rng.uniform(-2, 0), samples))
    return np.asarray(np.clip(sound, -1, 1), np.float32)


def hand_over(
    folder: Path, model: Any | None = None, *, label: str = "cry", sequences: int = 6, length: int = 10
) -> None:
    """Write `model.keras`, `description.json` and both archives, so many sequences each."""
    rng = np.random.default_rng(0)
    both = _both(np.stack([sequence_windows(rng, length) for _ in range(2 * sequences)]))
    model = model or network()
    spread_scores(model, both[1])
    with toolchain.quietly():
        model.save(folder / "model.keras")
    numbers = np.repeat(np.arange(sequences), length).astype(np.int32)
    calibration, agreement = (part.reshape(-1, *SPEC.shape, 1) for part in both)
    np.savez(folder / "calibration.npz", input_0=calibration, sequence=numbers)
    target = rng.integers(0, 2, (len(numbers), 1)).astype(np.float32)
    np.savez(folder / "agreement.npz", input_0=agreement, sequence=numbers, target=target)
    description = {
        "name": f"carrying-{label}",
        "version": "1.0.0",
        "labels": [label_to_dict(Label(label, "alarm", "high", POINT))],
        "specs": [SPEC.to_dict()],
        "output": "logits",
        "card": {"summary": "random weights", "licence": "Apache-2.0"},
    }
    (folder / "description.json").write_text(json.dumps(description), encoding="utf-8")


def _both(windows: Float32) -> tuple[Float32, Float32]:
    """Calibration and agreement; as with recordings, what sets the ranges holds the least and the greatest."""
    flat = windows.reshape(len(windows), -1)
    extremes = {int(flat.max(axis=1).argmax()), int(flat.min(axis=1).argmin())}
    order = [*extremes, *(number for number in range(len(windows)) if number not in extremes)]
    return windows[order[: len(windows) // 2]], windows[order[len(windows) // 2 :]]


def spread_scores(model: Any, windows: Float32) -> None:
    """Give the last layer the direction in which these windows (sequences, length, ..) differ most."""
    keras, layer = toolchain.keras(), model.get_layer("logit")
    before = keras.Model(model.inputs, [layer.input, *keras.tree.flatten(model.output)])
    past, found = np.zeros((len(windows), STEPS, SIZE), np.float32), []
    for place in range(windows.shape[1]):
        features, after, _ = before([windows[:, place], past], training=False)
        past = np.asarray(after)
        found.append(np.asarray(features))
    flat = np.concatenate(found)
    mean = flat.mean(axis=0)
    kernel = np.linalg.svd(flat - mean, full_matrices=False)[2][:1].T
    kernel *= 2.0 / (flat @ kernel).std(axis=0)
    layer.set_weights([kernel, -mean @ kernel])


SHARED = ("cry", "scream")


def make_both(out: Path) -> None:
    """Write `carrying-cry.tflite` and `carrying-scream.tflite`, which takes over the backbone of the other."""
    backbone = None
    for seed, label in enumerate(SHARED):
        with tempfile.TemporaryDirectory() as folder:
            hand_over(Path(folder), network(seed), label=label)
            file, trained = out / f"carrying-{label}.tflite", read_training_output(Path(folder))
            convert(trained, file, bounds=FEW, sounds=("silence", "sine"), backbone=backbone)
            backbone = read_bundle(file)


if __name__ == "__main__":
    make_both(Path(__file__).resolve().parents[1] / "data")
