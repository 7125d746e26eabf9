"""Closes several things at once, within one deadline: systemd is promised an end within 5 s, whatever hangs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def close_concurrently(closing: Sequence[Callable[[], object]], deadline_s: float) -> None:
    """Call each in a daemon thread of its own; one that exceeds the deadline is abandoned."""
    threads = [threading.Thread(target=close, name="closing", daemon=True) for close in closing]
    for thread in threads:
        thread.start()
    until_s = time.monotonic() + deadline_s
    for thread in threads:
        thread.join(max(0.0, until_s - time.monotonic()))
