"""A real `auricle web` in its own process beside a running daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.system.running_daemon import AURICLE
from tests.system.web_process import WebProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.running_daemon import RunningDaemon


class RunningPage(WebProcess):
    """The page of one daemon.

    Args:
        daemon: whose page it is; it need not run.
        wrapper: a command that runs it, as a tracer.
    """

    def __init__(self, daemon: RunningDaemon, wrapper: Sequence[str] = ()) -> None:
        super().__init__(daemon.config_path, daemon.environment)
        self.daemon = daemon
        self._wrapper = wrapper

    def command(self) -> list[str]:
        """What starts it."""
        options = ["--config", str(self.config), "--listen", f"127.0.0.1:{self.port}"]
        return [*self._wrapper, str(AURICLE), "web", *options]
