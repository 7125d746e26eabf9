"""Which sound a model must recognize."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.config.loading import parse_config
from device.runtime.model_loader import open_models
from device.runtime.self_test.known_sound import known_sounds

if TYPE_CHECKING:
    from pathlib import Path


def test_an_operating_point_that_takes_minutes_to_confirm_is_not_tried(tiny_bundle_path: Path) -> None:
    disabled = "model.cry.enabled = false\nmodel.scream.enabled = false\n"
    config = f'{disabled}[model.bell]\nbundle = "{tiny_bundle_path}"\n[model.bell.label.tone]\n'
    settings = parse_config(f"{config}min_length_s = 600.0\n", source="a.toml")
    with open_models(settings) as models:
        (sound,) = known_sounds(settings, models)
    assert not sound.label
    assert sound.duration_s < 10
