"""Who may look and who may command, over real sockets of a daemon: logins, tokens, roles, forged requests."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import pytest

from device.commands import Acknowledge, Pause, Resume, SelfTest
from device.web.access.accounts import Account, write_accounts
from device.web.access.proofs import password_proof
from tests.device.web.site import PASSWORD, PEOPLE, TOKEN, Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

ME = getpass.getuser()
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def site(tmp_path: Path, state: DaemonState) -> Iterator[Site]:
    with Site(tmp_path, state) as site:
        yield site


def test_nobody_sees_anything_without_a_login(site: Site) -> None:
    assert site.client.get("/").headers["location"] == "./login"
    for path in ("/live", "/api/state"):
        assert site.client.get(path).status_code in {303, 401}
    for command in ("acknowledge", "pause", "resume", "self-test"):
        assert site.command(command, {}).status_code == 401
    assert site.client.get("/login").status_code == 200
    assert site.commands == []


def test_a_command_reaches_the_daemon_in_the_name_of_who_is_logged_in(site: Site) -> None:
    csrf = {"x-csrf-token": site.log_in()}
    answer = site.command("acknowledge", {"alarm_id": "s-cry-cry-2"}, **csrf)
    assert answer.json() == {"done": True, "sentence": "it is done"}
    for verb, members in (("acknowledge", {}), ("pause", {"duration_s": 600}), ("resume", {}), ("self-test", {})):
        assert site.command(verb, members, **csrf).status_code == 200
    by = f"anna ({ME})"
    acknowledged = [Acknowledge("s-cry-cry-2", by), Acknowledge(None, by)]
    assert site.commands == [*acknowledged, Pause(600.0, by), Resume(by), SelfTest(by)]


def test_a_form_works_without_a_script(site: Site) -> None:
    form = {"csrf": site.log_in(), "duration_s": "600"}
    answer = site.client.post(
        "/api/pause", data=form, headers={"accept": "text/html", "origin": f"http://{site.address}"}
    )
    assert "it is done" in answer.text
    assert 'href="../"' in answer.text
    assert site.commands == [Pause(600.0, f"anna ({ME})")]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-csrf-token": "0" * 32},
    ],
)
def test_a_request_without_the_proof_of_our_page_is_refused(site: Site, headers: dict[str, str]) -> None:
    site.log_in()
    assert site.command("resume", {}, **headers).status_code == 403
    assert site.client.post("/api/resume", data={"csrf": headers.get("x-csrf-token", "")}).status_code == 403
    assert site.commands == []


@pytest.mark.parametrize(
    "headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_a_request_of_another_page_is_refused_even_with_the_proof(site: Site, headers: dict[str, str]) -> None:
    csrf = site.log_in()
    assert site.command("resume", {}, **{"x-csrf-token": csrf, **headers}).status_code == 403
    assert site.commands == []


def test_a_viewer_looks_and_does_not_command(site: Site) -> None:
    csrf = {"x-csrf-token": site.log_in("ben")}
    page = site.client.get("/").text
    assert "It hears" in page
    assert "<button" not in page
    answer = site.command("acknowledge", {}, **csrf)
    assert (answer.status_code, answer.json()) == (403, {"error": "ben may look, and not command"})
    assert site.commands == []


def test_a_program_sends_its_token_and_needs_no_other_proof(site: Site) -> None:
    assert site.client.get("/api/state", headers=BEARER).json()["state"]["instance"] == "anna"
    assert site.command("resume", {}, **BEARER).status_code == 200
    assert site.commands == [Resume(f"program ({ME})")]
    assert site.command("resume", {}, authorization="Bearer auricle-guessed").status_code == 401


def test_wrong_passwords_are_bounded_and_a_right_one_is_put_off_too(site: Site) -> None:
    for _ in range(5):
        answer = site.client.post("/login", data={"name": "anna", "password": "guessed-guess"})
        assert answer.status_code == 403
        assert "belong to nobody here" in answer.text
    answer = site.client.post("/login", data={"name": "anna", "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 300
    assert "too many logins have failed: try again in 5 min" in answer.text
    assert site.reported[-1] == "a login from 127.0.0.1 is put off: too many have failed"


def test_a_login_ends_for_this_browser_and_for_an_account_that_is_removed_or_has_another_password(site: Site) -> None:
    form = {"csrf": site.log_in()}
    assert site.client.post("/logout", data={"csrf": "no"}).status_code == 403
    answer = site.client.post("/logout", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "login")
    assert site.client.get("/api/state").status_code == 401
    site.log_in()
    write_accounts(site.folder / "accounts", [Account("anna", "operator", password_proof("another", cost=16))])
    assert site.client.get("/api/state").status_code == 401, "another password ends what the old one began"
    write_accounts(site.folder / "accounts", PEOPLE)
    assert site.client.get("/api/state").status_code == 200
    (site.folder / "accounts").write_text("")
    assert site.client.get("/api/state").status_code == 401


@pytest.mark.parametrize(
    ("verb", "content", "status", "says"),
    [
        ("pause", b'{"duration_s": 0}', 409, "duration_s must be a number of seconds"),
        ("pause", b'{"duration_s": 60, "duration_s": 61}', 400, "no JSON that can be trusted"),
        ("pause", b"[]", 400, "no JSON object"),
        ("pause", b"{" * 9000, 400, "may have 8192 bytes"),
        ("pause", b"\xff", 400, "not UTF-8"),
        ("resume", b'{"why": 1}', 409, "means nothing here"),
    ],
)
def test_what_is_no_command_is_refused_in_one_sentence(
    site: Site, verb: str, content: bytes, status: int, says: str
) -> None:
    answer = site.client.post(f"/api/{verb}", content=content, headers=BEARER)
    assert answer.status_code == status
    assert says in answer.json()["error"]
    assert site.commands == []


def test_a_daemon_that_does_not_run_is_said_so(tmp_path: Path) -> None:
    with Site(tmp_path, None) as site:
        answer = site.client.get("/api/state", headers=BEARER)
        assert answer.status_code == 503
        assert answer.json()["hears"] is False
        assert "no daemon runs; auricle listen" in answer.json()["problem"]
        assert "no daemon takes commands" in site.command("resume", {}, **BEARER).json()["error"]
        site.log_in()
        assert "Hears NOTHING, as far as is known" in site.client.get("/").text


def test_without_accounts_the_page_is_open_to_this_machine_alone(tmp_path: Path, state: DaemonState) -> None:
    with Site(tmp_path, state, people=()) as site:
        csrf = {"x-csrf-token": site.csrf()}
        assert site.command("resume", {}, **csrf).status_code == 200
        assert site.command("resume", {}).status_code == 403, "a browser's form of another page"
        assert site.commands == [Resume(f"this machine ({ME})")]
        for headers in ({"host": "evil.example:8127"}, {"x-forwarded-for": "203.0.113.9"}, {"via": "1.1 proxy"}):
            assert site.client.get("/api/state", headers=headers).status_code == 401


@pytest.mark.parametrize("kind", ["audio/wav", "application/octet-stream", "application/jsonx"])
def test_where_the_page_is_open_a_command_is_json_and_nothing_else(
    tmp_path: Path, state: DaemonState, kind: str
) -> None:
    with Site(tmp_path, state, people=()) as site:
        answer = site.client.post("/api/resume", content=b"", headers={"content-type": kind})
        assert answer.status_code == 403
        assert "application/json" in answer.json()["error"]
        assert site.commands == []


def test_where_the_page_is_open_a_recording_is_taken_from_a_program_and_no_form(
    tmp_path: Path, state: DaemonState
) -> None:
    with Site(tmp_path, state, people=()) as site:
        off, open_ = "recordings are not heard here", "without a login"
        for kind, says in {"audio/wav": off, "text/plain": open_, "multipart/form-data": open_}.items():
            answer = site.client.post("/api/classify", content=b"RIFF", headers={"content-type": kind})
            assert answer.status_code == 403
            assert says in answer.json()["error"]
        assert site.commands == []
