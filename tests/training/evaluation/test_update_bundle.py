"""What is found out later joins a bundle, and nothing else of it changes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from training.__main__ import main
from training.evaluation import event_metrics
from training.evaluation.detectors import INT8, System
from training.evaluation.measured import Measured
from training.evaluation.update_bundle import (
    with_evaluation,
    with_event_points,
    with_measured,
    with_operating_point,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle
    from training.evaluation.runner import ScoredScene

CHOSEN = {
    "on": 0.7,
    "off": 0.35,
    "confirm_s": 1.5,
    "confirm_of_s": 2.0,
    "min_length_s": 0,
    "hold_s": 5,
    "cooldown_s": 9,
}


@pytest.fixture
def bundle(tiny_bundle_path: Path) -> Bundle:
    return read_bundle(tiny_bundle_path)


@pytest.fixture
def report(bundle: Bundle, make_scored: Callable[..., ScoredScene]) -> dict[str, Any]:
    """What an evaluation of the tiny bundle would say."""
    systems = (System(INT8, 2.0, bundle.labels[0].operating_point),)
    scored = [make_scored(is_event=True, alarms_s=(6.0,), level=0.9), make_scored()]
    network = {"network_sha256": hashlib.sha256(bundle.network).hexdigest(), "label": "tone", "runtime": "x 1"}
    return {
        "part": "test",
        "command": "python -m training evaluate",
        "bundle": {"name": bundle.name, "version": bundle.version, **network},
        "split": {"file": "list.csv", "sha256": "cd" * 32},
        "earlier_int8_cost": [],
        **event_metrics.report(scored, systems, snr_db=20.0, seed=1),
    }


def test_an_evaluation_joins_the_card_and_nothing_else_changes(bundle: Bundle, report: dict[str, Any]) -> None:
    amended = with_evaluation(bundle, report)
    assert amended.card["evaluation"]["cries"][0]["recall"] == 1.0
    assert "1 of 1 in esc50" in amended.card["headline"]
    assert {name: value for name, value in amended.card.items() if name in bundle.card} == bundle.card
    for field in ("name", "version", "labels", "specs", "output", "network", "golden"):
        assert getattr(amended, field) is getattr(bundle, field)


def test_a_report_of_another_network_is_refused(bundle: Bundle, report: dict[str, Any]) -> None:
    report["bundle"]["network_sha256"] = "0" * 64
    with pytest.raises(BundleError, match="is of network 000000000000"):
        with_evaluation(bundle, report)


def test_a_report_of_another_operating_point_is_refused(bundle: Bundle, report: dict[str, Any]) -> None:
    moved = with_operating_point(bundle, {"operating_point": CHOSEN})
    with pytest.raises(BundleError, match=r"made with on 0\.5, the bundle has 0\.7"):
        with_evaluation(moved, report)


@pytest.mark.parametrize("damage", ["systems", "bundle"])
def test_what_is_no_report_is_refused(bundle: Bundle, report: dict[str, Any], damage: str) -> None:
    del report[damage]
    with pytest.raises(BundleError, match="holds no evaluation"):
        with_evaluation(bundle, report)


def test_a_chosen_operating_point_takes_the_old_ones_place(bundle: Bundle) -> None:
    moved = with_operating_point(bundle, {"operating_point": CHOSEN, "validation": {"recall": 0.9}})
    (label,) = moved.labels
    assert dataclasses.asdict(label.operating_point) == CHOSEN
    assert (label.name, label.role, label.priority) == ("tone", "alarm", "high")
    assert moved.card["validation"] == {"recall": 0.9}
    assert moved.network is bundle.network


@pytest.mark.parametrize("wrong", [{"on": 1.5}, {"off": 0.9}, {"hold_s": -1}, {"on": "high"}])
def test_a_point_that_cannot_be_is_refused(bundle: Bundle, wrong: dict[str, object]) -> None:
    with pytest.raises(BundleError):
        with_operating_point(bundle, {"operating_point": CHOSEN | wrong})


def test_a_file_without_a_point_is_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="no operating_point"):
        with_operating_point(bundle, {"validation": {}})


def test_the_command_writes_a_bundle_that_holds(
    tiny_bundle_path: Path, bundle: Bundle, report: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.json").write_text(json.dumps(report))
    words = ["--bundle", tiny_bundle_path, "--report", tmp_path / "report.json", "--out", tmp_path / "new.tflite"]
    assert main(["card", *map(str, words)]) == 0
    written = read_bundle(tmp_path / "new.tflite")
    Classifier.open(written).close()
    assert written.network == bundle.network
    assert written.card["evaluation"]["part"] == "test"
    assert written.sha256 in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_file_that_is_no_report_is_one_line_and_exit_code_2(
    tiny_bundle_path: Path, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.json").write_text(text)
    words = ["--bundle", tiny_bundle_path, "--report", tmp_path / "report.json", "--out", tmp_path / "new.tflite"]
    assert main(["card", *map(str, words)]) == 2
    assert "give" in capsys.readouterr().err
    assert not (tmp_path / "new.tflite").exists()


def test_there_must_be_something_to_write(
    tiny_bundle_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["card", "--bundle", str(tiny_bundle_path), "--out", str(tmp_path / "new.tflite")]) == 2
    assert "nothing to write" in capsys.readouterr().err


# --- breath sounds


def breath_report(bundle: Bundle) -> dict[str, Any]:
    measured = Measured("breath_sounds", "tiny", bundle.sha256, "test", "l.csv", False, "listener", "val", 1, "c", ())
    return {"headline": "heard in half", "measured": measured.as_json()}


def test_points_of_several_labels_and_a_breath_evaluation_join_a_bundle_under_another_name(
    tiny_low_bundle_path: Path, tmp_path: Path
) -> None:
    before = read_bundle(tiny_low_bundle_path)
    points, report, described = (tmp_path / name for name in ("points.json", "report.json", "card.json"))
    points.write_text(json.dumps({"operating_points": {"low": CHOSEN}, "validation": {"low": {"patients": 3}}}))
    report.write_text(json.dumps(breath_report(before)))
    described.write_text(json.dumps({"not_for": "diagnosis"}))
    out = tmp_path / "lung.tflite"
    words = ["--bundle", str(tiny_low_bundle_path), "--operating-point", str(points), "--report", str(report)]
    words += ["--description", str(described), "--name", "lung", "--model-version", "0.2.0", "--out", str(out)]
    assert main(["card", *words]) == 0
    after = read_bundle(out)
    assert (after.name, after.version) == ("lung", "0.2.0")
    assert [label.operating_point.on for label in after.labels if label.name == "low"] == [0.7]
    assert [one for one in after.labels if one.name != "low"] == [one for one in before.labels if one.name != "low"]
    assert after.card["validation"] == {"low": {"patients": 3}}
    assert (after.card["headline"], after.card["not_for"]) == ("heard in half", "diagnosis")
    assert next(iter(after.card)) == "not_for"  # what people write comes before the figures
    assert after.network == before.network


def test_points_of_an_unknown_label_and_a_report_of_another_file_are_refused(bundle: Bundle) -> None:
    with pytest.raises(BundleError, match="the points are of wheeze; tiny-tone has no such label"):
        with_event_points(bundle, {"operating_points": {"wheeze": CHOSEN}})
    other = dataclasses.replace(bundle, sha256="ab" * 32)
    with pytest.raises(BundleError, match=r"the report is of a file abababababab, this is .*; evaluate this bundle"):
        with_measured(bundle, breath_report(other))
