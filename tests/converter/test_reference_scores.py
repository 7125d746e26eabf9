"""Reference scores: read back as written, refused with a sentence where they do not fit, and what they find."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter.convert import convert
from converter.training_output import read_training_output
from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.reference import WINDOWS, read_reference, reference_entries
from device.hearing.bundle.writer import write_bundle
from device.hearing.classifier import Classifier, case_features
from device.hearing.network.graph import read_graph
from device.tools.models.models_command import verify

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle


@pytest.fixture(scope="module")
def converted(tiny_bundles: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("reference")
    tiny_bundles.hand_over(tiny_bundles.LOW, folder)
    report = convert(read_training_output(folder), folder / "low.tflite")
    assert report["reference"]["stored"], report["reference"]
    return folder / "low.tflite"


def _with_altered_layer(bundle: Bundle) -> Bundle:
    """Its largest layer's weights negated, its golden scores renewed: every hash and golden vector holds again."""
    with Classifier(bundle) as classifier:
        graph = read_graph(bundle.network)
        interpreter = classifier._forward._graph._interpreter  # type: ignore[union-attr]
        details = interpreter.get_tensor_details()
        constants = [
            each
            for each in details
            if graph.tensors[each["index"]].kind == "INT8" and graph.tensors[each["index"]].constant_bytes
        ]
        largest = max(constants, key=lambda each: graph.tensors[each["index"]].constant_bytes)
        weights = interpreter.get_tensor(largest["index"])
    assert bundle.network.count(weights.tobytes()) == 1
    network = bundle.network.replace(weights.tobytes(), np.clip(-weights.astype(int), -127, 127).astype("i1").tobytes())
    altered = replace(bundle, network=network)
    with Classifier(altered) as classifier:
        golden = tuple(
            replace(case, probabilities=classifier.classify(case_features(bundle, case)).probabilities)
            for case in bundle.golden
        )
    return replace(altered, golden=golden)


def test_a_converted_bundle_repeats_the_gate_on_512_windows(converted: Path) -> None:
    lines = list(verify(str(converted)))
    assert f"the network agrees with the trained one on {WINDOWS} reference windows:" in lines
    assert any("low" in line and "equal decisions" in line for line in lines)


def test_a_bundle_without_reference_scores_verifies_by_golden_vectors_and_says_so(tiny_bundle_path: Path) -> None:
    lines = list(verify(str(tiny_bundle_path)))
    assert "no reference scores in the bundle: the golden numbers alone were checked" in lines
    assert lines[-1].endswith("is sound")


def test_an_altered_layer_is_refused_with_its_figure_and_limit(converted: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "bad.tflite", _with_altered_layer(read_bundle(converted)))
    with pytest.raises(BundleError, match=r"low: mean difference between float and int8 is 0\.\d+, may be 0\.02"):
        list(verify(str(tmp_path / "bad.tflite")))


def test_labels_in_another_order_are_refused(converted: Path, tmp_path: Path) -> None:
    bundle = read_bundle(converted)
    with pytest.raises(BundleError, match="count and order must agree"):
        write_bundle(tmp_path / "swapped.tflite", replace(bundle, labels=bundle.labels[::-1]))


def test_entries_come_back_as_written_or_are_refused(converted: Path) -> None:
    bundle = read_bundle(converted)
    assert bundle.reference is not None
    entries = reference_entries(bundle.reference)
    read = read_reference(entries, bundle.specs, bundle.label_names)
    assert read is not None
    for new, old in zip(read.windows(), bundle.reference.windows(), strict=True):
        np.testing.assert_array_equal(new, old)
    assert sum(map(len, entries.values())) < 110_000
    for name, data in entries.items():
        with pytest.raises(BundleError, match="reference"):
            read_reference(entries | {name: data[:-1]}, bundle.specs, bundle.label_names)
        with pytest.raises(BundleError, match="must be"):
            read_reference({key: entries[key] for key in entries if key != name}, bundle.specs, bundle.label_names)


def test_reference_scores_out_of_range_are_refused(converted: Path) -> None:
    bundle = read_bundle(converted)
    assert bundle.reference is not None
    for wrong in (np.nan, 1.5, -0.1):
        scores = bundle.reference.probabilities.copy()
        scores[3, 0] = wrong
        entries = reference_entries(replace(bundle.reference, probabilities=scores))
        with pytest.raises(BundleError, match="not 0 to 1"):
            read_reference(entries, bundle.specs, bundle.label_names)
