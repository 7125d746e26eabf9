"""The metrics server, if the settings name a port for it; a reload may open, move or close it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.config.settings import StatusSettings
    from device.runtime.daemon_state import DaemonState
    from device.runtime.metrics import MetricsServer


class MetricsPort:
    """Opens, replaces and closes the metrics server.

    Args:
        state: returns the newest snapshot, from any thread; None before the first.
    """

    def __init__(self, state: Callable[[], DaemonState | None]) -> None:
        self._state = state
        self._port: int | None = None
        self._server: MetricsServer | None = None

    def __repr__(self) -> str:
        return f"MetricsPort({self._server!r})"

    def apply(self, settings: StatusSettings) -> None:
        """Serve on the configured port, if any; on an error the server stays as it was.

        Raises:
            MissingExtraError: prometheus-client is not installed.
            ServiceError: the port cannot be opened.
        """
        if settings.metrics_port == self._port:
            return
        fresh = self._open(settings.metrics_port)
        self.close()
        self._port, self._server = settings.metrics_port, fresh

    def close(self) -> None:
        """Close the server; idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _open(self, port: int | None) -> MetricsServer | None:
        if port is None:
            return None
        from device.runtime.metrics import MetricsServer  # most daemons serve none

        return MetricsServer(port, self._state)
