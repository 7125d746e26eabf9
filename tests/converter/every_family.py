"""`make families`: every published design and reference from random weights to a bundle; some take minutes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.hearing.classifier import Classifier
from tests.converter.family_output import converted
from training.networks.catalog import all_forms

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", all_forms())
def test_a_form_converts_verifies_and_is_replayed_unless_its_frames_are_centred(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bundle, report = converted(name, tmp_path)
    record_property(name, f"{sum(report['operations'].values())} operations, {len(bundle.network) / 1024:.0f} KiB")


@pytest.mark.timeout(1800)
def test_attention_comes_out_as_scores_that_eight_bits_resolve(tmp_path: Path) -> None:
    bundle, _ = converted("han/published", tmp_path)
    with Classifier(bundle) as classifier:
        found = classifier.classify(bundle.golden[1].features)
    assert {name: values.shape for name, values in found.extras.items()} == {
        "band_scores": (62, 32),
        "time_scores": (62,),
    }
    assert all(len(np.unique(scores)) > 8 for scores in found.extras.values())
    assert found.probabilities.sum() == pytest.approx(1.0, abs=1e-5)
