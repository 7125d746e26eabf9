"""What differs between two bundles is named, each thing on a line, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from converter.__main__ import main
from converter.inspection.differences import differences
from converter.signing import sign_bundle
from device.hearing.bundle.reader import read_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle
    from tests.signing_keys import KeyPair


@pytest.fixture
def bundle(tiny_bundle_path: Path) -> Bundle:
    return read_bundle(tiny_bundle_path)


def test_a_bundle_does_not_differ_from_itself(
    bundle: Bundle, tiny_bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert differences(bundle, bundle) == []
    assert main(["diff", str(tiny_bundle_path), str(tiny_bundle_path)]) == 0
    assert capsys.readouterr().out == "they hold the same\n"


def test_an_operating_point_a_card_and_a_golden_score_are_named(bundle: Bundle) -> None:
    (label,) = bundle.labels
    case = bundle.golden[0]
    other = replace(
        bundle,
        version="1.1.0",
        labels=(replace(label, operating_point=replace(label.operating_point, on=0.75)),),
        golden=(replace(case, probabilities=case.probabilities + 0.25), *bundle.golden[1:]),
        card=dict(bundle.card) | {"licence": "MIT", "data": None},
    )
    assert differences(bundle, other) == [
        'version: "1.0.0" -> "1.1.0"',
        "label tone: operating_point.on: 0.5 -> 0.75",
        "golden case silence: scores differ by up to 0.2500",
        'card: licence: "Apache-2.0" -> "MIT"',
        "card: data: [] -> null",
    ]


def test_another_network_and_other_features_are_named_with_figures(bundle: Bundle, tiny_low_bundle_path: Path) -> None:
    found = differences(bundle, read_bundle(tiny_low_bundle_path))
    for line in (
        'name: "tiny-tone" -> "tiny-low"',
        "network: other bytes",
        "inputs: 2 -> 1",
        "features of input_0: sample_rate_hz: 16000 -> 8000",
        'labels: ["tone"] -> ["low", "normal"]',
    ):
        assert line in found
    assert any(line.startswith("network: multiplications: ") for line in found)


def test_of_a_signed_copy_only_the_signature_differs(
    bundle: Bundle, tiny_bundle_path: Path, tmp_path: Path, maker: KeyPair
) -> None:
    key_id = sign_bundle(tiny_bundle_path, maker.private, tmp_path / "signed.tflite")
    assert differences(bundle, read_bundle(tmp_path / "signed.tflite")) == [f'signer: "" -> "{key_id}"']


def test_backbone_and_head_are_compared_each_alone(carrying_bundle_paths: tuple[Path, Path], bundle: Bundle) -> None:
    cry, scream = map(read_bundle, carrying_bundle_paths)
    found = differences(cry, scream)
    assert "head: other bytes" in found
    assert not any(line.startswith(("backbone", "parts")) for line in found)
    assert any(line.startswith("golden case cry-begins: scores differ by up to 0.") for line in found)
    (parts,) = (line for line in differences(cry, bundle) if line.startswith("parts: "))
    assert "backbone and head, a past of 3 x 8, 0.5 s apart" in parts
