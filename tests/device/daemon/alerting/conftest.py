"""The stage on which the alerting room is tested."""

from __future__ import annotations

import pytest

from tests.device.daemon.alerting.stage import Stage


@pytest.fixture
def stage() -> Stage:
    """With journal, broker, pins and clips."""
    return Stage()
