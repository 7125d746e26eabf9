"""A pair of Ed25519 keys in PEM files, as openssl writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

if TYPE_CHECKING:
    from pathlib import Path


class KeyPair(NamedTuple):
    """A private key, its file, and that of its public key."""

    private_key: Ed25519PrivateKey
    private: Path
    public: Path


def write_key_pair(folder: Path, name: str, seed: bytes) -> KeyPair:
    """Write NAME.key and NAME.pub; 32 bytes of seed are the private key."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    pair = KeyPair(key, folder / f"{name}.key", folder / f"{name}.pub")
    pair.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pair.public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return pair
