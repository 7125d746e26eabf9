"""Whether the certificates that the configuration names are still valid, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.config.file_errors import unreadable
from device.findings import Finding
from device.runtime.certificates import expiry_in, named_files
from device.tools.check.check_run import AS_THE_DAEMON

if TYPE_CHECKING:
    from device.config.settings import Settings
    from device.runtime.certificates import CertificateExpiry

_RENEW = "renew it, then systemctl reload auricle@NAME, and systemctl restart auricle-web@NAME for that of the page"


def check_certificates(settings: Settings, utc_s: float) -> Finding:
    """Whether each certificate is valid for longer than `certificate_days`.

    Args:
        settings: that name them.
        utc_s: time of day.
    """
    found: list[CertificateExpiry] = []
    unread: list[str] = []
    for key, path in named_files(settings):
        try:
            expiry = expiry_in(key, path, days=settings.status.certificate_days)
        except (OSError, ValueError) as error:
            unread.append(unreadable(key, path, error))
        else:
            found += [] if expiry is None else [expiry]
    due = [expiry for expiry in found if expiry.is_due(utc_s)]
    summary = "; ".join([*(expiry.sentence(utc_s) for expiry in due or found), *unread])
    if any(expiry.is_expired(utc_s) for expiry in due):
        return Finding("certificates", "failure", summary, _RENEW)
    if due:
        return Finding("certificates", "warning", summary, _RENEW)
    if unread:
        return Finding("certificates", "warning", summary, AS_THE_DAEMON)
    return Finding("certificates", "ok", summary or "none is configured")
