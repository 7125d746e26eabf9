"""`python -m converter sign`: with keys as openssl makes them, and what is refused."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from converter.__main__ import main
from converter.signing import sign_bundle
from device.errors import BundleError, ConfigError
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.signature import PublicKey
from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

    from tests.signing_keys import KeyPair


def _openssl(*words: str) -> None:
    subprocess.run([program("openssl"), *words], check=True, capture_output=True, timeout=30)


def test_keys_that_openssl_made_sign_and_verify(
    tmp_path: Path, tiny_low_bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    private, public, out = tmp_path / "auricle.key", tmp_path / "auricle.pub", tmp_path / "signed.tflite"
    _openssl("genpkey", "-algorithm", "ed25519", "-out", str(private))
    _openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
    assert main(["sign", str(tiny_low_bundle_path), "--key", str(private), "--out", str(out)]) == 0
    key = PublicKey.read(public)
    assert capsys.readouterr().out == f"{out}: signed with key {key.key_id}\n"
    assert read_bundle(out, key=key).label_names == ("low", "normal")


def test_a_signature_replaces_another(
    tmp_path: Path, tiny_low_bundle_path: Path, maker: KeyPair, stranger: KeyPair
) -> None:
    signed, again, direct = tmp_path / "a.tflite", tmp_path / "b.tflite", tmp_path / "c.tflite"
    sign_bundle(tiny_low_bundle_path, stranger.private, signed)
    sign_bundle(signed, maker.private, again)
    sign_bundle(tiny_low_bundle_path, maker.private, direct)
    assert again.read_bytes() == direct.read_bytes()


def test_a_damaged_bundle_is_not_signed(tmp_path: Path, tiny_low_bundle_path: Path, maker: KeyPair) -> None:
    damaged, out = tmp_path / "damaged.tflite", tmp_path / "signed.tflite"
    data = bytearray(tiny_low_bundle_path.read_bytes())
    data[1000] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(BundleError, match="does not match its SHA-256"):
        sign_bundle(damaged, maker.private, out)
    assert not out.exists()


def test_what_is_no_usable_key_is_refused(tmp_path: Path, tiny_low_bundle_path: Path, maker: KeyPair) -> None:
    other, locked = tmp_path / "p256.key", tmp_path / "locked.key"
    _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(other))
    _openssl("pkey", "-in", str(maker.private), "-aes256", "-passout", "pass:x", "-out", str(locked))
    for file, why in (
        (other, "holds no Ed25519 key"),
        (locked, "has a passphrase"),
        (maker.public, "is no private key in PEM"),
        (tmp_path / "gone", "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=why):
            sign_bundle(tiny_low_bundle_path, file, tmp_path / "signed.tflite")


def test_a_signature_covers_backbone_and_head(
    tmp_path: Path, carrying_bundle_paths: tuple[Path, Path], maker: KeyPair
) -> None:
    key, signed = PublicKey.read(maker.public), tmp_path / "signed.tflite"
    sign_bundle(carrying_bundle_paths[0], maker.private, signed)
    bundle = read_bundle(signed, key=key)
    assert bundle.head is not None
    data = signed.read_bytes()
    for part in (bundle.network, bundle.head.network):
        at = data.index(part[:64])
        altered = tmp_path / "altered.tflite"
        altered.write_bytes(data[: at + 40] + bytes([data[at + 40] ^ 1]) + data[at + 41 :])
        with pytest.raises(BundleError, match="signature"):
            read_bundle(altered, key=key)
        with pytest.raises(BundleError, match=r"does not match its (SHA-256|checksum)"):
            read_bundle(altered)
