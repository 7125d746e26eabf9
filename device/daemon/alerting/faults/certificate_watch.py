"""Whether a certificate expires soon, or has expired, as a fault. Pure: dates and clocks are arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.alerting.faults.delivery_faults import FaultChange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.runtime.certificates import CertificateExpiry

CLEARED = "no certificate has to be renewed now"

_Due = tuple[tuple["CertificateExpiry", bool], ...]


class CertificateWatch:
    """Judges the certificates that are in use.

    A machine without a clock begins in the past. So a time that no time server has set counts forwards alone: it may
    raise the fault, but it ends none.
    """

    def __init__(self) -> None:
        self._latest_utc_s = 0.0
        self._due: _Due = ()  # each with whether it has expired
        self._since_s = 0.0

    def __repr__(self) -> str:
        return f"CertificateWatch({len(self._due)} due)"

    def update(
        self, expiries: Sequence[CertificateExpiry], *, now_s: float, utc_s: float, is_synchronized: bool
    ) -> list[FaultChange]:
        """The fault, where it begins or is over now; both if something else is wrong now.

        Args:
            expiries: of the certificates in use.
            now_s: monotonic.
            utc_s: time of day.
            is_synchronized: whether the time of day can be trusted.
        """
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
