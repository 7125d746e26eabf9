"""What tests of all packages share."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real recordings; their absence is a failure, never a skip."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.fail("the recordings for tests are missing: ../shared/data beside the checkout must hold them")
    return folder


@pytest.fixture(scope="session")
def peers_dir() -> Path:
    """Networks of others, to measure against; their absence is a failure, never a skip."""
    folder = SHARED / "peers"
    if not folder.is_dir():
        pytest.fail("the peer networks for tests are missing: ../shared/peers beside the checkout must hold them")
    return folder
