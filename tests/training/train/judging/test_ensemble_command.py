"""Runs joined by mean and by vote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.__main__ import main
from training.train.judging.prediction_file import load_predictions, predictions_of, save_predictions
from training.train.system.prepared_parts import Place

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)
OTHERS = {
    "system": "cnn_bilstm",
    "form": "published",
    "task": "breath_sounds",
    "labels": ["wheeze", "crackle"],
    "activation": "sigmoid",
    "commit": "abc",
    "versions": {},
    "data_hashes": {},
    "official_split": False,
    "examples": {},
    "measure": "macro F1",
    "threads": 1,
    "parameters": 10,
    "macs": 20,
    "seconds": 1.5,
    "core_seconds": 1.0,
    "epochs": 3,
}


def write_run(folder: Path, seed: int, scores: np.ndarray, **changed: object) -> Path:
    folder.mkdir()
    places = [Place(f"{index}.wav", 0.0, 1.0, "ann") for index in range(len(scores))]
    for part in ("val", "test"):
        save_predictions(folder / f"predictions-{part}.npz", predictions_of(places, TARGETS[: len(scores)], scores))
    record = {**OTHERS, "seed": seed, "thresholds": {"wheeze": 0.5, "crackle": 0.5}, **changed}
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def three(folder: Path) -> list[str]:
    right = np.where(TARGETS > 0, 0.58, 0.3)
    wrong = right.copy()
    wrong[0, 0] = 0.1  # one of three misses it, and surely
    return [str(write_run(folder / str(k), k, scores)) for k, scores in enumerate((right, right, wrong))]


def test_the_majority_outvotes_one_and_the_mean_weighs_how_sure_it_is(tmp_path: Path) -> None:
    assert main(["ensemble", *three(tmp_path), "--out", str(tmp_path / "joined")]) == 0
    mean, vote = (load_predictions(tmp_path / "joined" / name / "predictions-test.npz") for name in ("mean", "vote"))
    assert mean.probability[0, 0] == pytest.approx((0.58 + 0.58 + 0.1) / 3)
    assert vote.probability[0].tolist() == pytest.approx([2 / 3, 0.0])
    records = {name: json.loads((tmp_path / "joined" / name / "run.json").read_text()) for name in ("mean", "vote")}
    assert records["vote"]["test"]["measure"] == 1.0
    assert records["mean"]["thresholds"]["wheeze"] <= 0.42
    assert records["mean"]["parameters"] == 30
    assert [one["seed"] for one in records["mean"]["members"]] == [0, 1, 2]


def test_exclusive_labels_with_equal_votes_go_by_the_mean(tmp_path: Path) -> None:
    changed = {"activation": "softmax", "labels": ["a", "b"], "thresholds": None}
    one = write_run(tmp_path / "1", 1, np.tile([[0.9, 0.1]], (4, 1)), **changed)
    two = write_run(tmp_path / "2", 2, np.tile([[0.4, 0.6]], (4, 1)), **changed)
    assert main(["ensemble", str(one), str(two), "--out", str(tmp_path / "joined")]) == 0
    vote = load_predictions(tmp_path / "joined" / "vote" / "predictions-val.npz")
    assert vote.probability.argmax(axis=1).tolist() == [0, 0, 0, 0]
    assert vote.probability.sum(axis=1) == pytest.approx(np.ones(4))


def test_what_cannot_be_joined_is_said_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = np.full((4, 2), 0.5)
    one = write_run(tmp_path / "1", 1, scores)
    for name, folder, sentence in (
        ("task", write_run(tmp_path / "2", 2, scores, task="cry"), "has task cry"),
        ("windows", write_run(tmp_path / "3", 3, scores[:3]), "they need the same split"),
        ("run", tmp_path / "4", "holds no finished run"),
    ):
        assert main(["ensemble", str(one), str(folder), "--out", str(tmp_path / name)]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["ensemble", str(one), "--out", str(tmp_path / "alone")]) == 2
    assert "one run is no ensemble" in capsys.readouterr().err
