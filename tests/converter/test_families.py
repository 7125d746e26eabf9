"""Families of the bench become verified bundles that are wholly int8, and are heard; `make families` tries all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.converter.family_output import converted

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cnn_bilstm/streaming", "residual_dual/streaming"])
def test_a_family_converts_verifies_and_is_replayed(name: str, tmp_path: Path) -> None:
    bundle, report = converted(name, tmp_path)
    assert len(report["agreement"]) == len(bundle.labels) == 2
