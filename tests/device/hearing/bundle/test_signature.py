"""Where a key is configured, a bundle that is not exactly what its maker signed is refused with what is wrong."""

from __future__ import annotations

import io
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from device.errors import BundleError, ConfigError, MissingExtraError
from device.hearing.bundle.archive import join_archive, split_archive
from device.hearing.bundle.reader import decode_bundle, read_bundle
from device.hearing.bundle.signature import TRAILER_BYTES, PublicKey, split_trailer, with_trailer
from tests.device.hearing.bundle.altered import same

if TYPE_CHECKING:
    from pathlib import Path

    from tests.signing_keys import KeyPair

MAKER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
KEY = PublicKey(MAKER.public_key())


def _signed(file: bytes, private: Ed25519PrivateKey = MAKER, key_id: str = "") -> bytes:
    return with_trailer(file, key_id or PublicKey(private.public_key()).key_id, private.sign)


def test_a_signed_bundle_is_what_it_was_and_names_its_key(file: bytes) -> None:
    signed = _signed(file)
    KEY.check(signed)
    bundle = decode_bundle(signed)
    assert same(bundle, decode_bundle(file))
    assert (bundle.signer, decode_bundle(file).signer) == (KEY.key_id, "")
    assert split_trailer(signed)[0] == file
    assert len(signed) == len(file) + TRAILER_BYTES


def test_any_zip_tool_reads_a_signed_bundle_and_shows_who_signed_it(file: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(_signed(file))) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == b"low\nnormal\n"
        assert archive.comment.startswith(f"auricle-ed25519 {KEY.key_id} ".encode())


def test_the_same_key_and_bundle_give_the_same_bytes(file: bytes) -> None:
    assert _signed(file) == _signed(file)


def _network_swapped(file: bytes) -> bytes:
    archive = split_archive(file)
    network = bytearray(archive.network)
    network[-1] ^= 1
    return join_archive(bytes(network), archive.entries)


def test_each_way_to_tamper_is_refused_with_what_is_wrong(file: bytes) -> None:
    signed = _signed(file)
    forged_id = _signed(file, STRANGER, KEY.key_id)
    refused = {
        file: "not signed, or cut short",
        signed[:-10]: "the signature is cut short: 10 bytes of it missing",
        signed[:-1]: "the signature is cut short: 1 byte of it missing",
        signed[: len(file) // 2]: "not signed, or cut short",
        signed + b"\0\0": "2 bytes follow the signature",
        signed + signed[-TRAILER_BYTES:]: "does not fit",
        signed[:-TRAILER_BYTES] + b"pad" + signed[-TRAILER_BYTES:]: "does not fit",
        signed[:-1] + b" ": "the signature at the end is damaged",
        forged_id: "does not fit",
        _signed(file, STRANGER): f"signed with key {PublicKey(STRANGER.public_key()).key_id}, and key {KEY.key_id}",
        _network_swapped(file)[:-2] + signed[-TRAILER_BYTES - 2 :]: "does not fit",
    }
    assert len(refused) == 11
    for bad, why in refused.items():
        with pytest.raises(BundleError, match=why):
            KEY.check(bad)


@given(st.data())
def test_no_bit_can_be_changed(data: st.DataObject) -> None:
    signed = bytearray(_signed(b"TFL3 any bytes that end in the length of a zip's comment\0\0"))
    signed[data.draw(st.integers(0, len(signed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BundleError):
        KEY.check(bytes(signed))


def test_without_a_key_the_form_of_a_signed_file_still_holds(file: bytes) -> None:
    signed = _signed(file)
    with pytest.raises(BundleError, match="bytes stand between the archive and the signature"):
        decode_bundle(signed[:-TRAILER_BYTES] + b"pad" + signed[-TRAILER_BYTES:])
    for damaged in (signed + b"\0", signed[:-1], signed[:-TRAILER_BYTES]):
        with pytest.raises(BundleError):
            decode_bundle(damaged)


def test_a_file_is_read_with_the_key_that_signed_it_alone(
    tmp_path: Path, file: bytes, maker: KeyPair, stranger: KeyPair
) -> None:
    path = tmp_path / "signed.tflite"
    path.write_bytes(_signed(file, maker.private_key))
    key = PublicKey.read(maker.public)
    assert read_bundle(path, key=key).signer == key.key_id
    with pytest.raises(BundleError, match=rf"^{path}: signed with key {key.key_id}"):
        read_bundle(path, key=PublicKey.read(stranger.public))


def test_a_file_that_holds_no_public_key_is_refused(tmp_path: Path, maker: KeyPair) -> None:
    for data, why in (
        (maker.private.read_bytes(), "holds a private key; take it away"),
        (b"no key", "is no public key in PEM"),
        (_P256, "holds no Ed25519 key"),
        (bytes(1 << 15), "is larger than any key"),
    ):
        (tmp_path / "key").write_bytes(data)
        with pytest.raises(ConfigError, match=why):
            PublicKey.read(tmp_path / "key")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        PublicKey.read(tmp_path / "gone")


def test_where_the_extra_is_missing_it_is_named(maker: KeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    with pytest.raises(MissingExtraError, match=r"auricle\[signing\]"):
        PublicKey.read(maker.public)


_P256 = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKa08oCqUj7hcr+Qr0bKPMBL0LJy5
FtUdYKOMFYVJr8sEiTXLTbrYnA4aU5YkZlbZP9Vc7L405VCQ99wpW8PQaQ==
-----END PUBLIC KEY-----
"""
