"""Whether the certificate that the page is served with can be used, without the libraries that serve it."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from device.errors import ConfigError

if TYPE_CHECKING:
    from device.config.web_settings import WebSettings


def check_certificate(settings: WebSettings) -> None:
    """Certificate and key are there, and belong together.

    Raises:
        ConfigError: they are not.
    """
    if (settings.cert_file is None) != (settings.key_file is None):
        there = "key_file" if settings.cert_file is None else "cert_file"
        raise ConfigError(f'[web] has "{there}" alone: set cert_file and key_file', key=("web", there))
    if settings.cert_file is None or settings.key_file is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.cert_file, settings.key_file, password="")
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or str(error)
        raise ConfigError(
            f"the certificate {settings.cert_file} with {settings.key_file} cannot be used: {why}; "
            "auricle web certificate makes one",
            key=("web", "cert_file"),
        ) from None
