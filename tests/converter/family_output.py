"""What training would hand over for a form of the bench (random weights, synthetic sounds), and its conversion."""

from __future__ import annotations

import contextlib
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from converter import toolchain
from converter.convert import convert
from converter.gate import Bounds
from converter.training_output import read_training_output
from device.__main__ import main
from device.hearing.bundle.contents import Label
from device.hearing.bundle.manifest import label_to_dict
from device.hearing.bundle.reader import read_bundle
from device.hearing.decision import OperatingPoint
from device.hearing.features import window_features
from device.hearing.network.attention import attention_to_json
from device.tools.models.models_command import verify
from training.networks.catalog import find_form

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle
    from device.hearing.spec import FeatureSpec
    from training.networks.network_form import NetworkForm

    Float32 = npt.NDArray[np.float32]

POINT = OperatingPoint(on=0.5, off=0.3, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=1.0, cooldown_s=2.0)

SPREAD = 2.0


def hand_over(form: NetworkForm, folder: Path, *, windows: int, seed: int = 0, spread: float = SPREAD) -> None:
    """Write `model.keras`, `description.json` and the two archives of so many windows each.

    Args:
        form: of the network.
        folder: to write.
        windows: of each archive.
        seed: of weights and sounds.
        spread: standard deviation of a logit over the windows.
    """
    rng = np.random.default_rng(seed)
    calibration, agreement = _inputs(form.specs, windows, rng)
    network = form.build(seed)
    _spread_scores(network, agreement, spread)
    with toolchain.quietly():
        network.save(folder / "model.keras")
    named: list[dict[str, Any]] = [
        {f"input_{ordinal}": array for ordinal, array in enumerate(part)} for part in (calibration, agreement)
    ]
    np.savez(folder / "calibration.npz", **named[0])
    target = rng.integers(0, 2, (windows, len(form.labels))).astype(np.float32)
    np.savez(folder / "agreement.npz", target=target, **named[1])
    description = {
        "name": form.system.replace("_", "-"),
        "version": "1.0.0",
        "labels": [label_to_dict(Label(name, "alarm", "high", POINT)) for name in form.labels],
        "specs": [spec.to_dict() for spec in form.specs],
        "output": "softmax" if form.activation == "softmax" else "logits",
        "card": {"summary": "random weights", "licence": "Apache-2.0"},
        **({} if form.attention is None else {"attention": attention_to_json(form.attention)}),
    }
    (folder / "description.json").write_text(json.dumps(description), encoding="utf-8")


def _inputs(specs: tuple[FeatureSpec, ...], windows: int, rng: np.random.Generator) -> tuple[list[Float32], ...]:
    """Features that set the ranges, and others; as with recordings, what sets them holds the least and the greatest."""
    sounds = [_sound(specs[0], rng) for _ in range(2 * windows)]
    features = [np.stack([window_features(spec, sound)[..., None] for sound in sounds]) for spec in specs]
    flat = [each.reshape(len(sounds), -1) for each in features]
    extremes = {int(each.max(axis=1).argmax()) for each in flat} | {int(each.min(axis=1).argmin()) for each in flat}
    others = [number for number in range(len(sounds)) if number not in extremes]
    first = windows - len(extremes)
    parts = ([*extremes, *others[:first]], others[first:])
    return tuple([each[part] for each in features] for part in parts)


def _sound(spec: FeatureSpec, rng: np.random.Generator) -> Float32:
    """A gliding tone in noise, of any loudness."""
    seconds = np.arange(spec.window_samples) / spec.sample_rate_hz
    low_hz, high_hz = rng.uniform(60.0, 0.45 * spec.sample_rate_hz, 2)
    tone = np.sin(2 * np.pi * (low_hz * seconds + (high_hz - low_hz) * seconds**2 / (2 * seconds[-1])))
    sound = 10 ** rng.uniform(-2, 0) * (tone + rng.normal(0.0, 10 ** rng.uniform(-2, 0), len(seconds)))
    return np.asarray(np.clip(sound, -1, 1), np.float32)


def _spread_scores(network: Any, inputs: list[Float32], spread: float) -> None:
    """Give the last layer the directions in which these windows differ most, as training would find some.

    Random directions see the rounding of an int8 network as much as its windows.
    """
    layer = network.get_layer("logits")
    before = toolchain.keras().Model(network.input, layer.input)
    features = np.asarray(before(inputs if len(inputs) > 1 else inputs[0], training=False))
    features = features.reshape(-1, features.shape[-1])
    mean = features.mean(axis=0)
    kernel = np.linalg.svd(features - mean, full_matrices=False)[2][: layer.units].T
    kernel *= spread / (features @ kernel).std(axis=0)
    layer.set_weights([kernel, -mean @ kernel])


FEW = Bounds(
    calibration_windows=24,
    agreement_windows=24,
    same_side=0.9,
    mean_difference=0.05,
    p99_difference=0.3,
    auc_drop=0.1,
)
"""Of random weights on a few windows: a wrong translation shows, how well a model is quantized does not."""


def converted(name: str, folder: Path) -> tuple[Bundle, dict[str, Any]]:
    """The verified bundle of a form of the bench, as `made.tflite`, and the report of its conversion."""
    hand_over(find_form(name), folder, windows=24)
    report = convert(read_training_output(folder), folder / "made.tflite", bounds=FEW, sounds=("silence", "sine"))
    bundle = read_bundle(folder / "made.tflite")
    assert {"WHILE", "VAR_HANDLE", "CUSTOM", "DEQUANTIZE"}.isdisjoint(report["operations"])
    assert list(verify(str(folder / "made.tflite")))[-1].endswith("is sound")
    if all(spec.streamable for spec in bundle.specs):
        assert len(replayed(folder, bundle)) > 4 * len(bundle.labels)
    else:
        code, told = _replay(folder, bundle)
        assert code == 2
        assert told.endswith("its frames are centred and cannot be streamed; train it uncentred\n")
    return bundle, report


def replayed(folder: Path, bundle: Bundle) -> list[str]:
    """The lines of scores that a replay of five windows of noise writes, without their heading."""
    assert _replay(folder, bundle) == (0, "")
    return (folder / "scores.csv").read_text(encoding="utf-8").splitlines()[1:]


def _replay(folder: Path, bundle: Bundle) -> tuple[int, str]:
    """The exit code, and what stands on stderr."""
    noise = np.random.default_rng(0).normal(0.0, 0.1, 5 * bundle.window_samples)
    soundfile.write(folder / "noise.wav", noise, bundle.sample_rate_hz)
    words = ["replay", "--model", str(folder / "made.tflite"), "--scores", str(folder / "scores.csv")]
    with contextlib.redirect_stderr(io.StringIO()) as told:
        code = main([*words, str(folder / "noise.wav")])
    return code, told.getvalue()
