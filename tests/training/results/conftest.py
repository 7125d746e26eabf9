"""Made-up run folders, as `python -m training train` leaves them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest

from training.train.judging.prediction_file import Predictions, save_predictions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class MakeRun(Protocol):
    def __call__(self, name: str, *, skill: float = ..., **changed: Any) -> Path: ...


LUNG = ("wheeze", "crackle")


def predictions(
    skill: float, labels: Sequence[str], activation: str, *, seed: int, subjects: Sequence[str]
) -> Predictions:
    """Eight windows of each subject; a network of skill 1 knows every label, of skill 0 none."""
    truth_rng, rng = np.random.default_rng(7), np.random.default_rng([seed, 8])
    count = 8 * len(subjects)
    if activation == "softmax":
        target = np.eye(len(labels), dtype=np.float32)[np.arange(count) % len(labels)]
    else:
        target = (truth_rng.random((count, len(labels))) < 0.4).astype(np.float32)
    known = rng.random(target.shape) < skill
    probability = np.where(known, 0.1 + 0.8 * target, rng.random(target.shape)).astype(np.float32)
    if activation == "softmax":
        probability /= probability.sum(axis=1, keepdims=True)
    return Predictions(
        file=np.array([f"{subject}.wav" for subject in subjects for _ in range(8)]),
        start_s=np.tile(np.arange(8, dtype=np.float32), len(subjects)),
        end_s=np.tile(np.arange(1, 9, dtype=np.float32), len(subjects)),
        subject=np.repeat(np.array(subjects), 8),
        target=target,
        probability=probability,
    )


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Writes a run folder below `tmp_path/runs`."""

    def make(name: str, *, skill: float = 0.8, **changed: Any) -> Path:
        subjects = changed.pop("subjects", [f"s{index}" for index in range(12)])
        record: dict[str, Any] = {
            "system": "cnn_bilstm",
            "form": "published",
            "task": "breath_sounds",
            "labels": list(LUNG),
            "activation": "sigmoid",
            "seed": 1,
            "parameters": 73_538,
            "macs": 2_100_000,
            "epochs": 17,
            "core_seconds": 720.0,
            "threads": 1,
            "ended": "early stopping",
            "official_split": False,
            "thresholds": dict.fromkeys(changed.get("labels", LUNG), 0.5),
            "start": "random weights",
            "commit": "0123456789abcdef",
            "command": "python -m training train --system cnn_bilstm",
        } | changed
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        for part, more in (("val", 100), ("test", 0)):
            names = [f"v{subject}" for subject in subjects] if part == "val" else subjects
            found = predictions(
                skill, record["labels"], record["activation"], seed=record["seed"] + more, subjects=names
            )
            save_predictions(folder / f"predictions-{part}.npz", found)
        return folder

    return make
