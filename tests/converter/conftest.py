"""Folders as training hands them over, small enough to convert in a second."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType


def _script() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "data" / "make_tiny_bundles.py"
    spec = importlib.util.spec_from_file_location("make_tiny_bundles", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_bundles() -> Any:
    """The script that makes the committed bundles."""
    return _script()


@pytest.fixture(scope="session")
def _tone_hand_over(tiny_bundles: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tone")
    tiny_bundles.hand_over(tiny_bundles.TONE, folder)
    return folder


@pytest.fixture
def tone_folder(_tone_hand_over: Path, tmp_path: Path) -> Path:
    """A hand-over of the tone network, to be spoilt at will."""
    return Path(shutil.copytree(_tone_hand_over, tmp_path / "trained"))
