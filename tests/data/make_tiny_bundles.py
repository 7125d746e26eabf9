"""Make the two small bundles that tests of the device listen with: `python tests/data/make_tiny_bundles.py`.

Their weights are set by hand, so that what they hear is plain to see, and quantized by the real
converter. `tone` (16 kHz, log-mel and MFCC inputs) hears a steady tone of 1 kHz; `low` (8 kHz) hears
sound whose energy lies below 600 Hz (alarm) against any other (`normal`, reject). Both compare the mean
level of some mel bands with the mean level of all: a tone must fill about half of the 2 s window.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from converter import toolchain
from converter.convert import convert
from converter.training_output import read_training_output
from device.hearing.bundle.contents import Label
from device.hearing.bundle.manifest import label_to_dict
from device.hearing.decision import OperatingPoint
from device.hearing.features import window_features
from device.hearing.spec import FeatureSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

WINDOWS = 512
"""Of calibration, and as many of agreement."""

_STEADY = OperatingPoint(on=0.5, off=0.3, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=1.0, cooldown_s=2.0)
_MARGIN_DB = 8.0  # between the bands and all bands, where the answer is undecided
_DB_PER_LOGIT = 1.5
_LOGIT_LIMIT = 6.0  # a clipped answer has finer int8 steps


@dataclass(frozen=True, slots=True)
class Tiny:
    """One bundle to make: which mel bands, of which range, each label listens to; -1 turns it around."""

    name: str
    labels: tuple[Label, ...]
    specs: tuple[FeatureSpec, ...]
    band_hz: tuple[float, float]
    signs: tuple[float, ...]


def _spec(rate_hz: int, n_mels: int, *, n_mfcc: int = 0) -> FeatureSpec:
    bins = n_mfcc or n_mels
    return FeatureSpec(
        sample_rate_hz=rate_hz,
        window_samples=2 * rate_hz,
        frame_length=rate_hz // 16,
        n_fft=1024 * rate_hz // 16000,
        hop=rate_hz // 32,
        n_mels=n_mels,
        n_mfcc=n_mfcc,
        f_max_hz=rate_hz / 2,
        floor=1e-6,
        normalization="fixed",
        mean=(0.0,) * bins,
        scale=(1.0,) * bins,
    )


TONE = Tiny(
    name="tiny-tone",
    labels=(Label("tone", "alarm", "high", _STEADY),),
    specs=(_spec(16_000, 24), _spec(16_000, 24, n_mfcc=8)),
    band_hz=(900.0, 1100.0),
    signs=(1.0,),
)
LOW = Tiny(
    name="tiny-low",
    labels=(Label("low", "alarm", "medium", _STEADY), Label("normal", "reject", "low", _STEADY)),
    specs=(_spec(8_000, 16),),
    band_hz=(100.0, 600.0),
    signs=(1.0, -1.0),
)


def network(tiny: Tiny) -> Any:
    """Two convolutions with BatchNorm and LeakyReLU in front, weights set by hand, logits out."""
    keras = toolchain.keras()
    layers = keras.layers
    inputs = [keras.Input((*spec.shape, 1)) for spec in tiny.specs]
    bins = tiny.specs[0].bins
    bands = layers.Conv2D(1, (1, bins), use_bias=False, name="contrast")(layers.AveragePooling2D((2, 1))(inputs[0]))
    levels = [layers.LeakyReLU(0.5)(layers.BatchNormalization(name="norm", epsilon=0.0)(bands))]
    levels += [layers.Conv2D(1, (2, tiny.specs[1].bins), name="cepstra")(inputs[1])] if len(inputs) > 1 else []
    pooled = layers.Concatenate()([layers.GlobalAveragePooling2D()(level) for level in (*levels, *levels[:1])])
    limited = layers.ReLU(max_value=2 * _LOGIT_LIMIT)(layers.Dense(1, name="logit")(pooled))
    model = keras.Model(inputs, layers.Dense(len(tiny.labels), name="scores")(limited))
    _set_weights(model, tiny)
    return model


def _set_weights(model: Any, tiny: Tiny) -> None:
    weights = _contrast(tiny)
    model.get_layer("contrast").set_weights([weights.reshape(1, -1, 1, 1)])
    gamma, beta, mean, variance = 0.5, 0.0, 0.0, 0.25  # together 1: there to be folded
    model.get_layer("norm").set_weights([np.array([value], np.float32) for value in (gamma, beta, mean, variance)])
    if len(tiny.specs) > 1:
        kernel = np.zeros((2, tiny.specs[1].bins, 1, 1), np.float32)
        kernel[:, 0] = 0.01  # a little of the overall level: louder counts slightly more
        model.get_layer("cepstra").set_weights([kernel, np.zeros(1, np.float32)])
    pooled = 3 if len(tiny.specs) > 1 else 2
    logit = np.full((pooled, 1), 0.5 / _DB_PER_LOGIT, np.float32)
    if pooled > 2:
        logit[1] = 0.5
    model.get_layer("logit").set_weights([logit, np.array([_LOGIT_LIMIT - _MARGIN_DB / _DB_PER_LOGIT], np.float32)])
    signs = np.array(tiny.signs, np.float32)
    model.get_layer("scores").set_weights([signs[None, :], -_LOGIT_LIMIT * signs])


def _contrast(tiny: Tiny) -> Float32:
    """Weights of the mel bands (bins,): their mean level in the band minus the mean of all others, in dB."""
    spec = tiny.specs[0]
    inside = np.zeros(spec.bins, bool)
    for hz in np.linspace(*tiny.band_hz, 5):
        inside[np.argmax(window_features(spec, _tone(spec, hz, 0.5)).mean(axis=0))] = True
    weights = np.where(inside, 1 / inside.sum(), -1 / (~inside).sum())
    return np.asarray(weights, np.float32)


def _tone(spec: FeatureSpec, hz: float, gain: float) -> Float32:
    seconds = np.arange(spec.window_samples) / spec.sample_rate_hz
    return np.asarray(gain * np.sin(2 * np.pi * hz * seconds), np.float32)


def windows(tiny: Tiny, rng: np.random.Generator) -> tuple[list[Float32], Float32]:
    """Random windows, half with a tone in the band: (inputs, each (n, frames, bins, 1); target (n, labels))."""
    spec = tiny.specs[0]
    heard = np.arange(WINDOWS) % 2 == 0
    sounds = [_sound(spec, tiny.band_hz, rng, is_heard=bool(is_heard)) for is_heard in heard]
    inputs = [np.stack([window_features(each, sound)[..., None] for sound in sounds]) for each in tiny.specs]
    target = np.stack([heard if sign > 0 else ~heard for sign in tiny.signs], axis=1)
    return inputs, target.astype(np.float32)


def _sound(spec: FeatureSpec, band_hz: tuple[float, float], rng: np.random.Generator, *, is_heard: bool) -> Float32:
    if rng.random() < 0.05 and not is_heard:
        return np.zeros(spec.window_samples, np.float32)
    noise = rng.normal(0.0, 10 ** rng.uniform(-4, -1.5), spec.window_samples)
    other_hz = rng.uniform(1.5 * band_hz[1], 0.45 * spec.sample_rate_hz)
    hz = rng.uniform(*band_hz) if is_heard else other_hz
    gain = 10 ** rng.uniform(-1.2, -0.1)
    return np.asarray(np.clip(noise + _tone(spec, hz, gain), -1, 1), np.float32)


def hand_over(tiny: Tiny, folder: Path, seed: int = 0) -> None:
    """Write what training would hand to the converter."""
    rng = np.random.default_rng(seed)
    calibration, _ = windows(tiny, rng)
    agreement, target = windows(tiny, rng)
    with toolchain.quietly():
        network(tiny).save(folder / "model.keras")
    np.savez(folder / "calibration.npz", **_named(calibration))
    np.savez(folder / "agreement.npz", target=target, **_named(agreement))
    description = {
        "name": tiny.name,
        "version": "1.0.0",
        "labels": [label_to_dict(label) for label in tiny.labels],
        "specs": [spec.to_dict() for spec in tiny.specs],
        "output": "logits",
        "card": {"summary": "hears a synthetic sound in tests; of no other use", "licence": "Apache-2.0", "data": []},
    }
    (folder / "description.json").write_text(json.dumps(description), encoding="utf-8")


def _named(inputs: Sequence[Float32]) -> dict[str, Any]:
    return {f"input_{ordinal}": array for ordinal, array in enumerate(inputs)}


def make(tiny: Tiny, out: Path) -> None:
    """Write one bundle with two golden sounds, which keeps it small."""
    with tempfile.TemporaryDirectory() as folder:
        hand_over(tiny, Path(folder))
        convert(read_training_output(Path(folder)), out, sounds=("silence", "sine"))


def main() -> None:
    """Write both bundles beside this file, or into --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().out
    for tiny in (TONE, LOW):
        make(tiny, folder / f"{tiny.name}.tflite")


if __name__ == "__main__":
    main()
