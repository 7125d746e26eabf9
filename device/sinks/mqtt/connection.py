"""Connecting to an MQTT broker: the password, the TLS context, and why it failed, in one sentence.

Distinguishes what time repairs (a lost network) from what only people can (a refused login). Knows
no MQTT library and publishes nothing. Whatever is read from a disk is read before the first connection.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from device.config.file_errors import key_is, unreadable
from device.errors import ConfigError
from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.config.settings import MqttSettings

CREDENTIAL = "mqtt-password"
"""Name of the systemd credential that holds the password."""

PORT, TLS_PORT = 1883, 8883

_MOST_PASSWORD_BYTES = 4096
_OTHERS = stat.S_IRWXO
_PASSWORD_KEY, _CA_KEY, _CERT_KEY = ("mqtt", "password_file"), ("mqtt", "ca_file"), ("mqtt", "cert_file")


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a broker cannot be used.

    Attributes:
        reason: one sentence: what, and what would help.
        refused: only people can repair it; to try again soon only fills the broker's log.
        taken_over: another client of the same id may have taken the connection over.
        flooded: others flood what we subscribe to, for which nothing is subscribed to for a while.
        since_s: last sign of life of a broker that became silent, by the client's clock; None if the loss was noticed
            at once.
    """

    reason: str
    refused: bool = False
    taken_over: bool = False
    flooded: bool = False
    since_s: float | None = None


def port_of(settings: MqttSettings) -> int:
    """The port that is configured, or the standard one."""
    return settings.port or (TLS_PORT if settings.tls else PORT)


def endpoint(settings: MqttSettings) -> str:
    """The broker's address and port for people; an address of IPv6 in brackets."""
    host = str(settings.host)
    return f"[{host}]:{port_of(settings)}" if ":" in host else f"{host}:{port_of(settings)}"


# --- the password


def read_password(settings: MqttSettings, environment: Mapping[str, str] = os.environ) -> str | None:
    """The password from the file that is configured, else from the systemd credential; None if there is neither.

    Raises:
        ConfigError: the file cannot be read, is open to everybody, or holds no password; or nobody logs in with it.
    """
    path = _password_path(settings, environment)
    if path is None:
        return None
    if settings.username is None:
        sentence = f"[mqtt] has a password, {printable(str(path))}, but no username: set it"
        raise ConfigError(sentence, key=_PASSWORD_KEY)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError(unreadable(_PASSWORD_KEY, path, error), key=_PASSWORD_KEY) from None
    try:
        return _password(descriptor, f"the password file {printable(str(path))}")
    finally:
        os.close(descriptor)


def _password_path(settings: MqttSettings, environment: Mapping[str, str]) -> Path | None:
    if settings.password_file is not None:
        return Path(settings.password_file)
    folder = environment.get("CREDENTIALS_DIRECTORY")
    path = Path(folder) / CREDENTIAL if folder else None
    return path if path is not None and path.exists() else None


def _password(descriptor: int, where: str) -> str:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{where} is no regular file: name one", key=_PASSWORD_KEY)
    if status.st_mode & _OTHERS:
        raise ConfigError(f"{where} is open to everybody on this machine: chmod o-rwx closes it", key=_PASSWORD_KEY)
    data = os.read(descriptor, _MOST_PASSWORD_BYTES + 1)
    if len(data) > _MOST_PASSWORD_BYTES:
        raise ConfigError(f"{where} holds more than {_MOST_PASSWORD_BYTES} bytes: it is no password", key=_PASSWORD_KEY)
    try:
        text = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"{where} is no UTF-8 text: save it as that", key=_PASSWORD_KEY) from None
    if not text or "\n" in text or "\0" in text:
        raise ConfigError(f"{where} must hold one line: the password", key=_PASSWORD_KEY)
    return text


# --- TLS


def tls_context(settings: MqttSettings) -> ssl.SSLContext | None:
    """The TLS context with the configured authorities and certificate; None without TLS.

    Raises:
        ConfigError: a file cannot be read, or is no certificate or key.
    """
    if not settings.tls:
        return None
    context = _verifying(settings.ca_file)
    if settings.cert_file is None and settings.key_file is None:
        return context
    if settings.cert_file is None:
        raise ConfigError('[mqtt] has a "key_file" but no "cert_file": set it', key=("mqtt", "key_file"))
    own = f"the certificate {printable(settings.cert_file)} with the key {printable(settings.key_file or 'in it')}"
    try:
        # Otherwise a key with a passphrase would prompt for it on the terminal.
        context.load_cert_chain(settings.cert_file, settings.key_file, password=lambda: "")
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        why = "they do not belong together" if mismatch else "both must be PEM, the key without a passphrase"
        raise ConfigError(f"{own} cannot be used: {why}", key=_CERT_KEY) from None
    except OSError as error:
        raise _unreadable_certificate(settings, error) from None
    return context


def _verifying(ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError:
        why = "which holds no authority's certificate; name the PEM file of the authority that signed the broker's"
        raise ConfigError(f"{key_is(_CA_KEY, str(ca_file))}, {why}", key=_CA_KEY) from None
    except OSError as error:
        raise ConfigError(unreadable(_CA_KEY, str(ca_file), error), key=_CA_KEY) from None
    if ca_file is not None:
        # From Python 3.13 on the default demands RFC 5280's extensions, which authorities made by hand often lack: an
        # upgrade of the system must not part a daemon from its broker. Signatures, names and dates are still checked.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _unreadable_certificate(settings: MqttSettings, error: OSError) -> ConfigError:
    """Which of the two files cannot be read: OpenSSL does not say."""
    for name, path in (("cert_file", settings.cert_file), ("key_file", settings.key_file)):
        try:
            if path is not None:
                Path(path).open("rb").close()
        except OSError as of_file:
            return ConfigError(unreadable(("mqtt", name), path or "", of_file), key=("mqtt", name))
    return ConfigError(unreadable(_CERT_KEY, str(settings.cert_file), error), key=_CERT_KEY)


def identity_digest(settings: MqttSettings, environment: Mapping[str, str] = os.environ) -> bytes:
    """SHA-256 of the files that a connection is made with: it differs once one of them was renewed.

    One that cannot be read counts as another one: `tls_context` and `read_password` say why.
    """
    password = _password_path(settings, environment)
    digest = hashlib.sha256()
    for path in (password, settings.ca_file, settings.cert_file, settings.key_file):
        digest.update(b"\0" if path is None else _file_digest(path))
    return digest.digest()


def _file_digest(path: str | Path) -> bytes:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return repr(error).encode()


# --- why it failed

_UNVERIFIED: Mapping[int, str] = MappingProxyType(  # X509_V_ERR_ of OpenSSL's x509_vfy.h
    {
        9: "the broker's certificate is not valid yet: is this machine's clock right?",
        10: "the broker's certificate has expired: renew it, if this machine's clock is right",
        62: "the broker's certificate is not for {host}: name the host as its certificate does",
        64: "the broker's certificate is not for {host}: name the host as its certificate does",
    }
)
_NOT_YET_VALID = 9
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})
_ALERTS: Mapping[str, str] = MappingProxyType(  # what the broker says of our certificate, RFC 8446, 6.2
    {
        "CERTIFICATE_EXPIRED": "the broker says that this client's certificate has expired: renew cert_file",
        "CERTIFICATE_REQUIRED": "the broker wants a client's certificate: set cert_file and key_file",
        "CERTIFICATE_REVOKED": "the broker says that this client's certificate was revoked: renew cert_file",
        "UNKNOWN_CA": "the broker does not know the authority that signed this client's certificate (cert_file)",
        "BAD_CERTIFICATE": "the broker does not take this client's certificate: renew cert_file",
        "CERTIFICATE_UNKNOWN": "the broker does not take this client's certificate: renew cert_file",
        "HANDSHAKE_FAILURE": "the broker breaks the handshake off: it may want a client's certificate (cert_file)",
    }
)
_ALERT = re.compile(r"ALERT_(\w+)")


def trouble_of(error: OSError, settings: MqttSettings) -> Trouble:
    """What an error of connecting or of the connection means."""
    where = endpoint(settings)
    match error:
        case ssl.SSLCertVerificationError():
            return _unverified(error, settings)
        case ssl.SSLError():
            return _tls_trouble(error, where)
        case socket.gaierror():
            reason = f"no address of {settings.host} is known: is the name right, and the network up?"
        case TimeoutError():
            reason = f"{where} does not answer: is it on, and the network up?"
        case ConnectionRefusedError():
            reason = f"nothing listens at {where}: is the broker running?"
        case ConnectionResetError() if settings.tls:
            reason = f"{where} breaks the connection off: is it on, and does it speak TLS on this port?"
        case OSError(errno=errno.EPROTO):
            reason = f"{where} {error.strerror}"
        case _:
            reason = f"{where} cannot be reached: {error.strerror or error}"
    return Trouble(reason)


def _unverified(error: ssl.SSLCertVerificationError, settings: MqttSettings) -> Trouble:
    if error.verify_code in _UNKNOWN_AUTHORITY:
        known = f"by {settings.ca_file}" if settings.ca_file else "by this system; set ca_file to its authority"
        return Trouble(f"the broker's certificate is not vouched for {known}", refused=True)
    known = _UNVERIFIED.get(error.verify_code, f"the broker's certificate does not hold: {error.verify_message}")
    # A machine without a clock begins in the past, and is right as soon as it has reached a time server.
    return Trouble(known.format(host=settings.host), refused=error.verify_code != _NOT_YET_VALID)


def _tls_trouble(error: ssl.SSLError, where: str) -> Trouble:
    reason = getattr(error, "reason", None) or ""  # Python itself raises some without
    alert = _ALERT.search(reason)
    if alert and alert[1] in _ALERTS:
        return Trouble(_ALERTS[alert[1]], refused=True)
    if reason in {"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "RECORD_LAYER_FAILURE"}:
        return Trouble(f"{where} does not speak TLS: is it the right port?", refused=reason == "WRONG_VERSION_NUMBER")
    return Trouble(f"no TLS with {where}: {reason.lower().replace('_', ' ') or error}")


_TAKEN_OVER = 0x8E
_REFUSALS: Mapping[int, str] = MappingProxyType(  # reason codes of MQTT 5; those of 3.1.1 come translated to them
    {
        0x84: "the broker does not speak MQTT {protocol}: set protocol to the other one",
        0x85: "the broker does not take the client id: its rules for ids must allow it",
        0x86: "the broker refuses the login: are username and password right?",
        0x87: "the broker refuses the login: this user, or this machine, is not allowed there",
        0x8A: "the broker has banned this client",
        0x8C: "the broker refuses the login: it wants another way of it than a password",
        0x8E: "another client came with the same id: each instance of one broker needs a name of its own",
        0x9C: "the broker says that another one is to be used: set host to that",
        0x9D: "the broker says that another one is to be used: set host to that",
    }
)


def refusal(code: int, name: str, settings: MqttSettings) -> Trouble:
    """What a broker's reason code for refusing or disconnecting a client means.

    Args:
        code: of MQTT 5.
        name: of the code, in words.
        settings: of the broker.
    """
    if code == _TAKEN_OVER:
        return Trouble(_REFUSALS[code], taken_over=True)  # perhaps once: whether it goes on is seen by trying again
    if code in _REFUSALS:
        return Trouble(_REFUSALS[code].format(protocol=settings.protocol), refused=True)
    return Trouble(f"the broker ended the connection: {name.lower()}")


def hung_up(settings: MqttSettings, *, client_id: str, accepted: bool) -> Trouble:
    """The broker closed the connection without a reason; `accepted`: after it had accepted the login."""
    where = endpoint(settings)
    if accepted:
        reason = f"{where} closed the connection: was it stopped, or does another client use the id {client_id}?"
        return Trouble(reason, taken_over=True)
    wanted = f"MQTT {settings.protocol} {'with' if settings.tls else 'without'} TLS"
    return Trouble(f"{where} closes the connection at once: does it speak {wanted}?")
