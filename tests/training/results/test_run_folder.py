"""What is no run folder is named in one sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.errors import ConfigError
from training.results.run_folder import find_runs, read_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.results.conftest import MakeRun


def test_thresholds_of_validation_decide_and_a_score_at_one_is_found(make_run: MakeRun) -> None:
    run = read_run(make_run("one", thresholds={"wheeze": 0.9, "crackle": 0.1}))
    wanted = run.test.probability >= np.array([0.9, 0.1], np.float32)
    assert np.array_equal(run.found(run.test), wanted)
    assert wanted[run.test.probability == np.float32(0.9)].all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"system": None}, "system has a value of another kind"),
        ({"seed": "one"}, "seed has a value of another kind"),
        ({"labels": ["one"]}, "names 1 labels, the predictions have another number"),
    ],
)
def test_a_wrong_record_is_refused(make_run: MakeRun, change: dict[str, Any], sentence: str) -> None:
    folder = make_run("one")
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change), encoding="utf-8")
    with pytest.raises(ConfigError, match=sentence):
        read_run(folder)


def test_what_is_missing_or_damaged_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run("one")
    with pytest.raises(ConfigError, match=r"no run\.json"):
        read_run(tmp_path)
    with pytest.raises(ConfigError, match="is no folder"):
        find_runs(tmp_path / "nowhere")
    (folder / "predictions-test.npz").unlink()
    with pytest.raises(ConfigError, match=r"predictions-test\.npz"):
        read_run(folder)
    (folder / "run.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match="lacks system, form"):
        read_run(folder)
    (folder / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_run(folder)


def test_a_smoke_test_is_no_result(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("real")
    make_run("smoke", macs=None)
    runs, left_out = find_runs(tmp_path / "runs")
    assert [run.name for run in runs] == ["real"]
    assert left_out == ["smoke was a smoke test of two steps"]
