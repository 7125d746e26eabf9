"""The metrics server, if the settings name a port for it; a reload may open, move or close it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.runtime.paths import kept_folders

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from device.config.settings import Settings
    from device.runtime.daemon_state import DaemonState
    from device.runtime.metrics.metrics_server import MetricsServer


class MetricsPort:
    """Opens, replaces and closes the metrics server.

    Args:
        instance: name of the daemon.
        state: returns the newest snapshot, from any thread; None before the first.
    """

    def __init__(self, instance: str, state: Callable[[], DaemonState | None]) -> None:
        self._instance = instance
        self._state = state
        self._port: int | None = None
        self._folders: Mapping[str, Path] = {}
        self._server: MetricsServer | None = None

    def __repr__(self) -> str:
        return f"MetricsPort({self._server!r})"

    def apply(self, settings: Settings) -> None:
        """Serve on the configured port, if any; on an error the server stays as it was.

        Raises:
            MissingExtraError: prometheus-client is not installed.
            ServiceError: the port cannot be opened.
        """
        port = settings.status.metrics_port
        if port != self._port:
            fresh = self._open(port)
            self.close()
            self._port, self._server = port, fresh
        self._folders = kept_folders(settings, self._instance)

    def close(self) -> None:
        """Close the server; idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _open(self, port: int | None) -> MetricsServer | None:
        if port is None:
            return None
        from device.runtime.metrics.machine_figures import machine_figures  # most daemons serve none
        from device.runtime.metrics.metrics_server import MetricsServer

        return MetricsServer(port, self._state, lambda: machine_figures(self._folders))
