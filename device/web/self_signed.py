"""`auricle web certificate`: a certificate for the page that this machine signs itself, and its key.

A browser asks once whether it is to be believed; from then on the connection is encrypted, and nobody on the way sees a
password. cryptography is imported here alone.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError, MissingExtraError
from device.printable import printable

if TYPE_CHECKING:
    import argparse

    from device.config.web_settings import WebSettings
    from device.web.account_actions import Page

VALID_DAYS = 820
"""Safari believes none that is valid for more than 825 days."""

_NAMES = ("page.crt", "page.key")


def make_certificate(settings: WebSettings, page: Page, arguments: argparse.Namespace) -> int:
    """Make a certificate and its key, and say what to configure; returns exit code 0.

    Raises:
        ConfigError: one is there already, or cannot be written.
        MissingExtraError: cryptography is not installed.
    """
    paths = [Path(given or page.folder / name) for given, name in zip(_configured(settings), _NAMES, strict=True)]
    there = next((path for path in paths if path.exists()), None)
    if there is not None and not arguments.replace:
        raise ConfigError(f"{printable(str(there))} is there already; --replace makes a new certificate and key")
    names = tuple(arguments.name) or _own_names()
    for path, (data, mode) in zip(paths, _made(names), strict=True):
        _write(path, data, mode)
    print(f"made for {', '.join(names)}, valid for {VALID_DAYS} days; in [web] write")
    for key, path in zip(("cert_file", "key_file"), paths, strict=True):
        print(f'{key} = "{path}"')
    return 0


def _configured(settings: WebSettings) -> tuple[str | None, str | None]:
    return settings.cert_file, settings.key_file


def _own_names() -> tuple[str, ...]:
    """The names under which this machine is usually opened."""
    name = socket.gethostname().partition(".")[0].lower() or "auricle"
    return (name, f"{name}.local", "localhost", "127.0.0.1", "::1")


def _made(names: tuple[str, ...]) -> tuple[tuple[bytes, int], tuple[bytes, int]]:
    """Certificate and key in PEM, each with the mode of its file."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509 import oid
    except ImportError as error:
        raise MissingExtraError("a certificate needs cryptography, which is not installed: auricle[web]") from error
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, names[0])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a Pi's clock may be behind
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_alternative(x509, name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (certificate.public_bytes(pem), 0o644), (private, 0o600)


def _alternative(x509: Any, name: str) -> Any:
    with contextlib.suppress(ValueError):
        return x509.IPAddress(ipaddress.ip_address(name))
    try:
        return x509.DNSName(name)
    except ValueError:
        raise ConfigError(f"{name!r} is no host's name or address") from None


def _write(path: Path, data: bytes, mode: int) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(beside, flags, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            if os.geteuid() == 0:
                folder = path.parent.stat()
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
            file.write(data)
        beside.replace(path)
    except OSError as error:
        raise ConfigError(f"{printable(str(path))} cannot be written: {error.strerror}") from None
