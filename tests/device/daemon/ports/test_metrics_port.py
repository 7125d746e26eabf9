"""The metrics server follows the configured port."""

from __future__ import annotations

import socket
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from device.config.settings import StatusSettings
from device.daemon.ports.metrics_port import MetricsPort
from device.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def metrics() -> Iterator[MetricsPort]:
    made = MetricsPort(lambda: None)
    yield made
    made.close()


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def _serves(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            return b"auricle_hearing" in answer.read()
    except OSError:
        return False


def test_the_server_opens_moves_and_closes_with_the_configured_port(metrics: MetricsPort) -> None:
    first, second = _free_port(), _free_port()
    metrics.apply(StatusSettings())
    assert repr(metrics) == "MetricsPort(None)"
    metrics.apply(StatusSettings(metrics_port=first))
    assert _serves(first)
    metrics.apply(StatusSettings(metrics_port=second))
    assert (_serves(first), _serves(second)) == (False, True)
    metrics.apply(StatusSettings())
    assert not _serves(second)


def test_a_port_in_use_is_refused_and_the_old_one_serves_on(metrics: MetricsPort) -> None:
    first = _free_port()
    metrics.apply(StatusSettings(metrics_port=first))
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        with pytest.raises(ServiceError, match="metrics_port"):
            metrics.apply(StatusSettings(metrics_port=server.getsockname()[1]))
        assert _serves(first)
