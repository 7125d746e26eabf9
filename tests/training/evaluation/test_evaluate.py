"""The command from recordings to report, with the tiny bundle and a made-up collection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.hearing.bundle.reader import read_bundle
from tests.training.conftest import score_windows
from training.__main__ import main
from training.evaluation.alarms.alarm_report import chosen_operating_point, scene_lines
from training.evaluation.detectors import FLOAT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.training.conftest import Collection
    from training.evaluation.runner import ScoredScene


@pytest.fixture
def options(collection: Collection, tiny_bundle_path: Path) -> list[str]:
    options = {"model": tiny_bundle_path, "data": collection.data, "split-list": collection.split, "workers": 1}
    return ["evaluate", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]


def report_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_recordings_go_in_and_a_report_comes_out(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = {name: tmp_path / name for name in ("report.json", "page.md", "clips.jsonl")}
    arguments = ("--json", "report.json", "--markdown", "page.md", "--clips", "clips.jsonl")
    assert main([*options, *(str(written.get(word, word)) for word in arguments)]) == 0
    report = report_of(written["report.json"])
    own = report["systems"][0]
    assert [(row["source"], row["doubtful"], row["found"], row["clips"]) for row in own["cries"]] == [
        ("donateacry", "with", 2, 3),
        ("donateacry", "without", 2, 2),
        ("donateacry 16 kHz", "with", 2, 3),
        ("donateacry 16 kHz", "without", 2, 2),
    ]
    assert own["missed"][0]["file"] == "donateacry/cry/b0.wav"
    assert [row["file"] for row in own["others"]["raised"]] == ["esc50/cat/2.wav"]
    assert [row["recording"] for row in own["hours"]["raised"]] == ["ambient/music/flute.wav"]
    assert capsys.readouterr().out.strip() == report["headline"]
    assert report["headline"] in written["page.md"].read_text()
    lines = [json.loads(line) for line in written["clips.jsonl"].read_text().splitlines()]
    assert len(lines) == 3 * 4 + 5 + 2 + 1 + 2
    assert {line["name"]: line["alarms_s"] for line in lines}["esc50/dog/1.wav"] == []


def test_a_sound_that_the_list_does_not_name_is_counted_by_the_same_rules(
    options: list[str], with_siren: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(with_siren), "--task", "siren", "--label", "tone", "--json", str(tmp_path / "report.json")]
    assert main([*options, *words]) == 0
    report = report_of(tmp_path / "report.json")
    assert [(row["source"], row["found"], row["clips"]) for row in report["systems"][0]["cries"]] == [("esc50", 0, 1)]
    assert {row["file"] for row in report["systems"][0]["others"]["raised"]} >= {"donateacry/cry/a0.wav"}
    assert "sirens found 20 dB over a background: 0 of 1 in esc50" in capsys.readouterr().out
    assert "--task siren --label tone" in report["command"]


def test_hard_clips_can_be_heard_by_themselves(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*options, "--hard", "--json", str(tmp_path / "report.json")]) == 0
    report = report_of(tmp_path / "report.json")
    own = report["systems"][0]
    assert [(row["kind"], row["found"], row["clips"]) for row in own["others"]["kinds"]] == [
        ("esc50: cat", 1, 1),
        ("esc50: dog", 0, 1),
    ]
    assert (own["cries"], own["hours"]["sounds"]) == ([], [])
    assert "other clips that raise an alert: 1 of 2" in capsys.readouterr().out
    assert " --hard" in report["command"]


@pytest.mark.parametrize("option", ["--operating-point", "--markdown"])
def test_hard_clips_choose_nothing_and_make_no_page(
    options: list[str], tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--hard", "--split", "val", option, str(tmp_path / "out"), "--json", str(tmp_path / "report.json")]
    assert main([*options, *words]) == 2
    assert "--hard plays no events" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_two_runs_write_the_same_bytes(options: list[str], tmp_path: Path) -> None:
    for name in ("first.json", "second.json"):
        assert main([*options, "--json", str(tmp_path / name)]) == 0
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()


def test_the_report_names_the_command_the_list_and_the_network(
    options: list[str], tmp_path: Path, tiny_bundle_path: Path
) -> None:
    main([*options, "--seed", "7", "--json", str(tmp_path / "report.json")])
    report = report_of(tmp_path / "report.json")
    assert f"--model {tiny_bundle_path}" in report["command"]
    assert "--seed 7" in report["command"]
    assert str(tmp_path / "report.json") not in report["command"]
    assert report["seed"] == 7
    assert report["split"]["file"] == "list.csv"
    assert len(report["split"]["sha256"]) == len(report["bundle"]["network_sha256"]) == 64


def test_thresholds_are_never_chosen_on_test(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--json", str(tmp_path / "report.json"), "--operating-point", str(tmp_path / "point.json")]
    assert main([*options, *words]) == 2
    assert "chosen on val, never on test" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--highest-threshold", "0.2"], "give a number from 0.3 to 1"),
        (["--highest-threshold", "0.75"], "give --operating-point FILE with it"),
    ],
)
def test_a_bound_on_the_threshold_that_bounds_nothing_is_refused_before_anything_is_heard(
    options: list[str], tmp_path: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*options, *words, "--json", str(tmp_path / "report.json")]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_point_that_validation_chose_judges_the_test(options: list[str], tmp_path: Path) -> None:
    """With a threshold that nothing reaches no alarm is raised; the report says who chose it."""
    chosen = {"on": 0.999999, "off": 0.5, "confirm_s": 2.0, "confirm_of_s": 2.0}
    rest = {"min_length_s": 0.0, "hold_s": 5.0, "cooldown_s": 10.0}
    (tmp_path / "point.json").write_text(json.dumps({"operating_point": chosen | rest}))
    words = ["--point", str(tmp_path / "point.json"), "--json", str(tmp_path / "report.json")]
    assert main([*options, *words]) == 0
    report = report_of(tmp_path / "report.json")
    assert report["systems"][0]["on"] == 0.999999
    assert report["systems"][0]["cries"][0]["found"] == 0
    assert report["measured"]["chosen_on"] == "val"


def test_a_sensitivity_measures_what_a_device_so_configured_hears(
    options: list[str], tmp_path: Path, tiny_bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = read_bundle(tiny_bundle_path).labels[0].operating_point
    words = ["--sensitivity", "-2", "--json", str(tmp_path / "report.json")]
    assert main([*options, *words]) == 0
    report = report_of(tmp_path / "report.json")
    odds = own.on / (1 - own.on) * 4
    assert report["systems"][0]["on"] == pytest.approx(odds / (1 + odds))
    assert "--sensitivity -2" in report["command"]
    assert report["measured"]["chosen_on"] == ""
    assert main([*options, *words, "--point", str(tmp_path / "point.json")]) == 2
    assert "give one of them" in capsys.readouterr().err


def test_a_file_without_a_point_is_refused(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "point.json").write_text("{}")
    words = ["--point", str(tmp_path / "point.json"), "--json", str(tmp_path / "report.json")]
    assert main([*options, *words]) == 2
    assert "holds no operating point" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--markdown", "--clips"])
def test_a_missing_folder_is_told_before_anything_is_heard(
    options: list[str], tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--json", str(tmp_path / "report.json"), option, str(tmp_path / "none" / "file")]
    assert main([*options, *words]) == 2
    assert "make the folder" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_missing_bundle_is_one_line_and_exit_code_2(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*options, "--model", str(tmp_path / "none.tflite"), "--json", str(tmp_path / "report.json")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def _scene(make: Callable[..., ScoredScene], score: float, **changed: object) -> ScoredScene:
    """A clip whose middle eight windows score so."""
    probabilities = np.full(25, 0.05, np.float32)
    probabilities[8:16] = score
    return make(windows=score_windows(probabilities), **changed)


def test_the_chosen_rule_finds_the_cries_and_nothing_else(make_scored: Callable[..., ScoredScene]) -> None:
    cries = [_scene(make_scored, 0.9, is_event=True, name=f"cry {number}") for number in range(4)]
    others = [_scene(make_scored, 0.6, name=f"other {number}") for number in range(4)]
    misleading = [_scene(make_scored, 0.99, system=FLOAT, name=f"other {number}") for number in range(4)]
    chosen = chosen_operating_point([*cries, *others, *misleading])
    assert 0.6 < chosen["operating_point"]["on"] <= 0.9
    assert chosen["validation"]["recall_by_snr_db"] == {"20": 1.0}
    assert chosen["validation"]["false_clip_share"] == 0.0


def test_a_line_of_a_clip_is_json(make_scored: Callable[..., ScoredScene]) -> None:
    (line,) = scene_lines([_scene(make_scored, 0.5, alarms_s=(6.0,))])
    assert json.loads(json.dumps(line, allow_nan=False))["delay_s"] == 1.5
    assert line["probabilities"][:9] == [0.05] * 8 + [0.5]
