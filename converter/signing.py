"""Signs a bundle with a private key; `device.hearing.bundle.signature` has the form, and checks it on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from device.errors import BundleError, ConfigError, MissingExtraError
from device.hearing.bundle.reader import decode_bundle, file_bytes
from device.hearing.bundle.signature import PublicKey, key_file_bytes, split_trailer, with_trailer
from device.hearing.bundle.writer import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def sign_bundle(bundle: Path, key_file: Path, out: Path) -> str:
    """Write the signed copy of a bundle, instead of a signature that it may have; returns the id of the key.

    Args:
        bundle: that holds in every other way.
        key_file: private Ed25519 key in PEM, as `openssl genpkey -algorithm ed25519` writes it.
        out: the file to write.

    Raises:
        BundleError: it is damaged.
        ConfigError: the key cannot be read, or is none of Ed25519.
        MissingExtraError: `cryptography` is not installed.
        OSError: the file cannot be written.
    """
    private = _private_key(key_file)
    public = PublicKey(private.public_key())
    try:
        file = file_bytes(bundle)
        decode_bundle(file)
        signed = with_trailer(split_trailer(file)[0], public.key_id, private.sign)
        public.check(signed)
        decode_bundle(signed)
    except BundleError as error:
        raise BundleError(f"{bundle}: {error}") from None
    write_whole(out, signed)
    return public.key_id


def _private_key(path: Path) -> Any:
    data = key_file_bytes(path)
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtraError("cryptography is not installed; pip install 'auricle[signing]' brings it") from None
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except TypeError:
        raise ConfigError(f"{path} has a passphrase; openssl pkey -in {path} -out FILE takes it off") from None
    except Exception:  # noqa: BLE001 - which errors a damaged key raises changes with the release
        raise ConfigError(f"{path} is no private key in PEM; openssl genpkey -algorithm ed25519 makes one") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ConfigError(f"{path} holds no Ed25519 key; openssl genpkey -algorithm ed25519 makes one")
    return key
