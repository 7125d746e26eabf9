"""A real mosquitto as docs/fleet.md sets it up: TLS, a certificate for each device, rights by name, and persistence."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from benchmarks.soak.proc import cpu_s, memory_kib
from tests.programs import program
from tests.system.broker.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

READER = "fleet-reader"
KEPT_FOR_A_READER = 100_000
"""Alarms that wait for a reader that is away or slow; mosquitto's default is 1000."""

_RIGHTS = f"""
user {READER}
topic deny auricle/{READER}/#
topic deny homeassistant/device/{READER}/#
topic read auricle/#
"""
_UP_WITHIN_S = 120.0


class Usage(NamedTuple):
    """What a process takes: memory in KiB, and CPU seconds since its start."""

    memory_kib: int
    cpu_s: float


class FleetBroker:
    """The broker, from `start` to `kill`.

    Args:
        folder: of authority, certificates, configuration and what the broker stores.
    """

    def __init__(self, folder: Path) -> None:
        self.fleet = Fleet(folder)
        self._folder = folder
        acl = folder / "acl"
        acl.write_text(acl.read_text(encoding="utf-8") + _RIGHTS, encoding="utf-8")
        self._conf = folder / "bench.conf"
        conf = (folder / "mosquitto.conf").read_text(encoding="utf-8")
        kept = (
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_interval 30",
            f"max_queued_messages {KEPT_FOR_A_READER}",
            "log_type error",
        )
        self._conf.write_text(conf + "\n".join(kept) + "\n", encoding="utf-8")
        self._log = (folder / "bench.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"FleetBroker({self.fleet.broker.port}, {'up' if self._process else 'down'})"

    def start(self) -> None:
        """Start it; returns when it listens."""
        self._process = subprocess.Popen(
            [program("mosquitto"), "-c", str(self._conf)], cwd=self._folder, stderr=self._log
        )
        until_s = time.monotonic() + _UP_WITHIN_S
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError("mosquitto does not listen")
            time.sleep(0.05)

    def save(self) -> None:
        """Have it save sessions and retained messages now; returns when it has.

        A broker that dies before it has saved a session once forgets that the reader subscribed.
        """
        if self._process is None:
            raise RuntimeError("the broker is not started")
        saved, until_s = self._saved_ns(), time.monotonic() + _UP_WITHIN_S
        self._process.send_signal(signal.SIGUSR1)  # see mosquitto(8)
        while self._saved_ns() == saved:
            if self._process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError("mosquitto does not save")
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it, as in a crash; idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def usage(self) -> Usage:
        """What it takes now."""
        if self._process is None:
            raise RuntimeError("the broker is not started")
        return Usage(memory_kib(self._process.pid, "Rss"), cpu_s(self._process.pid))

    def _saved_ns(self) -> int:
        stored = self._folder / "mosquitto.db"  # written beside it, then renamed
        return stored.stat().st_mtime_ns if stored.exists() else 0

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self.fleet.broker.port)) == 0


def sign_devices(folder: Path, names: Sequence[str]) -> None:
    """Make a key and a certificate for each name, as the page's openssl commands make them, but in one process."""
    authority = x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes())
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is none of an elliptic curve")
    now = datetime.now(UTC)
    for name in names:
        own = ec.generate_private_key(ec.SECP256R1())
        signed = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(authority.subject)
            .public_key(own.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (folder / f"{name}.crt").write_bytes(signed.public_bytes(pem))
        secret = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        with os.fdopen(os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(secret)
