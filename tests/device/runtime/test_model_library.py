"""Shipped bundles, paths of bundles, and how exactly one runs on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from device.runtime.model_library import bundle_path, card_line, golden_deviations, shipped_bundles

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 12_000_000


def test_every_shipped_bundle_states_its_terms_and_figures() -> None:
    for path in shipped_bundles().values():
        bundle = read_bundle(path)
        assert "does not say" not in card_line(bundle, "licence")
        assert "does not say" not in card_line(bundle, "headline")


def test_the_shipped_bundles_have_at_most_12_megabytes_together() -> None:
    assert sum(path.stat().st_size for path in shipped_bundles().values()) <= MOST_BYTES


def test_every_shipped_bundle_is_found_by_its_name_and_has_it() -> None:
    for name, path in shipped_bundles().items():
        assert bundle_path(name) == path
        assert read_bundle(path).name == name


def test_a_name_that_is_not_shipped_lists_those_that_are() -> None:
    with pytest.raises(BundleError, match=r"no bundle is named 'cries'; shipped are .*cry"):
        bundle_path("cries")


def test_a_sound_bundle_deviates_little_from_each_golden_case(tiny_bundle_path: Path) -> None:
    bundle = read_bundle(tiny_bundle_path)
    with Classifier.open(bundle) as classifier:
        deviations = list(golden_deviations(bundle, classifier))
    assert [deviation.case for deviation in deviations] == [case.name for case in bundle.golden]
    assert all(deviation.features is not None and deviation.features < 1e-4 for deviation in deviations)
    assert all(deviation.scores < 0.02 for deviation in deviations)
