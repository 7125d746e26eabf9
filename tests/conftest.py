"""What tests of all packages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.signing_keys import KeyPair, write_key_pair

# Speed is never asserted: a busy machine breaks no law.
settings.register_profile("auricle", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# In CI the same examples every time, so that a red run can be repeated; new ones are sought wherever else tests run.
settings.register_profile("ci", settings.get_profile("auricle"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "auricle")

SHARED = Path(__file__).resolve().parents[2] / "shared"
TINY = Path(__file__).with_name("data")
"""Bundles that `make_tiny_bundles.py` there writes."""


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


@pytest.fixture(scope="session")
def tiny_bundle_path() -> Path:
    """A bundle at 16 kHz (2 s windows, log-mel and MFCC) whose one label `tone` is a steady tone of 1 kHz."""
    return TINY / "tiny-tone.tflite"


@pytest.fixture(scope="session")
def tiny_low_bundle_path() -> Path:
    """A bundle at 8 kHz (2 s windows, log-mel): `low` (alarm) is a tone of 100 to 600 Hz, `normal` (reject) is not."""
    return TINY / "tiny-low.tflite"


@pytest.fixture(scope="session")
def carrying_bundle_paths() -> tuple[Path, Path]:
    """Two bundles at 4 kHz (2 s windows, log-mel) that carry their past and have one backbone: `cry` and `scream`."""
    return TINY / "carrying-cry.tflite", TINY / "carrying-scream.tflite"


@pytest.fixture
def maker(tmp_path: Path) -> KeyPair:
    """The keys of whoever makes bundles that a device trusts."""
    return write_key_pair(tmp_path, "maker", bytes(range(32)))


@pytest.fixture
def stranger(tmp_path: Path) -> KeyPair:
    """The keys of somebody else."""
    return write_key_pair(tmp_path, "stranger", bytes(range(1, 33)))
