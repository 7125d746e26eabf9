"""A certificate authority, and a broker that has a certificate of it."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.conftest import Mosquitto


class Authority:
    """Signs certificates, with openssl, for tests."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        self._openssl(
            "req",
            "-x509",
            *_NEW_KEY,
            "-keyout",
            self._key,
            "-out",
            self.certificate,
            "-subj",
            f"/CN={name}",
            "-days",
            "2",
        )

    def sign(self, name: str, *, days: int = 2, alternative: str = "IP:127.0.0.1") -> tuple[Path, Path]:
        """A certificate and its key; one of 0 days has expired when this returns."""
        certificate, key, request = (self._folder / f"{name}{end}" for end in (".pem", ".key", ".csr"))
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n")
        self._openssl("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
            "-days", str(days), "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
        if days == 0:  # OpenSSL 3.5 refuses a negative number
            time.sleep(1.1)
        return certificate, key

    @staticmethod
    def _openssl(*arguments: str | Path) -> None:
        subprocess.run([program("openssl"), *arguments], check=True, capture_output=True)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def with_tls(broker: Mosquitto, authority: Authority, server: tuple[Path, Path], *more: str) -> None:
    broker.kill()
    certificate, key = server
    broker.configure(f"cafile {authority.certificate}", f"certfile {certificate}", f"keyfile {key}", *more)
    broker.start()
