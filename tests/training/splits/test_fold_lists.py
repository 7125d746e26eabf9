"""`python -m training folds`: lists of each fold, and a sentence where none can be made."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from training.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

COLUMNS = ("file", "set", "labels", "subject", "session", "split", "sr", "duration", "events", "note")


def collection(folder: Path, labels: str = "cry|hungry") -> Path:
    """Nine infants with two recordings each, a third of them tired; one recording of nobody known."""
    rows = [(f"{number}-{take}.wav", f"i{number}") for number in range(9) for take in range(2)]
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(COLUMNS)
        for index, (file, subject) in enumerate([*rows, ("x.wav", "")]):
            said = "cry|tired" if index % 6 > 3 else labels
            soundfile.write(folder / file, np.zeros(800), 8000)
            writer.writerow((file, "mine", said, subject, "", "", 8000, 0.1, "", ""))
    return folder


def test_each_subject_is_tested_once_and_unknown_ones_never(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["folds", str(collection(tmp_path)), "--folds", "3", "--seed", "2", "--out", str(tmp_path / "folds")]
    assert main(given) == 0
    tested: list[str] = []
    for fold in range(3):
        with (tmp_path / "folds" / f"fold-{fold}.csv").open(encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
        assert len(rows) == 18
        tested += sorted({row["subject"] for row in rows if row["part"] == "test"})
        assert {row["part"] for row in rows} == {"train", "val", "test"}
    assert sorted(tested) == [f"i{number}" for number in range(9)]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == (
        "fold 0: train 4 hungry, 2 other of 3 subjects; val 4 hungry, 2 other of 3 subjects; "
        "test 4 hungry, 2 other of 3 subjects"
    )


def test_a_collection_without_such_labels_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = collection(tmp_path)
    assert main(["folds", str(data), "--task", "scream", "--folds", "30", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "training folds: 30 folds of 9 subjects: give 2 to 9 folds\n"
    assert main(["folds", str(data), "--task", "breath_sounds", "--out", str(tmp_path)]) == 2
    assert "has a label and a subject that breath_sounds knows" in capsys.readouterr().err
