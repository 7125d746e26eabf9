"""Whether the port for metrics can be had."""

from __future__ import annotations

import contextlib
import errno
import http.client
import importlib.util
import re
import socket
from typing import TYPE_CHECKING

from device.findings import Finding
from device.runtime.metrics.metrics_server import ADDRESS

if TYPE_CHECKING:
    from device.config.settings import StatusSettings
    from device.runtime.daemon_state import DaemonState

_ANSWERS_WITHIN_S = 2.0
_MOST_BYTES = 1 << 18
_OURS = re.compile(rb'^auricle_info\{[^\n]*\bname="([^"\n]*)"', re.MULTILINE)
_CURE = 'set "metrics_port" in [status] to a free port'


def check_metrics(settings: StatusSettings, instance: str, state: DaemonState | None) -> Finding:
    """Whether the port for metrics is free, or served by the running daemon.

    Args:
        settings: with the port.
        instance: name of the daemon.
        state: of the running daemon; None if none runs.
    """
    port = settings.metrics_port
    if port is None:
        return Finding("metrics", "ok", "none are served")
    if importlib.util.find_spec("prometheus_client") is None:
        return Finding("metrics", "failure", "prometheus-client is not installed", "install auricle[device]")
    error = _bind_error(port)
    if error is None:
        return Finding("metrics", "ok", f"port {port} of {ADDRESS} is free")
    if error.errno != errno.EADDRINUSE:
        why = "ports below 1024 are root's" if isinstance(error, PermissionError) else error.strerror or str(error)
        return Finding("metrics", "failure", f"port {port} of {ADDRESS} cannot be opened: {why}", _CURE)
    server = _instance_served(port)
    if server == instance and state is not None:
        return Finding("metrics", "ok", f"the daemon that runs serves them on port {port} of {ADDRESS}")
    by = "another program" if server is None else f"the instance {server}"
    cure = _CURE if server is not None else f"{_CURE}; sudo ss -ltnp says which program it is"
    return Finding("metrics", "failure", f"port {port} of {ADDRESS} is taken by {by}", cure)


def _bind_error(port: int) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            return error
    return None


def _instance_served(port: int) -> str | None:
    """Name of the instance whose metrics a port serves; None if it serves something else."""
    connection = http.client.HTTPConnection(ADDRESS, port, timeout=_ANSWERS_WITHIN_S)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/metrics")
        found = _OURS.search(connection.getresponse().read(_MOST_BYTES))
        return None if found is None else found[1].decode("ascii", "replace")
    return None
