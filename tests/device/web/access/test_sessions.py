"""Logins: they expire, can be ended, outlive a restart, and their file lets nobody in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.web.access.sessions import MOST_SESSIONS, Sessions, csrf_of, is_csrf

if TYPE_CHECKING:
    from pathlib import Path

_DAY_S = 86400.0


def _begin(sessions: Sessions, account: str = "anna", now_utc_s: float = 0.0) -> str:
    return sessions.begin(account, proof="scrypt:", address="192.0.2.7", agent="a phone", now_utc_s=now_utc_s)


def test_a_login_holds_while_it_is_used_and_ends_when_it_is_not(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions.json", idle_s=30 * _DAY_S)
    token = _begin(sessions)
    for day in (20.0, 40.0, 60.0):
        assert sessions.find(token, day * _DAY_S) is not None
    assert sessions.find(token, 91 * _DAY_S) is None
    assert sessions.find(token, 0.0) is None, "once it has ended, it stays so"


def test_a_login_outlives_a_restart_and_its_file_holds_no_token(tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    token = _begin(Sessions(path, idle_s=_DAY_S))
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    found = Sessions(path, idle_s=_DAY_S).find(token, 1.0)
    assert found is not None
    assert (found.account, found.address) == ("anna", "192.0.2.7")


def test_one_login_is_ended_and_the_others_go_on(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path / "sessions.json", idle_s=_DAY_S)
    phone, desktop = _begin(sessions), _begin(sessions, now_utc_s=5.0)
    assert [session.since_utc_s for session in sessions.of("anna")] == [5.0, 0.0]
    sessions.end(sessions.of("anna")[1].key)
    assert sessions.find(phone, 10.0) is None
    assert sessions.find(desktop, 10.0) is not None
    assert sessions.of("ben") == []


def test_logins_are_bounded(tmp_path: Path) -> None:
    sessions = Sessions(None, idle_s=_DAY_S)
    first = _begin(sessions)
    for number in range(MOST_SESSIONS):
        _begin(sessions, now_utc_s=1.0 + number)
    assert sessions.find(first, 200.0) is None
    assert len(sessions.of("anna")) == MOST_SESSIONS
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "{}", '[{"key": 1}]', "[[]]", '["\\ud800"]'])
def test_a_damaged_file_costs_a_new_login_and_nothing_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "sessions.json").write_text(text)
    sessions = Sessions(tmp_path / "sessions.json", idle_s=_DAY_S)
    assert sessions.of("anna") == []
    assert sessions.find(_begin(sessions), 1.0) is not None


def test_the_proof_against_forged_requests_belongs_to_one_login() -> None:
    assert is_csrf(csrf_of("a"), "a")
    assert not is_csrf(csrf_of("a"), "b")
    assert not is_csrf("", "a")
    assert not is_csrf("\ud800ä", "a")
