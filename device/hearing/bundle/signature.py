"""The signature of a bundle: Ed25519 over every byte of the file before a trailer of fixed length.

The trailer is the comment of the appended zip, so any zip tool still opens the file and shows who signed it:

    auricle-ed25519 <id of the key, 16 hex digits> <signature, 128 hex digits>

The length of the comment stands before the trailer and is signed with all the rest. The id is the beginning of the
SHA-256 of the public key; it says which key to try and proves nothing. Where a key is configured, the signature is
checked before any other byte is looked at.

`cryptography` (the extra `signing`) is imported where a key is read, and nowhere else.
"""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from device.errors import BundleError, ConfigError, MissingExtraError
from device.printable import printable
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Callable

TRAILER_BYTES = 162
MAX_KEY_BYTES = 1 << 14

_MARK = b"auricle-ed25519 "
_TRAILER = re.compile(rb"auricle-ed25519 ([0-9a-f]{16}) ([0-9a-f]{128})\n")
_LENGTH = struct.Struct("<H")  # of the zip's comment; APPNOTE.TXT 4.3.16, the last field of the end record
_NO_COMMENT = _LENGTH.pack(0)
_WITH_TRAILER = _LENGTH.pack(TRAILER_BYTES)
_HOW = "python -m converter sign signs one"


class Trailer(NamedTuple):
    """What stands at the end of a signed file.

    Attributes:
        key_id: of the key that is said to have signed it.
        signature: 64 bytes.
    """

    key_id: str
    signature: bytes


def split_trailer(file: bytes) -> tuple[bytes, Trailer | None]:
    """The file as it was before it was signed, and its trailer; an unsigned file is returned as it is.

    Raises:
        BundleError: there is a trailer that the zip before it does not announce.
    """
    trailer = _trailer(file)
    if trailer is None:
        return file, None
    signed = file[:-TRAILER_BYTES]
    if signed[-2:] != _WITH_TRAILER:
        raise BundleError("bytes stand between the archive and the signature; none are allowed")
    return signed[:-2] + _NO_COMMENT, trailer


def with_trailer(unsigned: bytes, key_id: str, sign: Callable[[bytes], bytes]) -> bytes:
    """The signed file.

    Args:
        unsigned: a bundle without a trailer.
        key_id: from `key_id_of`.
        sign: Ed25519, of the bytes that it is given.
    """
    signed = unsigned[:-2] + _WITH_TRAILER
    return signed + _MARK + f"{key_id} {sign(signed).hex()}\n".encode("ascii")


def key_id_of(public_key: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of a raw public key (32 bytes)."""
    return hashlib.sha256(public_key).hexdigest()[:16]


class PublicKey:
    """A key that says which bundles may be loaded.

    Args:
        key: of `cryptography`, Ed25519.

    Attributes:
        key_id: by which people tell keys apart.
    """

    def __init__(self, key: Any) -> None:
        self._key = key
        self.key_id = key_id_of(key.public_bytes_raw())

    def __repr__(self) -> str:
        return f"PublicKey({self.key_id})"

    @classmethod
    def read(cls, path: Path | str) -> PublicKey:
        """The key in a PEM file, as `openssl pkey -pubout` writes it.

        Raises:
            ConfigError: the file cannot be read, or holds no public Ed25519 key.
            MissingExtraError: `cryptography` is not installed.
        """
        where = printable(str(path))
        data = key_file_bytes(path)
        if b"PRIVATE KEY" in data:
            cure = "take it away from this machine, and write the public one with openssl pkey -pubout"
            raise ConfigError(f"{where} holds a private key; {cure}")
        serialization, ed25519 = _cryptography()
        try:
            key = serialization.load_pem_public_key(data)
        except Exception:  # noqa: BLE001 - which errors a damaged key raises changes with the release
            raise ConfigError(f"{where} is no public key in PEM; openssl pkey -pubout writes one") from None
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise ConfigError(f"{where} holds no Ed25519 key; openssl genpkey -algorithm ed25519 makes one")
        return cls(key)

    def check(self, file: bytes) -> None:
        """Refuse a file that was not signed with this key, or was changed since.

        Raises:
            BundleError: it says which.
        """
        trailer = _trailer(file)
        if trailer is None:
            raise BundleError(_why_unsigned(file))
        if trailer.key_id != self.key_id:
            raise BundleError(
                f"signed with key {trailer.key_id}, and key {self.key_id} is configured; "
                "get the bundle from whoever holds that one"
            )
        try:
            self._key.verify(trailer.signature, file[:-TRAILER_BYTES])
        except Exception:  # noqa: BLE001 - cryptography.exceptions.InvalidSignature, and nothing else is trusted either
            raise BundleError(
                f"its signature by key {self.key_id} does not fit: the file was changed after it was signed, "
                "or somebody else signed it; get it anew"
            ) from None


def key_file_bytes(path: Path | str) -> bytes:
    """The bytes of a key's file.

    Raises:
        ConfigError: it cannot be read, or is too large to hold a key.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_KEY_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", None) or error
        raise ConfigError(f"the key {printable(str(path))} cannot be read: {why}") from None
    if len(data) > MAX_KEY_BYTES:
        raise ConfigError(f"{printable(str(path))} is larger than any key")
    return data


def _cryptography() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingExtraError("cryptography is not installed; pip install 'auricle[signing]' brings it") from None
    return serialization, ed25519


def _trailer(file: bytes) -> Trailer | None:
    found = _TRAILER.fullmatch(file[-TRAILER_BYTES:])
    return None if found is None else Trailer(found[1].decode("ascii"), bytes.fromhex(found[2].decode("ascii")))


def _why_unsigned(file: bytes) -> str:
    """Why no trailer stands at the end of a file."""
    at = file.rfind(_MARK, max(0, len(file) - 16 * TRAILER_BYTES))
    if at < 0:
        return f"not signed, or cut short, and a public key is configured: only signed bundles are loaded; {_HOW}"
    follow = len(file) - at - TRAILER_BYTES
    if follow > 0:
        return f"{quantity(follow, 'byte follows', 'bytes follow')} the signature; none is allowed"
    if follow < 0:
        return f"the signature is cut short: {quantity(-follow, 'byte')} of it missing; get the bundle anew"
    return "the signature at the end is damaged; get the bundle anew"
