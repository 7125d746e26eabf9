"""Recordings do not hear each other's past, however many workers there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

from device.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


def test_any_number_of_workers_and_any_order_give_the_same_scores(
    carrying_bundle_paths: tuple[Path, Path], tmp_path: Path
) -> None:
    rng, names = np.random.default_rng(0), ["a", "b", "c"]
    for name in names:
        soundfile.write(tmp_path / f"{name}.wav", rng.normal(0, 0.1, 5 * 4000), 4000)
    models = [word for path in carrying_bundle_paths for word in ("--model", str(path))]
    found = []
    for workers, order in (("1", names), ("3", names[::-1]), ("1", names[2:])):
        scores = tmp_path / "scores.csv"
        files = [str(tmp_path / f"{name}.wav") for name in order]
        assert main(["replay", *models, "--workers", workers, "--scores", str(scores), *files]) == 0
        found.append(set(scores.read_text(encoding="utf-8").splitlines()))
    assert found[0] == found[1]
    assert len(found[0]) == 1 + 3 * 7 * 2
    assert found[2] < found[0]
