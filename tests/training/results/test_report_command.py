"""The page of results: made of run folders, the same bytes for the same runs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from training.__main__ import main
from training.evaluation.measured import Figure, Measured, NotMeasured
from training.results.leak.leak_picture import ARMS
from training.train.judging.prediction_file import load_predictions, save_predictions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.results.conftest import MakeRun


def report(folder: Path, name: str = "RESULTS.md") -> str:
    out = folder / "page" / name
    out.parent.mkdir(exist_ok=True)
    assert main(["report", str(folder / "runs"), "--out", str(out)]) == 0
    return out.read_text(encoding="utf-8")


def leak(value: float) -> dict[str, Any]:
    arm = {"low": value - 0.1, "high": value + 0.1, "always_yes": 0.4, "clips": 100, "subjects": 9}
    values = dict(zip(ARMS, (0.82, 0.47, 0.52, 0.61), strict=True))
    return {
        "system": "cnn_bilstm/published",
        "arms": {name: {**arm, "macro_f1": values[name]} for name in ARMS},
        "clips": {name: {"clips": 50, "subjects": 5} for name in ("pool", "val", "unseen", "unseen_augmented")},
        "training": {"leaking": [{"core_seconds": 1800.0}], "honest": [{"core_seconds": 1800.0}]},
        "epochs": 20,
        "patience": 8,
        "clips_per_class": 3000,
        "seeds": 3,
    }


def test_published_claims_stand_beside_what_runs_reached(make_run: MakeRun, tmp_path: Path) -> None:
    for seed in (1, 2, 3):
        make_run(f"lung-{seed}", seed=seed, skill=0.9)
    make_run("reason", system="residual_dual", labels=["hungry", "other"], activation="softmax", task="cry_reason")
    page = report(tmp_path)
    row = next(line for line in page.splitlines() if line.startswith("| `cnn_bilstm/published`"))
    assert "macro F1 0.82; 0.49 on original clips" in row
    assert "| macro F1 0.9" in row
    assert "| 3 | 74 k | 2.1 M | 0.60 | early stopping |" in row
    assert "34 of 35 clips have a 95 % interval of 85 to 99 % (Wilson)" in page
    assert "recall of 0.90: yes (0.9" in page or "recall of 0.90: no (0.8" in page
    assert "| seed | balanced accuracy | majority class |" in page
    assert "not trained yet: `python -m training train --system han " in page
    assert "han/published on ICBHI 2017, official split" in page


def test_equal_runs_give_equal_bytes_and_no_path_of_this_machine(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("one")
    first = report(tmp_path)
    assert report(tmp_path) == first
    assert str(tmp_path) not in first


def test_the_leak_has_its_section_with_its_picture(make_run: MakeRun, tmp_path: Path) -> None:
    make_run("one")
    assert "Not run yet: `python -m training leak" in report(tmp_path)
    (tmp_path / "runs" / "leak").mkdir()
    (tmp_path / "runs" / "leak" / "leak.json").write_text(json.dumps(leak(0.5)), encoding="utf-8")
    page = report(tmp_path)
    assert "](pictures/leak.png)" in page
    assert (tmp_path / "page" / "pictures" / "leak.png").read_bytes().startswith(b"\x89PNG")
    assert "The gap between the first two rows is 0.35" in page
    assert "Of the 0.30 between the first row and the honest one, 0.21 is knowing the patients" in page
    assert "0.09 is that the clips that judge are balanced" in page
    assert "1.00 core-hours" in page


def test_evaluations_are_shown_and_what_they_could_not_measure(make_run: MakeRun, tmp_path: Path) -> None:
    folder = make_run("one")
    figure = Figure("model", "AS", "SPRSound 1-1", 0.7, 0.6, 0.8, "share", "bootstrap over subjects", 20, 300, 1.5)
    measured = Measured(
        "breath_types",
        "m",
        "0" * 64,
        "test",
        "lung.csv",
        False,
        "listener",
        "val",
        1,
        "c",
        (figure,),
        (NotMeasured("ICBHI 4 classes", "a sample only", "python -m training evaluate --data ICBHI"),),
        ("a note",),
    )
    (folder / "evaluation.json").write_text(json.dumps({"measured": measured.as_json()}), encoding="utf-8")
    page = report(tmp_path)
    assert "| model | SPRSound 1-1 | AS | 0.700 (0.600 to 0.800) | 20 | 300 | 1.5 |" in page
    assert "- a note" in page
    assert "| ICBHI 4 classes | a sample only | `python -m training evaluate --data ICBHI` |" in page


@pytest.mark.parametrize("content", ["{", "[]", '{"arms_of": 1}'])
def test_damaged_figures_of_the_leak_are_one_line(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    make_run("one")
    (tmp_path / "runs" / "leak").mkdir()
    (tmp_path / "runs" / "leak" / "leak.json").write_text(content, encoding="utf-8")
    assert main(["report", str(tmp_path / "runs"), "--out", str(tmp_path / "page.md")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "page.md").exists()


def converted(folder: Path, run: Path, *, refused: str | None, worse: bool = False) -> None:
    """What `python -m converter report` leaves of a run."""
    out = folder / "converted" / run.name
    out.mkdir(parents=True)
    (out / "conversion.json").write_text(json.dumps({"refused": refused, "test": {}}), encoding="utf-8")
    found = load_predictions(run / "predictions-test.npz")
    save_predictions(
        out / "predictions-test.npz", replace(found, probability=1 - found.probability) if worse else found
    )


def test_the_int8_column_holds_the_measure_of_the_converted_networks(make_run: MakeRun, tmp_path: Path) -> None:
    good = [make_run(f"lung-{seed}", seed=seed, skill=0.9) for seed in (1, 2)]
    bad = make_run("single", system="han", skill=0.9)
    make_run("cry", form="mlp")
    converted(tmp_path, good[0], refused=None)
    converted(tmp_path, good[1], refused="tone: too far")
    converted(tmp_path, bad, refused=None, worse=True)
    words = ["report", str(tmp_path / "runs"), "--converted", str(tmp_path / "converted")]
    assert main([*words, "--out", str(tmp_path / "RESULTS.md")]) == 0
    rows = [
        line.split(" | ") for line in (tmp_path / "RESULTS.md").read_text().splitlines() if "| breath_sounds |" in line
    ]
    cells = {row[0].strip("| `"): (row[3], row[4]) for row in rows}
    here, int8 = cells["cnn_bilstm/published"]
    assert int8 == f"{here.removeprefix('macro F1 ')}, 1 of 2 refused"
    here, int8 = cells["han/published"]
    assert float(int8.split()[0]) < 0.5 < float(here.split()[2])
    assert cells["cnn_bilstm/mlp"][1] == "-"


def test_converted_runs_of_other_windows_are_refused(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run("one")
    converted(tmp_path, make_run("two", subjects=["x", "y"]), refused=None)
    (tmp_path / "converted" / "two").rename(tmp_path / "converted" / "one")
    words = ["report", str(tmp_path / "runs"), "--converted", str(tmp_path / "converted")]
    assert main([*words, "--out", str(tmp_path / "RESULTS.md")]) == 2
    assert "one was converted with other test windows" in capsys.readouterr().err
