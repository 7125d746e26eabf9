"""Settings and bundles become models that listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.config.settings import parse_config, profile
from device.errors import BundleError, ConfigError
from device.upkeep.opening import open_models

if TYPE_CHECKING:
    from pathlib import Path


def _toml(path: Path, label: str = "") -> str:
    return f'[model.cry]\nenabled = false\n[model.bell]\nbundle = "{path}"\n{label}'


def test_a_model_carries_the_name_that_the_settings_give_it(tiny_bundle_path: Path) -> None:
    with open_models(parse_config(_toml(tiny_bundle_path), source="a.toml")) as models:
        assert [model.name for model in models.listening] == ["bell"]
        assert models.priorities == {("bell", "tone"): "high"}
        assert models.listed[0].labels[0].on == 0.5


def test_the_settings_overrule_the_operating_point(tiny_bundle_path: Path) -> None:
    label = '[model.bell.label.tone]\non = 0.8\noff = 0.6\nhold_s = 4.0\npriority = "low"\n'
    with open_models(parse_config(_toml(tiny_bundle_path, label), source="a.toml")) as models:
        point = models.listening[0].labels[0].point
        assert (point.on, point.off, point.hold_s, point.confirm_s) == (0.8, 0.6, 4.0, 1.0)
        assert models.priorities == {("bell", "tone"): "low"}


@pytest.mark.parametrize(("line", "expected"), [("on = 0.2", (0.2, 0.2)), ("off = 0.9", (0.9, 0.9))])
def test_one_threshold_overruled_takes_the_other_along(
    tiny_bundle_path: Path, line: str, expected: tuple[float, float]
) -> None:
    settings = parse_config(_toml(tiny_bundle_path, f"[model.bell.label.tone]\n{line}\n"), source="a.toml")
    with open_models(settings) as models:
        point = models.listening[0].labels[0].point
        assert (point.on, point.off) == expected


def test_a_label_that_the_model_lacks_is_refused(tiny_bundle_path: Path) -> None:
    settings = parse_config(_toml(tiny_bundle_path, "[model.bell.label.bark]\non = 0.9\n"), source="a.toml")
    with pytest.raises(ConfigError, match="model bell has no label 'bark'; its labels are tone"):
        open_models(settings)


def test_the_stethoscope_says_which_model_it_still_lacks() -> None:
    with pytest.raises(ConfigError, match=r'profile "stethoscope" lacks the model "lung"'):
        open_models(profile("stethoscope"))


def test_two_models_of_one_name_are_refused(tiny_bundle_path: Path) -> None:
    with pytest.raises(ConfigError, match="two models are named 'tiny-tone'"):
        open_models(profile(), [str(tiny_bundle_path)] * 2)


def test_a_wanted_bundle_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"gone\.tflite"):
        open_models(profile(), [str(tmp_path / "gone.tflite")])


def test_networks_are_let_go(tiny_bundle_path: Path) -> None:
    with open_models(profile(), [str(tiny_bundle_path)]) as models:
        network = models.listening[0].network
        assert "closed" not in repr(network)
    assert "closed" in repr(network)
