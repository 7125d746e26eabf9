"""`python -m training classical` leaves a run folder like a network's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.training.train.system.small_collection import write_collection
from training.__main__ import main
from training.networks import classical
from training.train.judging.prediction_file import load_predictions

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_baseline_is_fitted_judged_and_recorded_like_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(classical, "TREES", 20)
    sounds, split = write_collection(tmp_path)
    out = tmp_path / "run"
    given = ["classical", "--data", str(sounds), "--split", str(split), "--kind", "random-forest", "--out", str(out)]
    assert main(given) == 0
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert (record["system"], record["form"], record["task"]) == ("classical", "random-forest", "breath_classes")
    assert record["labels"] == ["normal", "wheeze", "crackle", "both"]
    assert record["ended"] == "finished"
    assert record["parameters"] > 20
    assert {"commit", "versions", "data_hashes", "seconds", "core_seconds", "threads", "seed"} <= record.keys()
    predictions = load_predictions(out / "predictions-test.npz")
    assert predictions.probability.shape == predictions.target.shape == (8, 4)
    assert record["test"]["measure"] > 0.5  # each label has a pitch of its own
    assert (out / "confusion-test.csv").is_file()
    assert list((out / "plots").glob("*.png"))
    assert capsys.readouterr().out.startswith("random-forest: average of sensitivity and specificity ")
    assert main(given) == 2
    assert "holds a finished run; name another folder" in capsys.readouterr().err
