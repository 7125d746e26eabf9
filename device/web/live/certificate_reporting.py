"""Tells the daemon until when the page's certificate is valid: it raises the fault, but may not read the file."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from device.commands import MAX_SENTENCE_CHARACTERS
from device.errors import ServiceError
from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.runtime.certificates import CertificateExpiry
    from device.web.live.daemon_link import DaemonLink

EVERY_S = 3600.0
PERSON = "the page"


class CertificateReporting:
    """Reports to one daemon.

    Args:
        link: to the daemon.
        expiry: of the certificate that is served; None to report nothing.
        clock: monotonic, in seconds.
    """

    def __init__(
        self, link: DaemonLink, expiry: CertificateExpiry | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._link = link
        self._expiry = expiry
        self._clock = clock
        self._reported_to: int | None = None  # process id: a daemon that was started anew knows nothing
        self._reported_s = 0.0

    async def run(self) -> None:
        """Report when a daemon has started, and every hour; for ever."""
        if self._expiry is None:
            return
        number = 0
        while True:
            moment = await self._link.newer(number)
            number = moment.number
            process_id = None if moment.state is None else moment.state.pid
            is_new = process_id != self._reported_to or self._clock() - self._reported_s >= EVERY_S
            if process_id is not None and is_new:
                await self._report(self._expiry, process_id)

    async def _report(self, expiry: CertificateExpiry, process_id: int) -> None:
        payload = {
            "path": printable(expiry.path).encode("ascii", "replace").decode()[:MAX_SENTENCE_CHARACTERS],
            "expires_utc_s": expiry.expires_utc_s,
            "due_utc_s": expiry.due_utc_s,
        }
        with contextlib.suppress(ServiceError):  # the next moment tries again
            await self._link.command("certificate_report", payload, person=PERSON)
            self._reported_to, self._reported_s = process_id, self._clock()
