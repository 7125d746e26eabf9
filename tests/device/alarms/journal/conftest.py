"""An empty journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.alarms.journal.store import Journal
from tests.device.alarms.journal.journal_files import BIG_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with Journal.open(path, max_bytes=BIG_BYTES) as opened:
        yield opened
