"""The cache tells its size and can be bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.__main__ import main
from training.scaling.feature_cache import FeatureCache

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_cache_is_measured_and_emptied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = FeatureCache(tmp_path)
    for cut in range(3):
        cache.arrays(cache.key([], (), cut), lambda: [np.zeros(250_000, np.float32)])
    assert main(["cache", "--cache", str(tmp_path)]) == 0
    assert "3 entries, 0.003 GB" in capsys.readouterr().out
    assert main(["cache", "--cache", str(tmp_path), "--keep-gb", "0.0015"]) == 0
    assert capsys.readouterr().out.startswith("deleted 0.002 GB\n")
    assert cache.extent()[0] == 1


def test_a_wrong_folder_or_bound_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "--cache", str(tmp_path / "nowhere")]) == 2
    assert main(["cache", "--cache", str(tmp_path), "--keep-gb", "-1"]) == 2
    assert main(["cache", "--cache", str(tmp_path), "--keep-gb", "nan"]) == 2
    assert capsys.readouterr().err.count("\n") == 3
