"""Proofs of passwords and tokens: right ones match, nothing else does, and none gives its secret away."""

from __future__ import annotations

import re

import pytest

from device.web.access.proofs import (
    is_password,
    is_password_proof,
    is_token,
    is_token_proof,
    new_password,
    new_token,
    password_proof,
    token_proof,
)


def test_a_password_has_its_proof_and_no_other_has() -> None:
    proof = password_proof("night-owl")
    assert is_password_proof(proof)
    assert is_password("night-owl", proof)
    assert not is_password("night-ow1", proof)
    assert "night-owl" not in proof
    assert password_proof("night-owl") != proof, "two people with one password must not be seen to have it"


def test_a_token_has_its_proof_and_no_other_has() -> None:
    token = new_token()
    assert is_token(token, token_proof(token))
    assert not is_token(new_token(), token_proof(token))
    assert is_token_proof(token_proof(token))
    assert not is_token(token, password_proof(token)), "a password is no token"


def test_made_passwords_can_be_typed_and_differ() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"([a-hj-km-np-z2-9]{4}-){3}[a-hj-km-np-z2-9]{4}", password) for password in made)


@pytest.mark.parametrize(
    "proof",
    [
        "",
        "night-owl",
        "scrypt:16384:8:5:AAAA:AAAA",
        f"scrypt:{1 << 30}:8:5:AAAA:{'A' * 43}=",  # would take a terabyte
        f"scrypt:16384:8:5:?:{'A' * 43}=",
        f"scrypt:16384:8:5000:AAAA:{'A' * 43}=",
        f"scrypt:-1:8:5:AAAA:{'A' * 43}=",
        "sha256:00",
    ],
)
def test_what_is_no_proof_lets_nobody_in(proof: str) -> None:
    assert not is_password_proof(proof)
    assert not is_password("", proof)
    assert not is_token("", proof)
