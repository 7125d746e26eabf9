"""Until when the certificates that a configuration names are valid, read from their files, and a broker's own.

The ssl module decodes certificates of authorities alone, so the date is read from the DER here: RFC 5280, 4.1. OpenSSL
has accepted the files before, and whether a chain holds is its business.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from device.config.file_errors import key_is
from device.daytime import utc_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.config.settings import Settings

DAY_S = 86400.0

MOST_OF_ONE_AUTHORITY = 20
"""A file with more certificates is a system's collection: its package renews it, and most of it is never needed."""

_MOST_BYTES = 1 << 20
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME, _GENERALIZED_TIME = 0xA0, 0x17, 0x18
_BEFORE_VALIDITY = 3  # serialNumber, signature, issuer


@dataclass(frozen=True, slots=True)
class CertificateExpiry:
    """The certificate of one file that expires first.

    Attributes:
        key: of the configuration, (table, key).
        path: of the file.
        expires_utc_s: when it expires.
        due_utc_s: from when on that is a fault.
        owner: whose it is and where it was shown, if the configuration does not name its file.
    """

    key: tuple[str, str]
    path: str
    expires_utc_s: float
    due_utc_s: float
    owner: str = ""

    def is_due(self, utc_s: float) -> bool:
        """Whether it should have been renewed by then."""
        return utc_s >= self.due_utc_s

    def is_expired(self, utc_s: float) -> bool:
        """Whether it is not valid any more."""
        return utc_s > self.expires_utc_s

    def sentence(self, utc_s: float) -> str:
        """What is named where, and until when it is valid; without a full stop."""
        verb = "expired" if self.is_expired(utc_s) else "expires"
        return f"{self.owner or key_is(self.key, self.path)}, which {verb} on {utc_text(self.expires_utc_s)}"


def named_files(settings: Settings) -> tuple[tuple[tuple[str, str], str], ...]:
    """(Key, path) of the files with certificates: of the broker's connection if it uses TLS, and of the page."""
    mqtt = settings.mqtt
    uses_tls = mqtt.host is not None and mqtt.tls
    named = (
        (("mqtt", "cert_file"), mqtt.cert_file if uses_tls else None),
        (("mqtt", "ca_file"), mqtt.ca_file if uses_tls else None),
        (("web", "cert_file"), settings.web.cert_file),
    )
    return tuple((key, path) for key, path in named if path is not None)


def certificate_expiries(settings: Settings) -> tuple[CertificateExpiry, ...]:
    """One for each of the `named_files` that can be read."""
    expiries = []
    for key, path in named_files(settings):
        with contextlib.suppress(OSError, ValueError):  # who serves with it says so
            expiries.append(expiry_in(key, path, days=settings.status.certificate_days))
    return tuple(expiry for expiry in expiries if expiry is not None)


def expiry_in(key: tuple[str, str], path: str, *, days: int) -> CertificateExpiry | None:
    """The certificate of a file that expires first; None if it holds none with a date, or a system's collection.

    Args:
        key: that names the file.
        path: of the file, in PEM.
        days: before it expires, from when on that is a fault.

    Raises:
        OSError: the file cannot be read.
        ValueError: there is a NUL in the path.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # a FIFO does not block
        found = tuple(expiries(file.read(_MOST_BYTES)))
    if not found or len(found) > MOST_OF_ONE_AUTHORITY:
        return None
    return CertificateExpiry(key, path, min(found), min(found) - days * DAY_S)


def expiry_of_broker(endpoint: str, expires_utc_s: float, *, days: int) -> CertificateExpiry:
    """That of the certificate which a broker has shown.

    Args:
        endpoint: host and port of the broker.
        expires_utc_s: until when it is valid.
        days: before it expires, from when on that is a fault.
    """
    owner = f"the certificate of the broker at {endpoint}"
    return CertificateExpiry(("mqtt", "host"), endpoint, expires_utc_s, expires_utc_s - days * DAY_S, owner)


def expiries(pem: bytes) -> Iterator[float]:
    """When each certificate of a PEM file expires, in UTC seconds; what is none is left out."""
    for block in _PEM.findall(pem):
        with contextlib.suppress(binascii.Error, ValueError, IndexError):
            yield _expiry(base64.b64decode(block))


def _expiry(der: bytes) -> float:
    """The notAfter of a certificate.

    Raises:
        ValueError: it is none.
        IndexError: it is cut off.
    """
    _, at, _ = _element(der, 0)  # Certificate
    _, at, _ = _element(der, at)  # TBSCertificate
    if der[at] == _VERSION:
        at = _element(der, at)[2]
    for _ in range(_BEFORE_VALIDITY):
        at = _element(der, at)[2]
    _, at, _ = _element(der, at)  # Validity
    at = _element(der, at)[2]  # notBefore
    tag, begin, end = _element(der, at)
    text = der[begin:end].decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"a time has the tag {tag:#x}")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _element(der: bytes, at: int) -> tuple[int, int, int]:
    """(Tag, begin and end of the content) of the element that begins there: X.690, 8.1.

    Raises:
        ValueError: it does not end within the data.
        IndexError: it is cut off.
    """
    begin, length = at + 2, der[at + 1]
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[at + 2 : begin])
    if begin + length > len(der):
        raise ValueError("an element is longer than what holds it")
    return der[at], begin, begin + length
