"""A page beside the daemon that a test module starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.operation.running_page import RunningPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.running_daemon import RunningDaemon


@pytest.fixture
def served(daemon: RunningDaemon) -> Iterator[RunningPage]:
    """The page of the module's `daemon`."""
    with RunningPage(daemon) as served:
        yield served
