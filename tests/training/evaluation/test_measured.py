"""Figures travel through JSON unchanged, and a file that holds none is refused in one sentence."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest

from device.errors import ConfigError
from training.evaluation.measured import Figure, Measured, NotMeasured, read_measured

if TYPE_CHECKING:
    from pathlib import Path

FIGURE = Figure(
    system="model",
    measure="Score",
    of="SPRSound 1-1",
    value=0.8125,
    low=0.75,
    high=0.875,
    unit="share",
    interval="bootstrap over subjects",
    subjects=40,
    items=1200,
    hours=1.5,
)
MEASURED = Measured(
    task="breath_types",
    model="lung",
    model_sha256="ab" * 32,
    part="test",
    split="lung.csv",
    official_split=False,
    heard="listener",
    chosen_on="val",
    seed=1,
    command="python -m training evaluate",
    figures=(FIGURE, dataclasses.replace(FIGURE, of="SPRSound 2-1", value=None, low=None, high=None, interval="none")),
    not_measured=(NotMeasured("ICBHI 4 classes", "the official audio is not here", "python -m training evaluate"),),
    notes=("two notes",),
)


def written(tmp_path: Path, value: Any) -> Path:
    path = tmp_path / "measured.json"
    path.write_text(json.dumps(value))
    return path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    assert read_measured(written(tmp_path, {"other": 1, "measured": MEASURED.as_json()})) == MEASURED


def test_a_figure_is_found_by_measure_and_by_what_it_is_of() -> None:
    assert MEASURED.find("Score", "SPRSound 1-1") is MEASURED.figures[0]
    assert MEASURED.find("Score", "SPRSound 1-1", system="yamnet 0.3") is None
    assert MEASURED.find("SE", "SPRSound 1-1") is None


@pytest.mark.parametrize("value", [{}, [], {"measured": 3}])
def test_another_file_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ConfigError, match="evaluate --json wrote"):
        read_measured(written(tmp_path, value))


def test_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no json")
    with pytest.raises(ConfigError, match="is no JSON file"):
        read_measured(tmp_path / "text")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"value": "0.8"}, "must be numbers"),
        ({"low": float("nan")}, "must be finite"),
        ({"interval": "guess"}, "must be one of bootstrap over subjects"),
        ({"extra": 1}, "unknown members: extra"),
    ],
)
def test_a_figure_that_is_none_is_refused(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    value = MEASURED.as_json()
    value["figures"][0] |= changed
    with pytest.raises(ConfigError, match=told):
        read_measured(written(tmp_path, {"measured": value}))


def test_a_missing_member_is_named(tmp_path: Path) -> None:
    value = MEASURED.as_json()
    del value["chosen_on"]
    with pytest.raises(ConfigError, match="chosen_on"):
        read_measured(written(tmp_path, {"measured": value}))
