"""From recordings to figures, by patient, and what cannot be measured is said with the command that would."""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from device.errors import RecordingError
from device.hearing.bundle.reader import read_bundle
from training.data.split_list import ListedClip, write_list
from training.evaluation import evaluate
from training.evaluation.breath import breath_report
from training.evaluation.breath.breath_report import BreathSettings, evaluate_breath
from training.evaluation.breath.record_scores import JudgedRecording, score_recording
from training.evaluation.measured import read_measured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16_000
COLUMNS = ("file", "set", "labels", "subject", "session", "split", "sr", "duration", "events", "note")


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    probabilities: Float32


class LevelNetwork:
    """Calls what is loud a crackle: a stand-in for a trained network."""

    def classify(self, features: Sequence[Float32]) -> Output:
        loud = float(features[0].mean() > np.float32(-6.0))
        return Output(np.array([0.9 - 0.8 * loud, 0.05, 0.05 + 0.8 * loud, 0.0], np.float32))


@pytest.fixture
def model(tiny_bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """The tiny bundle's features and four labels of breaths, with a network that needs no file."""
    tiny = read_bundle(tiny_bundle_path)
    point = tiny.labels[0]
    labels = tuple(
        dataclasses.replace(point, name=name, role="info") for name in ("normal", "wheeze", "crackle", "both")
    )
    changed = dataclasses.replace(tiny, name="breaths", labels=labels)
    monkeypatch.setattr(breath_report, "read_model", lambda _: changed)
    monkeypatch.setattr(breath_report, "open_network", lambda *_: LevelNetwork())
    monkeypatch.setattr(evaluate, "read_model", lambda _: changed)
    breath_report._opened.cache_clear()
    return changed


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """SPRSound in small: five patients in each part, each with a quiet normal and a loud crackle; one is quiet."""
    rng = np.random.default_rng(1)
    rows, listed = [], []
    for part in ("val", "test"):
        for patient in range(5):
            for label, level, record in (("Normal", 1e-4, "Normal"), ("Fine Crackle", 0.3, "DAS")):
                file = f"{part}{patient}-{record}.wav"
                is_unheard = (part, patient, record) == ("test", 0, "DAS")
                samples = ((1e-4 if is_unheard else level) * rng.standard_normal(4 * RATE_HZ)).clip(-1, 1)
                (tmp_path / "sprsound").mkdir(exist_ok=True)
                soundfile.write(tmp_path / "sprsound" / file, samples, RATE_HZ, subtype="PCM_16")
                subject = f"{part}{patient}"
                row = {"file": file, "set": "sprsound", "labels": record, "subject": subject, "sr": RATE_HZ}
                rows.append(row | {"duration": 4.0, "split": part, "events": json.dumps([[0.5, 3.5, label]])})
                listed.append(
                    ListedClip(f"sprsound/{file}", "sprsound", subject, part, "lung", doubtful=False, reason="")
                )
    with (tmp_path / "sprsound" / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    write_list(tmp_path / "list.csv", listed)
    return tmp_path


def settings(collection: Path, **changed: Any) -> BreathSettings:
    usual: dict[str, Any] = {"part": "test", "official_split": False, "task": "breath_classes", "seed": 1}
    return BreathSettings(
        **{"model": collection / "m.tflite", "data": collection, "split": collection / "list.csv", **usual, **changed}
    )


@pytest.mark.usefixtures("model")
def test_events_and_records_get_their_scores_with_intervals_over_patients(collection: Path) -> None:
    found = evaluate_breath(settings(collection))
    measured, headline = found.measured, found.headline
    for task in ("SPRSound 1-1", "SPRSound 2-1", "SPRSound 2-2"):
        sensitivity, specificity = measured.find("SE", task), measured.find("SP", task)
        assert sensitivity is not None
        assert specificity is not None
        assert (sensitivity.value, specificity.value) == (0.8, 1.0)
        assert (sensitivity.subjects, sensitivity.items) == (5, 10)
        assert sensitivity.low is not None
        assert sensitivity.low < 0.8 < (sensitivity.high or 0)
        assert specificity.low == specificity.high == 1.0
    score = measured.find("Score", "SPRSound 1-1")
    assert score is not None
    assert score.value == pytest.approx((0.9 + 1.6 / 1.8) / 2, abs=1e-5)
    assert "SPRSound 1-1: Score 0.894" in headline
    assert any("chosen on 5 subjects of val" in note for note in measured.notes)


@pytest.mark.usefixtures("model")
def test_what_cannot_be_measured_is_told_with_the_command_that_would(collection: Path) -> None:
    found = evaluate_breath(settings(collection))
    measured, headline = found.measured, found.headline
    missing = {one.of: one for one in measured.not_measured}
    assert set(missing) == {"SPRSound 1-2", "ICBHI 2 classes", "ICBHI 4 classes"}
    assert "not the classes of the task" in missing["SPRSound 1-2"].reason
    assert "--data ICBHI_final_database --split test --official-split" in missing["ICBHI 4 classes"].command
    assert "Not measurable here: SPRSound 1-2, ICBHI 2 classes, ICBHI 4 classes" in headline


@pytest.mark.usefixtures("model")
def test_a_patient_in_two_parts_is_refused(collection: Path) -> None:
    text = (collection / "list.csv").read_text()
    (collection / "list.csv").write_text(text.replace("sprsound,test1,", "sprsound,val1,"))
    with pytest.raises(RecordingError, match="in two parts: val1"):
        evaluate_breath(settings(collection))


@pytest.mark.usefixtures("model")
def test_patients_that_chose_the_aggregation_are_said_to_flatter(collection: Path) -> None:
    flattering = "The same patients chose the aggregation: these figures are too good."
    assert flattering in evaluate_breath(settings(collection, part="val")).measured.notes
    assert flattering not in evaluate_breath(settings(collection)).measured.notes


@pytest.mark.usefixtures("model")
def test_an_empty_part_is_refused(collection: Path) -> None:
    with pytest.raises(RecordingError, match="train holds no recordings; the parts are test, val"):
        evaluate_breath(settings(collection, part="train"))


@pytest.mark.usefixtures("model")
def test_the_sample_of_icbhi_is_measured_as_a_part_of_it(data_dir: Path) -> None:
    """Eight recordings of three patients, the official split: 74 cycles, of which 15 are not normal."""
    sample = data_dir / "icbhi_sample"
    measured = evaluate_breath(settings(data_dir, data=sample, part="test", official_split=True)).measured
    assert measured.official_split
    assert measured.chosen_on == ""
    of = next(one.of for one in measured.figures)
    assert of.startswith("ICBHI 2 classes, ")
    assert of.endswith(" of 920 recordings")
    assert {one.of for one in measured.not_measured} >= {"ICBHI 2 classes", "ICBHI 4 classes", "SPRSound 1-1"}
    assert any("cannot be used; the first:" in note for note in measured.notes)


def test_the_listener_scores_every_window_of_a_recording(model: Bundle, collection: Path) -> None:
    from training.data.datasets.layouts import read_dataset

    one = read_dataset(collection).recordings[1]
    found = score_recording(model, LevelNetwork(), JudgedRecording(one, "a", "p"))
    assert (found.starts_s[0], found.ends_s[-1]) == (0.0, 4.0)
    assert np.diff(found.starts_s) == pytest.approx(0.5)
    assert found.probabilities.shape == (len(found.starts_s), 4)
    assert found.event_probabilities is None


def test_a_form_that_cannot_be_streamed_scores_each_event_by_itself(model: Bundle, collection: Path) -> None:
    from training.data.datasets.layouts import read_dataset

    spec = dataclasses.replace(model.specs[0], centre=True)
    published = dataclasses.replace(model, specs=(spec,))
    one = read_dataset(collection).recordings[1]
    found = score_recording(published, LevelNetwork(), JudgedRecording(one, "a", "p"))
    assert found.event_probabilities is not None
    assert found.event_probabilities.shape == (1, 4)
    assert found.ends_s[-1] == 4.0


@pytest.mark.usefixtures("model")
def test_the_command_writes_what_a_report_reads(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    words = ["--model", "m.tflite", "--data", collection, "--split-list", collection / "list.csv", "--workers", "1"]
    assert evaluate.run(parser.parse_args([*map(str, words), "--json", str(tmp_path / "report.json")])) == 0
    measured = read_measured(tmp_path / "report.json")
    assert (measured.task, measured.heard, measured.part) == ("breath_classes", "listener", "test")
    assert capsys.readouterr().out.startswith("breaths on test, 95 % intervals in brackets: SPRSound 1-1")
