"""Whether a certificate expires soon, or has expired, as a fault. Pure: dates and clocks are arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.alerting.faults.delivery_faults import FaultChange
from device.runtime.certificates import CertificateExpiry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.commands import CertificateReport

SILENT_AFTER_S = 3 * 3600.0
"""A page reports every hour; one that has ended uses no certificate."""

PAGE_KEY = ("web", "cert_file")

CLEARED = "no certificate has to be renewed now"

_Due = tuple[tuple[CertificateExpiry, bool], ...]


class CertificateWatch:
    """Judges the certificates that are in use.

    A machine without a clock begins in the past. So a time that no time server has set counts forwards alone: it may
    raise the fault, but it ends none.
    """

    def __init__(self) -> None:
        self._latest_utc_s = 0.0
        self._due: _Due = ()  # each with whether it has expired
        self._since_s = 0.0
        self._of_page: CertificateExpiry | None = None
        self._reported_s = 0.0

    def __repr__(self) -> str:
        return f"CertificateWatch({len(self._due)} due)"

    def receive(self, report: CertificateReport, now_s: float) -> None:
        """The page has said which certificate it uses; that counts more than the file, which may be another by now."""
        self._of_page = CertificateExpiry(PAGE_KEY, report.path, report.expires_utc_s, report.due_utc_s)
        self._reported_s = now_s

    def update(
        self, expiries: Sequence[CertificateExpiry], *, now_s: float, utc_s: float, is_synchronized: bool
    ) -> list[FaultChange]:
        """The fault, where it begins or is over now; both if something else is wrong now.

        Args:
            expiries: of the certificates whose files were read.
            now_s: monotonic.
            utc_s: time of day.
            is_synchronized: whether the time of day can be trusted.
        """
        if now_s - self._reported_s > SILENT_AFTER_S:
            self._of_page = None
        if self._of_page is not None:
            expiries = [*(expiry for expiry in expiries if expiry.key != PAGE_KEY), self._of_page]
        self._latest_utc_s = utc_s = utc_s if is_synchronized else max(utc_s, self._latest_utc_s)
        due = tuple((expiry, expiry.is_expired(utc_s)) for expiry in expiries if expiry.is_due(utc_s))
        if due == self._due:
            return []
        detail = "; ".join(expiry.sentence(utc_s) for expiry, _ in due)
        changes = []
        if self._due:
            over = f"now {detail}" if due else CLEARED
            changes.append(FaultChange("certificate", begins=False, since_s=self._since_s, detail=over))
        if due:
            self._since_s = now_s
            changes.append(FaultChange("certificate", begins=True, since_s=now_s, detail=detail))
        self._due = due
        return changes
