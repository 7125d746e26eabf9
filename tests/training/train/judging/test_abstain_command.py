"""`python -m training abstain` joins the folds of a cross-validation into one verdict."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.__main__ import main
from training.train.judging.prediction_file import predictions_of, save_predictions
from training.train.system.prepared_parts import Place

if TYPE_CHECKING:
    from pathlib import Path


def run_folder(folder: Path, fold: int, *, labels: int = 2) -> Path:
    """A run that recognizes what it is sure of: seven of ten are hungry, one of each three is unsure and wrong."""
    path = folder / f"fold-{fold}"
    path.mkdir()
    (path / "run.json").write_text(json.dumps({"system": "residual_dual", "form": "streaming"}), encoding="utf-8")
    for part in ("val", "test"):
        truth = np.array([0, 0, 1, 0, 0, 1, 0, 0, 1, 0])
        sure = np.array([True, True, True, False, True, False, True, True, True, False])
        said = np.where(sure, truth, 1 - truth)
        confidence = np.where(sure, 0.9, 0.6)
        right = np.where(said == 0, confidence, 1 - confidence)
        probability = np.stack([right, 1 - right], axis=1)
        places = [Place(f"{part}{fold}-{row}.wav", 0.0, 2.0, f"{part}{fold}-{row}") for row in range(10)]
        target = np.eye(2, dtype=np.float32)[truth]
        save_predictions(
            path / f"predictions-{part}.npz", predictions_of(places, target[:, :labels], probability[:, :labels])
        )
    return path


@pytest.mark.parametrize("labels", [2, 1])
def test_folds_give_figures_of_all_subjects_and_of_what_is_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], labels: int
) -> None:
    runs = [str(run_folder(tmp_path, fold, labels=labels)) for fold in range(3)]
    assert main(["abstain", *runs, "--wanted", "0.9", "--json", str(tmp_path / "a.json")]) == 0
    figures = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["figures"]
    named = {(one["system"], one["measure"], one["of"][:3]): one for one in figures}
    assert named["residual_dual/streaming", "accuracy", "all"]["value"] == pytest.approx(0.7)
    assert named["majority class", "balanced accuracy", "all"]["value"] == pytest.approx(0.5)
    assert named["residual_dual/streaming", "coverage", "ans"]["value"] == pytest.approx(0.7)
    assert named["residual_dual/streaming", "balanced accuracy", "ans"]["value"] == pytest.approx(1.0)
    assert capsys.readouterr().out.endswith("30 recordings of 30 subjects in 3 folds\n")


def test_a_run_that_is_given_twice_and_a_share_that_is_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(run_folder(tmp_path, 0))
    assert main(["abstain", run, run]) == 2
    assert "is tested in two folds: give the runs of the folds" in capsys.readouterr().err
    assert main(["abstain", run, "--wanted", "7"]) == 2
    assert capsys.readouterr().err == "training abstain: --wanted is 7, must be 0.5 to 1\n"
    assert main(["abstain", str(tmp_path)]) == 2
    assert "is not what a training run leaves" in capsys.readouterr().err
