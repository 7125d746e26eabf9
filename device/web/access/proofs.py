"""Proofs of who somebody is, as the file of accounts holds them: of a password by scrypt, of a token by SHA-256.

A password is short, so its proof costs time and memory. A token has 256 random bits, which no hash gives away.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
_GROUPS, _GROUP_LETTERS = 4, 4
_PROGRAM = "auricle-"

# 16 MiB and a quarter of a second of a desktop: OWASP's password storage cheat sheet, the row for little memory.
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 5
_SALT_BYTES, _HASH_BYTES = 16, 32
_MOST_MEMORY = 64 << 20


def new_password() -> str:
    """A password of 79 random bits that can be typed on a phone: `abcd-efgh-jkmn-pqrs`."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LETTERS)) for _ in range(_GROUPS))


def new_token() -> str:
    """A token of 256 random bits for a program."""
    return _PROGRAM + secrets.token_urlsafe(32)


def password_proof(password: str, *, cost: int = _COST) -> str:
    """`scrypt:COST:BLOCK:PARALLEL:SALT:HASH`, salt and hash in base64.

    Args:
        password: to prove.
        cost: a power of 2; the proof says it, so it may differ from account to account.
    """
    salt = secrets.token_bytes(_SALT_BYTES)
    made = _scrypt(password, salt, cost, _BLOCK, _PARALLEL)
    return f"scrypt:{cost}:{_BLOCK}:{_PARALLEL}:{_text(salt)}:{_text(made)}"


def token_proof(token: str) -> str:
    """`sha256:HASH`, in hexadecimal."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def is_password_proof(proof: str) -> bool:
    """Whether it is the proof of a password that this version can compute."""
    return _parsed(proof) is not None


def is_token_proof(proof: str) -> bool:
    """Whether it is the proof of a token."""
    kind, _, digits = proof.partition(":")
    return kind == "sha256" and len(digits) == 64 and all(digit in "0123456789abcdef" for digit in digits)


def is_password(password: str, proof: str) -> bool:
    """Whether a password has this proof; takes as long where it has not. A proof that is none takes no time."""
    parsed = _parsed(proof)
    if parsed is None:
        return False
    cost, block, parallel, salt, expected = parsed
    return hmac.compare_digest(_scrypt(password, salt, cost, block, parallel), expected)


def is_token(token: str, proof: str) -> bool:
    """Whether a token has this proof."""
    return is_token_proof(proof) and hmac.compare_digest(token_proof(token), proof)


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=_MOST_MEMORY, dklen=_HASH_BYTES
    )


def _parsed(proof: str) -> tuple[int, int, int, bytes, bytes] | None:
    """The parts of a password's proof; None if it is none, or would cost more memory or time than ours."""
    kind, *parts = proof.split(":")
    if kind != "scrypt" or len(parts) != 5 or not all(part.isascii() and part.isdigit() for part in parts[:3]):
        return None
    cost, block, parallel = (int(part) for part in parts[:3])
    is_ours = 2 <= cost <= 1 << 15 and cost & (cost - 1) == 0 and 1 <= block <= 8 and 1 <= parallel <= 16
    try:
        salt, expected = (base64.b64decode(part, validate=True) for part in parts[3:])
    except (binascii.Error, ValueError):
        return None
    return (cost, block, parallel, salt, expected) if is_ours and len(expected) == _HASH_BYTES else None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
