"""Calls a service elsewhere while the daemon hears, so that it notices silence: of daemon, Pi or network."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from device.errors import AuricleError
from device.printable import printable
from device.push.services.delivery_error import DeliveryError
from device.push.services.https_client import HttpsClient
from device.push.services.server_address import parse_address
from device.runtime.secrets.secret_files import read_line, secret_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.config.push.watcher_settings import WatcherSettings
    from device.push.services.delivery_error import Obstacle

CREDENTIAL_NAME = "watcher-url"
_KEY = ("watcher", "url_file")


class OutsideWatcher:
    """A thread that calls.

    Args:
        settings: how often, and where the URL is.
        hears: whether the daemon has just said that a cry would be detected; from the thread.

    Attributes:
        problem: why the newest call failed; empty if it succeeded, or there was none.
        since_s: when the failures began, monotonic; None while there are none.
        refused: people must correct something.
    """

    def __init__(self, settings: WatcherSettings, hears: Callable[[], bool]) -> None:
        self.problem = ""
        self.since_s: float | None = None
        self.refused = False
        self._settings = settings
        self._hears = hears
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"OutsideWatcher({self.problem or 'well'})"

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Call no more."""
        self._closed.set()

    def call(self) -> None:
        """Call once.

        Raises:
            ConfigError: there is no URL.
            DeliveryError: the service did not answer with success.
        """
        path = secret_path(self._settings.url_file, CREDENTIAL_NAME)
        if path is None:
            raise DeliveryError("refused", f"[watcher] has no URL: systemd provides no credential {CREDENTIAL_NAME}")
        address = parse_address(read_line(path, _KEY), 'the "url_file" of [watcher]')
        answer = HttpsClient(address).request("GET", address.path)
        if not 200 <= answer.status < 300:
            obstacle: Obstacle = "refused" if answer.status < 500 and answer.status != 429 else "busy"
            raise DeliveryError(obstacle, f"the watcher {address.host} answers with HTTP {answer.status}")

    def _run(self) -> None:
        while not self._closed.is_set():
            if self._hears():
                self._try()
                self._closed.wait(self._settings.every_s)
            else:
                self._closed.wait(1.0)

    def _try(self) -> None:
        try:
            self.call()
        except (DeliveryError, AuricleError, OSError) as error:
            self.problem = printable(str(error))
            self.refused = not isinstance(error, DeliveryError) or error.obstacle == "refused"
            self.since_s = time.monotonic() if self.since_s is None else self.since_s
        else:
            self.problem, self.since_s, self.refused = "", None, False
