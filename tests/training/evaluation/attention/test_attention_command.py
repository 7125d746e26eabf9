"""`python -m training attention` from a run folder to a picture, and to figures of a part."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import soundfile

from training.__main__ import main
from training.networks.han import LABELS
from training.networks.han import STREAMING_LOG_MEL as SPEC

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = SPEC.sample_rate_hz
COLUMNS = ("file", "set", "labels", "subject", "session", "split", "sr", "duration", "events", "note")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose attention is the static log-mel itself: it attends to what is loud."""
    folder = tmp_path_factory.mktemp("run")
    inputs = keras.Input((*SPEC.shape, 1))
    static = keras.layers.Reshape(SPEC.shape)(inputs)[..., : SPEC.static_bins]
    sharp = keras.layers.Rescaling(3.0)(static)
    loudness = keras.layers.GlobalMaxPooling1D(data_format="channels_first")(sharp)
    logits = keras.layers.Dense(len(LABELS), name="logits")(loudness)
    keras.Model(inputs, [logits, sharp, loudness]).save(folder / "best.keras")
    labels = [{"name": label} for label in LABELS]
    description = {"specs": [SPEC.to_dict()], "labels": labels, "output": "logits"}
    (folder / "description.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings of 5 s: a quiet hiss with a tone of 600 Hz from 2.5 s to 3.0 s, annotated as a wheeze."""
    folder = tmp_path_factory.mktemp("collection")
    time_s = np.arange(5 * RATE_HZ) / RATE_HZ
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(COLUMNS)
        for number in range(3):
            hiss = 0.001 * np.random.default_rng(number).standard_normal(len(time_s))
            tone = np.where((time_s >= 2.5) & (time_s < 3.0), 0.3 * np.sin(2 * np.pi * 600 * time_s), 0.0)
            soundfile.write(folder / f"{number}.wav", hiss + tone, RATE_HZ)
            events = json.dumps([[0.0, 2.5, "Normal"], [2.5, 3.0, "Wheeze"], [3.0, 5.0, "Normal"]])
            writer.writerow((f"{number}.wav", "mine", "CAS", f"p{number}", "", "", RATE_HZ, 5.0, events, ""))
    (folder / "split.csv").write_text(
        "file,subject,part\n0.wav,p0,test\n1.wav,p1,test\n2.wav,p2,train\n", encoding="utf-8"
    )
    return folder


def test_a_recording_is_drawn_with_the_seconds_and_the_band(
    run_folder: Path, collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "attention.png"
    given = ["attention", "--model", str(run_folder / "best.keras")]
    assert main([*given, "--recording", str(collection / "0.wav"), "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    lines = capsys.readouterr().out.splitlines()
    assert [float(line.split()[0]) for line in lines] == [0.0, 2.0, 3.0]
    words = lines[1].replace(",", "").split()
    start_s, end_s = (float(words[place]) for place in (words.index("from") + 1, words.index("from") + 3))
    assert 2.4 < start_s < end_s < 3.1
    low_hz, high_hz = (int(words[place]) for place in (words.index("and") + 2, words.index("and") + 4))
    assert low_hz < 600 < high_hz < 1200


def test_attention_on_annotated_events_is_measured_on_the_tested_part(
    run_folder: Path, collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["attention", "--model", str(run_folder / "best.keras"), "--data", str(collection)]
    assert main([*given, "--split", str(collection / "split.csv"), "--json", str(tmp_path / "worth.json")]) == 0
    figures = {one["measure"]: one for one in json.loads((tmp_path / "worth.json").read_text())["figures"]}
    assert figures["attention within events"]["value"] > 0.9
    assert figures["time within events"]["value"] < 0.3
    assert figures["attention within events"]["subjects"] == 2
    assert figures["entropy of attention"]["items"] == 4
    assert "attention within events, windows with an event: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "give either --recording and --out, or --data and --split"),
        (["--recording", "a.wav"], "--recording needs --out, where the picture goes"),
        (["--data", "d"], "--data needs --split, which says who is tested"),
    ],
)
def test_what_is_missing_is_said(
    run_folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert main(["attention", "--model", str(run_folder / "best.keras"), *options]) == 2
    assert capsys.readouterr().err == f"training attention: {sentence}\n"


def test_a_model_without_its_run_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["attention", "--model", str(tmp_path / "x.keras"), "--recording", "a.wav", "--out", "a.png"]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert said.endswith("description.json describes no network of one input: give the model in its run folder\n")
