"""Decisions that are repeated from kept scores are those of the listener, also around a deaf microphone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.calibration.decision_sweep import SENSITIVITIES
from device.config.loading import parse_config
from device.runtime.model_loader import open_models
from device.tools.evaluate.hearing_pass import hear_recording

if TYPE_CHECKING:
    from pathlib import Path


def recording(path: Path, seed: int, rate_hz: int) -> str:
    """Tones of random levels and lengths in noise, with stretches of digital silence."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(12):
        length = round(rng.uniform(0.3, 8.0) * rate_hz)
        noise = 1e-3 * rng.standard_normal(length)
        kind = rng.choice(["noise", "tone", "tone", "faint", "zeros"])
        level = {"noise": 0.0, "tone": 0.3, "faint": 10 ** rng.uniform(-3.5, -2.0), "zeros": 0.0}[kind]
        tone = level * np.sin(2 * np.pi * 1000 * np.arange(length) / rate_hz)
        parts.append(np.zeros(length) if kind == "zeros" else noise + tone)
    soundfile.write(path, np.concatenate(parts), rate_hz)
    return str(path)


@pytest.mark.parametrize(("seed", "rate_hz"), [(0, 16000), (1, 22050), (2, 16000), (3, 48000), (4, 11025)])
@pytest.mark.parametrize("sensitivity", [-2, 0, 3])
def test_the_repeated_decisions_are_the_listeners(
    tmp_path: Path, tiny_bundle_path: Path, seed: int, rate_hz: int, sensitivity: int
) -> None:
    source = recording(tmp_path / "a.wav", seed, rate_hz)
    label = f"[model.tone.label.tone]\nsensitivity = {sensitivity}\n"
    models_toml = (
        f'model.cry.enabled = false\nmodel.scream.enabled = false\n[model.tone]\nbundle = "{tiny_bundle_path}"\n{label}'
    )
    settings = parse_config(models_toml, source="a.toml")
    with open_models(settings) as models:
        heard = hear_recording(settings, models, source, "0", None)
    key = ("tone", "tone")
    configured = [(span.start_s, span.end_s, span.decided_s, span.score) for span in heard.spans[key]]
    repeated = [(span.start_s, span.end_s, span.decided_s, span.score) for span in heard.swept[key][sensitivity]]
    assert repeated == configured
    assert list(heard.swept[key]) == list(SENSITIVITIES)
    assert seed != 0 or configured


def test_a_recording_that_breaks_off_says_so(tmp_path: Path, tiny_bundle_path: Path) -> None:
    source = recording(tmp_path / "a.wav", 0, 16000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: len(content) // 2])
    settings = parse_config("", source="a.toml")
    with open_models(settings, [str(tiny_bundle_path)]) as models:
        heard = hear_recording(settings, models, source, "0", None)
    assert "breaks off after" in str(heard.error)
    assert heard.duration_s == pytest.approx((len(content) - 88) / 2 / 2 / 16000, abs=0.01)
