"""When certificates expire is read as cryptography reads it, and each file is judged by the first of them."""

from __future__ import annotations

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.config.loading import profile
from device.config.settings import MqttSettings, StatusSettings
from device.config.web_settings import WebSettings
from device.runtime.certificates import (
    DAY_S,
    MOST_OF_ONE_AUTHORITY,
    certificate_expiries,
    expiries,
    expiry_in,
)
from tests.device.runtime.signed_certificates import certificate

if TYPE_CHECKING:
    from pathlib import Path

NOW_S = datetime(2026, 11, 29, 9, 30, tzinfo=UTC).timestamp()
KEY = ("mqtt", "cert_file")
_DER = ssl.PEM_cert_to_DER_cert(certificate(NOW_S).decode())


@settings(max_examples=30, deadline=None)
@given(st.integers(int(400 * DAY_S), 253_402_300_799))  # 1971 to the last second of 9999
def test_the_date_is_that_of_the_certificate_in_every_century(utc_s: int) -> None:
    assert list(expiries(certificate(utc_s))) == [utc_s]


@pytest.mark.parametrize(("days", "due"), [(31, False), (29, True)])
def test_a_certificate_is_due_30_days_before_it_expires(tmp_path: Path, days: int, due: bool) -> None:  # noqa: FBT001
    path = tmp_path / "anna.crt"
    path.write_bytes(certificate(NOW_S + days * DAY_S))
    expiry = expiry_in(KEY, str(path), days=30)
    assert expiry is not None
    assert expiry.is_due(NOW_S) == due
    assert not expiry.is_expired(NOW_S)
    date = (datetime.fromtimestamp(NOW_S, UTC) + timedelta(days=days)).strftime("%Y-%m-%dT09:30:00Z")
    assert expiry.sentence(NOW_S) == f'"cert_file" in [mqtt] is "{path}", which expires on {date}'
    assert expiry.sentence(NOW_S + 32 * DAY_S) == f'"cert_file" in [mqtt] is "{path}", which expired on {date}'


def test_of_a_chain_the_first_to_expire_counts_and_a_systems_collection_is_left_to_its_package(tmp_path: Path) -> None:
    path = tmp_path / "chain.pem"
    dates = [NOW_S + days * DAY_S for days in (300, 20, 4000)]
    path.write_bytes(b"a comment\n" + b"\n".join(map(certificate, dates)))
    expiry = expiry_in(KEY, str(path), days=30)
    assert expiry is not None
    assert expiry.expires_utc_s == NOW_S + 20 * DAY_S
    path.write_bytes(certificate(NOW_S) * (MOST_OF_ONE_AUTHORITY + 1))
    assert expiry_in(KEY, str(path), days=30) is None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_what_is_damaged_is_left_out_and_raises_nothing(data: st.DataObject) -> None:
    der = bytearray(_DER)
    for at in data.draw(st.lists(st.integers(0, len(der) - 1), min_size=1, max_size=40)):
        der[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(der)))
    for damaged in (bytes(der), bytes(_DER[:cut])):
        list(expiries(ssl.DER_cert_to_PEM_cert(damaged).encode()))
    assert list(expiries(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----")) == []


def test_only_files_that_are_in_use_count_and_one_that_cannot_be_read_is_said_by_whoever_needs_it(
    tmp_path: Path,
) -> None:
    paths = {name: str(tmp_path / name) for name in ("anna.crt", "ca.crt", "page.crt")}
    for path in paths.values():
        (tmp_path / path).write_bytes(certificate(NOW_S))
    mqtt = MqttSettings(host="h", tls=True, cert_file=paths["anna.crt"], ca_file=paths["ca.crt"])
    web = WebSettings(cert_file=paths["page.crt"])
    configured = replace(profile(), mqtt=mqtt, web=web, status=StatusSettings(certificate_days=7))
    found = certificate_expiries(configured)
    assert [expiry.key for expiry in found] == [("mqtt", "cert_file"), ("mqtt", "ca_file"), ("web", "cert_file")]
    assert {expiry.due_utc_s for expiry in found} == {NOW_S - 7 * DAY_S}
    (tmp_path / "page.crt").unlink()
    unused = replace(configured, mqtt=replace(mqtt, tls=False))
    assert [expiry.key for expiry in certificate_expiries(configured)] == [("mqtt", "cert_file"), ("mqtt", "ca_file")]
    assert certificate_expiries(unused) == certificate_expiries(profile()) == ()
