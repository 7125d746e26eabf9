"""The command line: results on stdout, one line on stderr, exit code 2 for what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from converter.__main__ import main
from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.network.graph import read_graph
from tests.converter.tone_sounds import write_sounds

ROOT = Path(__file__).resolve().parents[2]


def test_it_writes_bundle_and_report(tone_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, report = tmp_path / "tone.tflite", tmp_path / "report.json"
    assert main(["convert", str(tone_folder), "--out", str(out), "--report", str(report)]) == 0
    said = capfd.readouterr()
    assert said.err == ""
    assert said.out.startswith(f"{out}: verified, network ")
    assert "  tone: mean |dp| 0.0" in said.out
    assert read_bundle(out).card["conversion"] == json.loads(report.read_text(encoding="utf-8"))


def test_a_refusal_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(tmp_path), "--out", str(tmp_path / "x.tflite")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"converter: {tmp_path}: model.keras is missing; the folder must be what training wrote\n"


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        main(["convert", str(tmp_path), "--out", str(tmp_path / "x.tflite"), "--debug"])


def test_a_folder_that_cannot_be_written_is_exit_code_2(
    tone_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(tone_folder), "--out", str(tmp_path / "no" / "x.tflite")]) == 2
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("option", ["--out", "--report"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_read(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was told after the conversion, minutes later."""
    given = {"--out": tmp_path / "x.tflite", "--report": tmp_path / "x.json"}
    for place, sentence in (
        (
            tmp_path / "no" / "x",
            f"converter: {option} {tmp_path}/no/x: there is no folder {tmp_path}/no; make it first\n",
        ),
        (tmp_path, f"converter: {option} {tmp_path} is a folder: name the file to write in it\n"),
    ):
        words = [word for name, file in (given | {option: place}).items() for word in (name, str(file))]
        assert main(["convert", str(tmp_path / "not read"), *words]) == 2
        assert capsys.readouterr().err == sentence


def test_inspect_says_what_a_bundle_holds(tiny_bundle_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tiny_bundle_path)]) == 0
    said = capsys.readouterr().out
    for part in (
        "tiny-tone 1.0.0, 16000 Hz, windows of 32000 samples",
        "label tone: alarm, high, on 0.5, off 0.3",
        "input_1: 62 x 8, 8 MFCC of 24 mel, hop 500",
        "golden cases: silence (0.00",
        "   2 CONV_2D",
        "out INT8 1 x 1, step 0.0",
        "widest steps:",
        "  no operation",
        "million multiplications (MAC); one core, by arithmetic and not measured:",
        "  Pi Zero 2 W  0.",
        "M / 4.44 to 5.88 G a second = ",
    ):
        assert part in said


def test_inspect_shows_both_parts_of_a_network_that_carries_its_past(
    carrying_bundle_paths: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(carrying_bundle_paths[0])]) == 0
    said = capsys.readouterr().out
    for part in (
        "carries a past of 3 x 8 from window to window, 0.5 s apart",
        "bytes, gives 8, sha256 ",
        "golden sequence: cry-begins, 7 windows",
        "--- backbone",
        "--- head",
        " in INT8 1 x 3 x 8, step 0.0",
        "out INT8 1 x 3 x 8, step 0.0",
    ):
        assert part in said


def test_inspect_refuses_what_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / "no.tflite")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_it_runs_as_a_module_and_imports_tensorflow_late() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "converter", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "usage: python -m converter" in done.stdout
    assert "tensorflow" not in done.stderr


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (["--input-type", "float32"], "FLOAT32"),
        (["--quantize", "dynamic"], "FLOAT32"),
        (["--quantize", "float16"], "FLOAT32"),
    ],
)
def test_other_quantizations_are_bundles_as_well(
    tone_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], options: list[str], kind: str
) -> None:
    out = tmp_path / "tone.tflite"
    assert main(["convert", str(tone_folder / "model.keras"), "--out", str(out), *options]) == 0
    assert capfd.readouterr().err == ""
    bundle = read_bundle(out)
    graph = read_graph(bundle.network)
    assert {graph.tensors[index].kind for index in graph.inputs} == {kind}
    assert bundle.card["conversion"]["quantization"] == (options[1] if options[0] == "--quantize" else "int8")


def test_recordings_calibrate_and_compare(tone_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A description elsewhere, a bare network, and sounds sorted into folders: no archive of windows is needed."""
    for name in ("calibration.npz", "agreement.npz"):
        (tone_folder / name).unlink()
    spec = (tone_folder / "description.json").rename(tmp_path / "spec.json")
    write_sounds(tmp_path / "sounds", np.random.default_rng(0), windows=260)
    out = tmp_path / "tone.tflite"
    words = ["--spec", str(spec), "--calibration", str(tmp_path / "sounds"), "--out", str(out)]
    assert main(["convert", str(tone_folder / "model.keras"), *words]) == 0
    report = read_bundle(out).card["conversion"]
    assert (report["calibration_windows"], report["agreement_windows"]) == (512, 520)
    assert report["agreement"][0]["auc_float"] > 0.99
    capfd.readouterr()
