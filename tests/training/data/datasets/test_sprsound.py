"""SPRSound reads as its repository publishes it: a small one is made of the real manifest's rows."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.training.data.datasets.written_audio import write_audio, write_text
from training.data.datasets.annotated_recording import AnnotatedSpan
from training.data.datasets.layouts import read_dataset

if TYPE_CHECKING:
    from pathlib import Path

NAME = "40638274_9.7_1_p1_1696"
FOLDERS = {
    "train": ("train2022_json", "train2022_wav"),
    "test_intra": ("test2022_json/intra_test_json", "test2022_wav"),
    "test_inter": ("test2022_json/inter_test_json", "test2022_wav"),
}


def publish(root: Path, part: str, name: str, annotation: dict[str, Any] | str, duration_s: float = 2.0) -> Path:
    """A recording and its annotation; the path of the annotation."""
    notes, sounds = FOLDERS[part]
    write_audio(root / sounds / f"{name}.wav", duration_s)
    text = annotation if isinstance(annotation, str) else json.dumps(annotation)
    return write_text(root / notes / f"{name}.json", text)


def annotated(*events: tuple[str, str, str], record: str = "Normal") -> dict[str, Any]:
    spans = [{"start": start, "end": end, "type": label} for start, end, label in events]
    return {"record_annotation": record, "event_annotation": spans}


@pytest.mark.real_audio
def test_what_the_manifest_says_comes_back_from_the_published_form(data_dir: Path, tmp_path: Path) -> None:
    with (data_dir / "sprsound" / "manifest.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))[::100]
    for row in rows:
        events = json.loads(row["events"] or "[]")
        spans = [(str(round(start * 1000)), str(round(end * 1000)), label) for start, end, label in events]
        name = row["file"].rpartition("/")[2].removesuffix(".flac")
        annotation = annotated(*spans, record=row["labels"])
        publish(tmp_path, row["split"], name, annotation, float(row["duration"]))
    dataset = read_dataset(tmp_path)
    assert dataset.problems == ()
    found = {one.file.stem: one for one in dataset.recordings}
    for row in rows:
        one = found[row["file"].rpartition("/")[2].removesuffix(".flac")]
        assert (one.subject, one.official_split, one.labels) == (row["subject"], row["split"], (row["labels"],))
        assert one.note == row["note"]
        found_spans = [[span.start_s, span.end_s, span.label] for span in one.events]
        assert found_spans == json.loads(row["events"] or "[]")
    assert {"train", "test_intra"} == {row["split"] for row in rows}


def test_patients_of_the_inter_test_are_known_by_their_folder(tmp_path: Path) -> None:
    publish(tmp_path, "test_inter", NAME, annotated(("250", "1000", "Wheeze+Crackle"), record="CAS & DAS"))
    (one,) = read_dataset(tmp_path / ".").recordings
    assert (one.official_split, one.subject, one.set) == ("test_inter", "40638274", "sprsound")
    assert one.events == (AnnotatedSpan(0.25, 1.0, "Wheeze+Crackle"),)


def test_wrong_annotations_are_told_by_file_and_line(tmp_path: Path) -> None:
    text = json.dumps(annotated(("900", "100", "Normal"), ("0", "nan", "Normal"), ("0", "9", "Purr")), indent=1)
    wrong = publish(tmp_path, "train", NAME, text)
    text = '{"record_annotation": "Normal",\n "event_annotation": ['
    broken = publish(tmp_path, "train", "40638274_9.7_1_p1_1697", text)
    named = publish(tmp_path, "train", "mine", annotated())
    unknown = publish(tmp_path, "train", "40638274_9.7_1_p1_1698", annotated(record="Fine"))
    (tmp_path / "train2022_wav" / "40638274_9.7_1_p1_1698.wav").rename(tmp_path / "train2022_wav" / "other.wav")
    dataset = read_dataset(tmp_path)
    told = [(one.file, one.line, one.sentence) for one in dataset.problems]
    assert told[:3] == [
        (wrong, 4, "ends at 0.1 s, before it begins at 0.9 s"),
        (wrong, 9, '"0.0" to "nan" are no times in seconds'),
        (wrong, 14, told[2][2]),
    ]
    assert told[2][2].startswith('the label "Purr" is unknown: there are Coarse Crackle, Fine Crackle')
    assert told[3][:2] == (broken, 2)
    assert told[3][2].startswith("cannot be understood")
    assert told[4] == (unknown, None, "its audio 40638274_9.7_1_p1_1698.wav is missing")
    assert told[5] == (named, None, "is not named patient_age_sex_place_number.json")
    assert told[6][2] == "its annotation other.json is missing"
    assert len(told) == 7


def test_an_unknown_record_label_is_told_and_kept_for_the_task_to_exclude(tmp_path: Path) -> None:
    annotation = publish(tmp_path, "train", NAME, annotated(record="Fine"))
    dataset = read_dataset(tmp_path)
    assert dataset.recordings[0].labels == ("Fine",)
    (problem,) = dataset.problems
    assert (problem.file, problem.line) == (annotation, 1)
    assert problem.sentence.startswith('the record label "Fine" is unknown')
