"""Opens something beside the main loop, which must not wait for a disk or for a trial of models."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[], None]

Result = TypeVar("Result")


class BackgroundOpening(Generic[Result]):
    """Something that is being opened.

    Args:
        open_it: opens it; must not use what the main loop owns.
        close: closes it.
        start: runs the work, in a thread or at once.

    Raises:
        RuntimeError: no thread can be started.
    """

    def __init__(
        self, open_it: Callable[[], Result], close: Callable[[Result], None], start: Callable[[Work], None]
    ) -> None:
        self._open_it = open_it
        self._close = close
        self._lock = threading.Lock()
        self._result: Result | Exception | None = None
        self._discarded = False
        start(self._open)

    @property
    def result(self) -> Result | Exception | None:
        """What was opened, which is then the caller's to close, or why it cannot be; None until then."""
        return self._result

    def discard(self) -> None:
        """Close it as soon as it is open; nobody needs it."""
        with self._lock:
            self._discarded = True
            self._close_result()

    def _open(self) -> None:
        try:
            result: Result | Exception = self._open_it()
        except Exception as error:  # noqa: BLE001 - whatever failed is reported by the main loop, which goes on
            result = error
        with self._lock:
            self._result = result
            if self._discarded:
                self._close_result()

    def _close_result(self) -> None:
        if self._result is not None and not isinstance(self._result, Exception):
            self._close(self._result)


def start_thread(work: Work) -> None:
    """Run the work in a thread of its own.

    Raises:
        RuntimeError: the system allows no further thread.
    """
    threading.Thread(target=work, name="models", daemon=True).start()
