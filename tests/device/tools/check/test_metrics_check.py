"""The port for metrics: free, served by the daemon itself, or taken."""

from __future__ import annotations

import dataclasses
import socket
from typing import TYPE_CHECKING

from device.config.settings import StatusSettings
from device.findings import Finding
from device.runtime.metrics.metrics_server import MetricsServer
from device.tools.check.metrics_check import check_metrics

if TYPE_CHECKING:
    from device.runtime.daemon_state import DaemonState


def test_no_port_is_no_trouble() -> None:
    assert check_metrics(StatusSettings(), "anna", None) == Finding("metrics", "ok", "none are served")


def test_a_port_that_another_program_has_is_named_with_the_key() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        expected = Finding(
            "metrics",
            "failure",
            f"port {port} of 127.0.0.1 is taken by another program",
            'set "metrics_port" in [status] to a free port; sudo ss -ltnp says which program it is',
        )
        assert check_metrics(StatusSettings(port), "anna", None) == expected
    assert check_metrics(StatusSettings(port), "anna", None).summary == f"port {port} of 127.0.0.1 is free"


def test_a_daemon_that_serves_them_has_its_own_port_and_no_other_may(state: DaemonState) -> None:
    with MetricsServer(0, lambda: dataclasses.replace(state, instance="anna")) as server:
        own = check_metrics(StatusSettings(server.port), "anna", state)
        assert own == Finding("metrics", "ok", f"the daemon that runs serves them on port {server.port} of 127.0.0.1")
        other = check_metrics(StatusSettings(server.port), "ben", None)
    assert other == Finding(
        "metrics",
        "failure",
        f"port {server.port} of 127.0.0.1 is taken by the instance anna",
        'set "metrics_port" in [status] to a free port',
    )
