"""What is counted in an emulated tree: the plugin compiles, and the work is that of the device."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.instructions import window_work
from device.hearing.bundle.reader import read_bundle
from device.hearing.features import window_features
from device.runtime.model_loader import open_models
from tests.programs import program

if TYPE_CHECKING:
    from device.runtime.model_loader import OpenModels

SOURCE = Path(window_work.__file__).with_name("instruction_count.c")


def test_the_plugin_compiles_without_a_warning(tmp_path: Path) -> None:
    options = ("-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o", str(tmp_path / "count.so"))
    subprocess.run([program("gcc"), *options, str(SOURCE)], check=True)
    assert (tmp_path / "count.so").stat().st_size > 0


def test_the_features_of_a_window_are_those_of_the_device(tiny_bundle_path: Path) -> None:
    specs = read_bundle(tiny_bundle_path).specs
    windows = window_work.features_of(specs, 4)
    samples, hop = window_work.noise(specs[0].sample_rate_hz, 4), round(window_work.HOP_S * specs[0].sample_rate_hz)
    for number, inputs in enumerate(windows):
        for spec, features in zip(specs, inputs, strict=True):
            whole = window_features(spec, samples[number * hop : number * hop + spec.window_samples])
            assert np.abs(features - whole).max() < 1e-4


@pytest.mark.parametrize(("with_networks", "expected"), [(True, 3), (False, 0)])
def test_every_network_runs_once_a_window(
    tiny_bundle_path: Path, monkeypatch: pytest.MonkeyPatch, *, with_networks: bool, expected: int
) -> None:
    ran = []

    class CountedNetwork:
        def classify(self, features: object) -> None:
            ran.append(features)

    def counted(*given: Any, **named: Any) -> OpenModels:
        models = open_models(*given, **named)
        network: Any = CountedNetwork()
        listening = tuple(replace(one, network=network) for one in models.listening)
        return replace(models, listening=listening)

    monkeypatch.setattr(window_work, "open_models", counted)
    window_work.run_models([str(tiny_bundle_path)], 3, with_networks=with_networks)
    assert len(ran) == expected


def test_the_whole_listener_scores_one_more_window_for_each_that_is_counted(
    tiny_bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Starting and loading cost the same in both processes, so the difference is what windows cost."""
    ran: list[int] = []

    def counted(*given: Any, **named: Any) -> OpenModels:
        models = open_models(*given, **named)
        return replace(models, listening=tuple(replace(one, network=Counted(one.network)) for one in models.listening))

    class Counted:
        def __init__(self, network: Any) -> None:
            self._network = network

        def classify_after(self, features: Any, past: Any) -> Any:
            ran.append(1)
            return self._network.classify_after(features, past)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._network, name)

    monkeypatch.setattr(window_work, "open_models", counted)
    windows = []
    for count in (2, 6):
        ran.clear()
        window_work.run_listener([str(tiny_bundle_path)], count)
        windows.append(len(ran))
    assert windows[1] - windows[0] == 4
