"""The experiment on a made-up collection: who teaches judges only where that is the point; a finished arm is kept."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from training.__main__ import main
from training.networks.cnn_bilstm import PUBLISHED_MFCC
from training.results.leak import leak_arms
from training.results.leak.leak_clips import ComputedBy, leak_clips
from training.results.leak.leak_picture import ARMS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own

COLUMNS = ("file", "set", "labels", "subject", "session", "split", "sr", "duration", "source_file", "events", "note")
KINDS = ("Normal", "Wheeze", "Fine Crackle")


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Six patients, two in each part; each recording holds two seconds of each kind."""
    folder = tmp_path / "lungs"
    folder.mkdir()
    rng = np.random.default_rng(4)
    events = json.dumps([[2.0 * index, 2.0 * index + 2, kind] for index, kind in enumerate(KINDS)])
    lines, parts = [], []
    for number in range(6):
        name = f"{number}.wav"
        soundfile.write(folder / name, 0.1 * rng.standard_normal(24_000), 4000)
        lines.append([name, "lungs", "DAS", f"p{number}", "", "", 4000, 6.0, "", events, ""])
        parts.append([name, f"p{number}", ("train", "val", "test")[number % 3]])
    _write(folder / "manifest.csv", COLUMNS, lines)
    _write(tmp_path / "split.csv", ("file", "subject", "part"), parts)
    return folder


def _write(path: Path, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([columns, *rows])


def test_patients_of_the_pool_are_not_those_that_choose_or_judge(collection: Path) -> None:
    split = collection.parent / "split.csv"
    clips = leak_clips(collection, split, PUBLISHED_MFCC, clips_per_class=6, computed_by=ComputedBy())
    patients = [
        {place.subject for place in part.places}
        for part in (clips.pool, clips.val, clips.unseen, clips.unseen_augmented)
    ]
    assert patients == [{"p0", "p3"}, {"p1", "p4"}, {"p2", "p5"}, {"p2", "p5"}]
    assert (len(clips.pool), len(clips.val), len(clips.unseen), len(clips.unseen_augmented)) == (18, 6, 6, 18)
    first, second = (clips.pool.inputs[0][clips.pool.targets[:, 0] > 0][index] for index in (0, 1))
    assert not np.array_equal(first, second)


def test_the_experiment_leaves_figures_and_a_picture_and_goes_on_where_it_ended(
    collection: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = collection.parent / "leak"
    options = ["leak", "--data", str(collection), "--split", str(collection.parent / "split.csv"), "--out", str(out)]
    options += ["--seeds", "1", "--epochs", "1", "--clips-per-class", "8", "--workers", "1"]
    options += ["--cache", str(collection.parent / "cache")]
    assert main(options) == 0
    found = json.loads((out / "leak.json").read_text(encoding="utf-8"))
    assert list(found["arms"]) == list(ARMS)
    assert found["arms"]["by_patient"]["subjects"] == 2
    assert all(one["low"] <= one["high"] for one in found["arms"].values())
    assert (out / "leak.png").read_bytes().startswith(b"\x89PNG")
    assert len(capsys.readouterr().out.splitlines()) == len(ARMS)

    monkeypatch.setattr(leak_arms, "train_epochs", lambda *_: pytest.fail("trained again"))
    assert main(options) == 0
    assert json.loads((out / "leak.json").read_text(encoding="utf-8"))["arms"] == found["arms"]


def test_nothing_to_train_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leak", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--seeds", "0"]) == 2
    assert "--seeds is 0, must be at least 1" in capsys.readouterr().err
