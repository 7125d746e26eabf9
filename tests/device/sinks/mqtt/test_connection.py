"""The way to a broker: whose password is taken, and what is said where there is no way."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from device.config.settings import MqttSettings
from device.errors import ConfigError
from device.sinks.mqtt.connection import (
    hung_up,
    identity_digest,
    port_of,
    read_password,
    refusal,
    tls_context,
    trouble_of,
)
from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

_SETTINGS = MqttSettings(host="broker.local", username="auricle")
_WORD = "a pass word"


def _file(folder: Path, data: bytes, mode: int = 0o600) -> MqttSettings:
    path = folder / "password"
    path.write_bytes(data)
    path.chmod(mode)
    return MqttSettings(host="broker.local", username="auricle", password_file=str(path))


def test_the_digest_differs_once_a_file_of_the_connection_is_another_one(tmp_path: Path) -> None:
    settings = replace(_file(tmp_path, b"one"), ca_file=str(tmp_path / "ca.pem"))
    without_authority = identity_digest(settings)
    (tmp_path / "ca.pem").write_bytes(b"")
    with_authority = identity_digest(settings)
    assert identity_digest(settings) == with_authority != without_authority
    _file(tmp_path, b"another")
    assert identity_digest(settings) != with_authority
    assert identity_digest(MqttSettings(), {}) == identity_digest(MqttSettings(host="h"), {})


# --- the password


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_password_is_the_one_line_of_its_file(tmp_path: Path, end: bytes) -> None:
    assert read_password(_file(tmp_path, _WORD.encode() + end), {}) == _WORD


def test_without_a_file_the_credential_counts_and_without_either_there_is_none(tmp_path: Path) -> None:
    assert read_password(_SETTINGS, {}) is None
    assert read_password(_SETTINGS, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    credential = tmp_path / "mqtt-password"
    credential.write_text(_WORD)
    credential.chmod(0o400)
    assert read_password(_SETTINGS, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == _WORD


def test_the_file_that_is_configured_comes_before_the_credential(tmp_path: Path) -> None:
    (tmp_path / "mqtt-password").write_text("another")
    assert read_password(_file(tmp_path, _WORD.encode()), {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == _WORD


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644])
def test_a_password_that_everybody_may_read_or_replace_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="open to everybody"):
        read_password(_file(tmp_path, _WORD.encode(), mode), {})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "one line"),
        (b"\n", "one line"),
        (b"a\nb\n", "one line"),
        (b"a\0b", "one line"),
        (b"\xff", "UTF-8"),
        (b"x" * 5000, "more than"),
    ],
)
def test_what_is_no_password_is_refused_and_never_shown(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        read_password(_file(tmp_path, data), {})
    assert "x" * 20 not in str(raised.value)


def test_a_pipe_in_place_of_the_password_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path, 0o600)
    with pytest.raises(ConfigError, match="no regular file"):
        read_password(MqttSettings(host="b", username="u", password_file=str(path)), {})


def test_a_password_that_is_missing_or_that_nobody_uses_is_a_mistake(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    with pytest.raises(ConfigError, match="is not there"):
        read_password(MqttSettings(host="b", username="u", password_file=missing), {})
    with pytest.raises(ConfigError, match="no username"):
        read_password(MqttSettings(host="b", password_file=missing), {})


# --- certificates


def test_without_tls_nothing_is_read_and_the_port_is_the_usual_one() -> None:
    assert tls_context(_SETTINGS) is None
    assert (port_of(_SETTINGS), port_of(MqttSettings(tls=True)), port_of(MqttSettings(port=7))) == (1883, 8883, 7)


def test_tls_verifies_the_broker_and_its_name() -> None:
    context = tls_context(MqttSettings(host="b", tls=True))
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_an_own_authority_needs_no_extensions_whatever_python_demands_by_default(tmp_path: Path) -> None:
    """Python 3.13 demands a key usage extension, which authorities made by hand lack: an upgrade cut brokers off."""
    authority = tmp_path / "authority.pem"
    name = ("-subj", "/CN=authority", "-keyout", tmp_path / "authority.key", "-out", authority)
    subprocess.run([program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name], check=True)
    context = tls_context(MqttSettings(host="b", tls=True, ca_file=str(authority)))
    assert context is not None
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_files_that_are_no_certificates_are_told_before_anything_is_sent(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    none = str(tmp_path / "none.pem")
    for settings, said in [
        (MqttSettings(tls=True, ca_file=none), "is not there"),
        (MqttSettings(tls=True, ca_file=str(nonsense)), "no authority"),
        (MqttSettings(tls=True, cert_file=none, key_file=none), "is not there"),
        (MqttSettings(tls=True, cert_file=str(nonsense)), "must be PEM"),
        (MqttSettings(tls=True, key_file=none), 'no "cert_file"'),
    ]:
        with pytest.raises(ConfigError, match=said):
            tls_context(settings)


# --- what is said


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "Connection refused"),
        TimeoutError("timed out"),
        socket.gaierror(-2, "Name or service not known"),
        OSError(113, "No route to host"),
        OSError(101, "Network is unreachable"),
        ConnectionResetError(104, "Connection reset by peer"),
        ssl.SSLError(1, "something else"),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
    ],
)
def test_a_network_that_is_lost_is_one_sentence_and_no_refusal(error: OSError) -> None:
    trouble = trouble_of(error, _SETTINGS)
    assert not trouble.refused
    assert "broker.local" in trouble.reason
    assert "\n" not in trouble.reason


@pytest.mark.parametrize("code", [0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x9C, 0x9D])
def test_what_only_people_can_heal_is_a_refusal(code: int) -> None:
    assert refusal(code, "whatever", _SETTINGS).refused


@pytest.mark.parametrize("code", [0x80, 0x88, 0x89, 0x8B, 0x8D, 0x97])
def test_what_time_heals_is_none(code: int) -> None:
    trouble = refusal(code, "Server busy", _SETTINGS)
    assert not trouble.refused
    assert "server busy" in trouble.reason


def test_a_connection_that_another_client_took_over_is_no_refusal_yet() -> None:
    trouble = refusal(0x8E, "Session taken over", _SETTINGS)
    assert (trouble.refused, trouble.taken_over) == (False, True)
    assert "a name of its own" in trouble.reason
    assert hung_up(_SETTINGS, client_id="x", accepted=True).taken_over
    assert not hung_up(_SETTINGS, client_id="x", accepted=False).taken_over


def test_a_broker_that_hangs_up_is_asked_about_what_may_be_wrong() -> None:
    assert "MQTT 5 without TLS" in hung_up(_SETTINGS, client_id="x", accepted=False).reason
    assert "id x" in hung_up(_SETTINGS, client_id="x", accepted=True).reason
