"""Listening in: off, on, let by the daemon or not, and who has the right."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from device.config.web_settings import WebSettings
from device.findings import Finding
from device.tools.check.listening_check import check_listening
from device.web.access.accounts import Account, write_accounts
from device.web.access.proofs import new_token, token_proof

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

ON = WebSettings(listen="127.0.0.1:8127", listen_in=True)


def _checked(folder: Path, settings: WebSettings, state: DaemonState | None) -> Finding:
    paths = {"socket": folder / "sound.sock", "accounts": folder / "accounts"}
    return check_listening(settings, "anna", state, **paths)


def _accounts(folder: Path, **may_listen: bool) -> None:
    (folder / "sound.sock").touch()
    proof = token_proof(new_token())
    write_accounts(folder / "accounts", [Account(name, "viewer", proof, may) for name, may in may_listen.items()])


def test_it_is_off_unless_it_is_configured(tmp_path: Path, state: DaemonState) -> None:
    off = Finding("listening", "ok", "nobody can listen in: listen_in in [web] is off")
    assert _checked(tmp_path, WebSettings(), None) == off
    assert _checked(tmp_path, WebSettings(), dataclasses.replace(state, listening_in=None)) == off


def test_those_who_have_the_right_are_named_and_so_is_how_many_listen(tmp_path: Path, state: DaemonState) -> None:
    _accounts(tmp_path, nora=True, ben=False, player=True)
    assert _checked(tmp_path, ON, None).summary == "it is on, and the daemon does not run; may: nora, player"
    silent = _checked(tmp_path, ON, dataclasses.replace(state, listening_in=()))
    assert silent == Finding("listening", "ok", "it is on, nobody listens in now; may: nora, player")
    heard = _checked(tmp_path, ON, dataclasses.replace(state, listening_in=("nora",)))
    assert heard.summary == "it is on, 1 listen in now; may: nora, player"


@pytest.mark.parametrize(
    ("settings", "listening_in", "outcome", "says"),
    [
        (WebSettings(), (), "warning", "the daemon that runs still lets people listen in"),
        (ON, None, "failure", "the daemon that runs lets nobody listen in"),
        (WebSettings(listen_in=True), (), "warning", "no page is served"),
    ],
)
def test_a_daemon_that_does_otherwise_than_configured_is_named(
    tmp_path: Path,
    state: DaemonState,
    settings: WebSettings,
    listening_in: tuple[str, ...] | None,
    outcome: str,
    says: str,
) -> None:
    _accounts(tmp_path, nora=True)
    finding = _checked(tmp_path, settings, dataclasses.replace(state, listening_in=listening_in))
    assert finding.outcome == outcome
    assert says in finding.summary
    assert finding.cure


def test_a_socket_that_is_gone_is_a_failure(tmp_path: Path, state: DaemonState) -> None:
    _accounts(tmp_path, nora=True)
    (tmp_path / "sound.sock").unlink()
    finding = _checked(tmp_path, ON, dataclasses.replace(state, listening_in=()))
    assert (finding.outcome, "sound.sock" in finding.summary) == ("failure", True)


def test_no_right_and_no_readable_file_are_warnings(tmp_path: Path) -> None:
    none = _checked(tmp_path, ON, None)
    assert (none.outcome, none.summary) == (
        "warning",
        "it is on, and the daemon does not run; no account has the right",
    )
    _accounts(tmp_path, ben=False)
    assert _checked(tmp_path, ON, None) == none
    (tmp_path / "accounts").write_bytes(b"\xff\xfe")
    assert "cannot be read: it is no file of accounts" in _checked(tmp_path, ON, None).summary
    (tmp_path / "accounts").unlink()
    (tmp_path / "accounts").mkdir()
    assert "cannot be read: Is a directory" in _checked(tmp_path, ON, None).summary
