"""The metrics server follows the configured port."""

from __future__ import annotations

import socket
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from device.config.loading import parse_config
from device.daemon.ports.metrics_port import MetricsPort
from device.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.config.settings import Settings


@pytest.fixture
def metrics() -> Iterator[MetricsPort]:
    made = MetricsPort("anna", lambda: None)
    yield made
    made.close()


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


def _settings(port: int | None = None, text: str = "") -> Settings:
    status = "" if port is None else f"[status]\nmetrics_port = {port}\n"
    return parse_config(f'profile = "nursery"\n{status}{text}', source="anna.toml")


def _text(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        return str(answer.read().decode())


def _serves(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            return b"auricle_hearing" in answer.read()
    except OSError:
        return False


def test_the_server_opens_moves_and_closes_with_the_configured_port(metrics: MetricsPort) -> None:
    first, second = _free_port(), _free_port()
    metrics.apply(_settings())
    assert repr(metrics) == "MetricsPort(None)"
    metrics.apply(_settings(first))
    assert _serves(first)
    metrics.apply(_settings(second))
    assert (_serves(first), _serves(second)) == (False, True)
    metrics.apply(_settings())
    assert not _serves(second)


def test_a_port_in_use_is_refused_and_the_old_one_serves_on(metrics: MetricsPort) -> None:
    first = _free_port()
    metrics.apply(_settings(first))
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        with pytest.raises(ServiceError, match="metrics_port"):
            metrics.apply(_settings(server.getsockname()[1]))
        assert _serves(first)


def test_the_room_on_the_disk_of_what_is_kept_follows_a_reload(metrics: MetricsPort, tmp_path: Path) -> None:
    port = _free_port()
    files = f'[journal]\nfile = "{tmp_path}/alarms.db"\n[log]\nfile = "{tmp_path}/heard.jsonl"\n'
    metrics.apply(_settings(port, files))
    assert 'auricle_disk_free_bytes{holds="journal"} ' in _text(port)
    assert 'auricle_disk_free_bytes{holds="log"} ' in _text(port)
    metrics.apply(_settings(port, f'[journal]\nfile = "off"\n[log]\nfile = "{tmp_path}/heard.jsonl"\n'))
    assert "journal" not in "".join(line for line in _text(port).splitlines() if "disk_free_bytes{" in line)
