"""The bytes of a committed bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def file(tiny_low_bundle_path: Path) -> bytes:
    return tiny_low_bundle_path.read_bytes()
