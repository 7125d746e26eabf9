"""A client that publishes what is owed, an authority, and a broker at an address of IPv6."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.broker.authority import Authority
from tests.system.broker.telling import Telling

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.conftest import Mosquitto


@pytest.fixture
def telling() -> Iterator[Telling]:
    made = Telling()
    yield made
    made.close()


@pytest.fixture
def authority(private_folder: Path) -> Authority:
    return Authority(private_folder)


@pytest.fixture
def ipv6_broker(private_folder: Path) -> Iterator[Mosquitto]:
    from tests.system.conftest import Mosquitto

    running = Mosquitto(private_folder, address="::1")
    running.start()
    yield running
    running.kill()
