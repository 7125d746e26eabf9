"""Runs made from scratch become a page: what passes, what does not and why, what it costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from converter import toolchain
from converter.__main__ import main
from converter.inspection.graph_cost import operation_costs
from converter.report.run_conversion import convert_run
from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.network.graph import read_graph
from tests.converter.carrying_network import hand_over
from tests.converter.family_output import FEW
from tests.converter.report.finished_run import finished_run
from training.results.converted_runs import find_converted

if TYPE_CHECKING:
    from pathlib import Path


def report(folder: Path) -> str:
    words = ["report", str(folder / "runs"), "--windows", str(folder / "windows")]
    assert main([*words, "--work", str(folder / "work"), "--out", str(folder / "page" / "REPORT.md")]) == 0
    return (folder / "page" / "REPORT.md").read_text(encoding="utf-8")


def wild(windows: Path) -> None:
    """One calibration window stretches the range until everything else falls on a few steps."""
    with np.load(windows / "calibration.npz") as file:
        arrays = {name: file[name].copy() for name in file.files}
    for array in arrays.values():
        array[0] *= 1000.0
    np.savez(windows / "calibration.npz", **arrays)


@pytest.mark.timeout(900)
def test_the_page_says_what_passes_what_does_not_and_what_both_cost(
    tone_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished_run(tone_folder, tmp_path, "good-1")
    wild(finished_run(tone_folder, tmp_path, "wild-1", system="han")[1])
    page = report(tmp_path)
    good = next(line for line in page.splitlines() if line.startswith("| `good-1` | `cnn_bilstm/published` | own | "))
    assert good.startswith("| `good-1` | `cnn_bilstm/published` | own | passes | all in int8, ")
    assert good.endswith(" KiB | yes |")
    wild_line = next(line for line in page.splitlines() if line.startswith("| `wild-1` | `han/published` | own | no: "))
    assert wild_line.split(" | ")[4].startswith(("with ", "weights alone in "))
    assert "| - | `transfer` | - | unknown: no run of it is among them | - | - |" in page
    assert "; agreement window " in page  # which window and layer broke it
    costs = next(line for line in page.splitlines() if line.startswith("| `cnn_bilstm/published` | ")).split(" | ")
    assert all(float(one) > 0 for cell in costs[6:9] for one in cell.strip(" |").split(" / "))
    assert "| `good-1` | 512 | 0.0" in page
    assert read_bundle(tmp_path / "work" / "good-1" / "good-1.tflite").name == "tiny-tone"
    other = read_bundle(tmp_path / "work" / "wild-1" / "wild-1.tflite").card["conversion"]
    assert other["quantization"] != "int8"
    assert other["tries"][0]["refused"] is not None
    assert str(tmp_path) not in page
    told = capsys.readouterr().out
    assert "good-1: passes\n" in told
    assert ", it passes\n" in told
    found = find_converted(tmp_path / "work")  # what training's own page reads
    assert found["good-1"].refused is None
    assert found["wild-1"].refused is not None
    assert found["wild-1"].test is not None
    before = (tmp_path / "work" / "good-1" / "network.tflite").stat().st_mtime_ns
    assert report(tmp_path) == page
    assert (tmp_path / "work" / "good-1" / "network.tflite").stat().st_mtime_ns == before


def test_a_network_in_two_parts_is_judged_on_its_sequences_and_measured_whole(tmp_path: Path) -> None:
    (tmp_path / "trained").mkdir()
    hand_over(tmp_path / "trained", length=8)
    run, windows = finished_run(tmp_path / "trained", tmp_path, "cry-1", labels=["cry"], thresholds={"cry": 0.5})
    found = convert_run(run, windows, tmp_path / "work", bounds=FEW)
    assert found["refused"] is None
    bundle = read_bundle(tmp_path / "work" / "cry-1.tflite")
    assert bundle.head is not None
    assert (tmp_path / "work" / "network.tflite").read_bytes() == bundle.network
    assert (tmp_path / "work" / "network-head.tflite").read_bytes() == bundle.head.network
    assert found["int8_bytes"] == bundle.network_bytes
    parts = [read_graph(each) for each in (bundle.network, bundle.head.network)]
    assert found["macs"] == sum(cost.macs for part in parts for cost in operation_costs(part))
    assert found["test"]["mean_difference"] < FEW.mean_difference


def test_a_network_that_the_device_does_not_run_is_a_row_that_names_the_operation(
    tone_folder: Path, tmp_path: Path
) -> None:
    run, windows = finished_run(tone_folder, tmp_path)
    keras = toolchain.keras()
    with toolchain.quietly():
        model = keras.saving.load_model(run / "model.keras", compile=False)
        keras.Model(model.inputs, keras.ops.round(model.outputs[0])).save(run / "model.keras")
    found = convert_run(run, windows, tmp_path / "work")
    assert found["refused"].startswith("it does not convert: the graph holds a ROUND operation")
    assert "passes" not in found
    assert "test" not in found
    assert json.loads((tmp_path / "work" / "conversion.json").read_text()) == found


def test_windows_that_are_not_those_of_the_run_are_refused(tone_folder: Path, tmp_path: Path) -> None:
    run, windows = finished_run(tone_folder, tmp_path)
    with np.load(windows / "test.npz") as file:
        arrays = {name: file[name][::-1] for name in file.files}
    np.savez(windows / "test.npz", **arrays)
    with pytest.raises(BundleError, match="Keras gives its test windows other scores than predictions"):
        convert_run(run, windows, tmp_path / "work")


def test_a_run_without_windows_is_a_row_and_the_others_stand(tone_folder: Path, tmp_path: Path) -> None:
    _, windows = finished_run(tone_folder, tmp_path)
    (windows / "test.npz").unlink()
    assert "no: it was not converted: " in report(tmp_path)


def test_a_folder_without_runs_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["report", str(tmp_path), "--windows", str(tmp_path), "--out", str(tmp_path / "page.md")]
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
