"""Opens models beside the main loop, which must not wait for a disk. Knows no listener."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from device.runtime.model_loader import open_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.config.settings import Settings
    from device.runtime.model_loader import OpenModels

    Work = Callable[[], None]


class ModelOpening:
    """Models that are being opened.

    Args:
        settings: of the daemon.
        start: runs the work, in a thread or at once.

    Raises:
        RuntimeError: no thread can be started.
    """

    def __init__(self, settings: Settings, start: Callable[[Work], None]) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._result: OpenModels | Exception | None = None
        self._discarded = False
        start(self._open)

    @property
    def result(self) -> OpenModels | Exception | None:
        """The models, which are then the caller's to close, or why they cannot be opened; None until then."""
        return self._result

    def discard(self) -> None:
        """Close the models as soon as they are open; nobody needs them."""
        with self._lock:
            self._discarded = True
            _close(self._result)

    def _open(self) -> None:
        try:
            result: OpenModels | Exception = open_models(self._settings)
        except Exception as error:  # noqa: BLE001 - whatever failed is reported by the main loop, which goes on
            result = error
        with self._lock:
            self._result = result
            if self._discarded:
                _close(result)


def _close(result: OpenModels | Exception | None) -> None:
    if result is not None and not isinstance(result, Exception):
        result.__exit__(None, None, None)


def start_thread(work: Work) -> None:
    """Run the work in a thread of its own.

    Raises:
        RuntimeError: the system allows no further thread.
    """
    threading.Thread(target=work, name="models", daemon=True).start()
