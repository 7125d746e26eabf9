"""`auricle classify`: its document says what a replay of the same recording writes, and its refusals are one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.__main__ import main

RATE_HZ = 22050


@pytest.fixture
def bundle(tmp_path: Path, tiny_bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    samples = 1e-3 * np.random.default_rng(0).standard_normal(16 * RATE_HZ)
    samples[5 * RATE_HZ : 10 * RATE_HZ] += 0.3 * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE_HZ) / RATE_HZ)
    soundfile.write("tone.wav", samples, RATE_HZ)
    samples[10 * RATE_HZ :] = 0
    soundfile.write("deaf.wav", samples, RATE_HZ)
    Path("cut.wav").write_bytes(Path("tone.wav").read_bytes()[: 12 * RATE_HZ * 2])
    Path("text.wav").write_text("no sound at all, but long enough to look like some")
    return str(tiny_bundle_path)


@pytest.mark.parametrize("name", ["tone.wav", "deaf.wav", "cut.wav"])
def test_the_document_says_what_a_replay_writes(name: str, bundle: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["replay", "--model", bundle, "--events", "e.jsonl", "--scores", "s.csv", name])
    said = capfd.readouterr().err
    assert main(["classify", "--model", bundle, "--json", name]) == code == (2 if name == "cut.wav" else 0)
    answer = json.loads((captured := capfd.readouterr()).out)
    lines = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in answer["events"])
    assert lines == Path("e.jsonl").read_text(encoding="utf-8") != ""
    rows = list(csv.DictReader(Path("s.csv").read_text(encoding="utf-8").splitlines()))
    written = [{k: f"{v:.6f}" if isinstance(v, float) else v for k, v in row.items()} for row in answer["scores"]]
    assert written == rows != []
    assert bool(answer["faults"]) == (name == "deaf.wav")
    assert (answer["error"] is not None) == (name == "cut.wav")
    if name == "cut.wav":
        assert captured.err == f"auricle: {answer['error']}\n"
        assert captured.err in said


@pytest.mark.parametrize(
    "words", [["text.wav"], ["gone.wav"], ["--profile", "x", "tone.wav"], ["--model", "x", "tone.wav"]]
)
def test_a_refusal_is_one_line_and_no_document(
    words: list[str], bundle: str, capfd: pytest.CaptureFixture[str]
) -> None:
    given = words if "--model" in words else ["--model", bundle, *words]
    assert main(["classify", "--json", *given]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("auricle: ")
    assert captured.err.count("\n") == 1


def test_without_json_it_writes_the_lines_of_a_replay(bundle: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--model", bundle, "tone.wav"]) == 0
    lines = capfd.readouterr().out
    assert main(["classify", "--model", bundle, "tone.wav"]) == 0
    assert capfd.readouterr().out == lines != ""


def test_the_loudness_alarm_is_in_the_document(bundle: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("loud.toml").write_text("[loudness]\nlevel_dbfs = -20\n")
    assert main(["classify", "--config", "loud.toml", "--model", bundle, "--json", "tone.wav"]) == 0
    answer = json.loads(capfd.readouterr().out)
    loud = [(event["phase"], event["priority"]) for event in answer["events"] if event["label"] == "loud"]
    assert loud == [("begin", "medium"), ("end", "medium")]
    assert len([row for row in answer["scores"] if row["label"] == "loud"]) == 32
