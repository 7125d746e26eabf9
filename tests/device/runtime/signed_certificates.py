"""Certificates with a date of one's choice, signed by cryptography."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def private_key() -> bytes:
    """The key of all certificates, in PEM."""
    form = serialization.PrivateFormat.PKCS8
    return _key().private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def certificate(expires_utc_s: float, *, name: str = "anna") -> bytes:
    """A certificate that this key signed for itself, in PEM.

    Args:
        expires_utc_s: when it expires; whole seconds.
        name: of its subject.
    """
    expires = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=expires_utc_s)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(expires - timedelta(days=365))
        .not_valid_after(expires)
        .sign(_key(), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
