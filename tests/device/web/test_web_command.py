"""`auricle web`: accounts, tokens and certificates are made, shown once, and an open network is refused."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING

import pytest

from device.__main__ import main
from device.config.settings import Settings
from device.config.web_settings import WebSettings
from device.errors import ConfigError, ServiceError
from device.runtime.paths import ward_folder, web_folder
from device.runtime.secrets.page_certificate import check_certificate
from device.web.access.accounts import AccountBook
from device.web.page_process import serve_page
from device.web.requests.serving import address_of, bound, is_loopback
from tests.device.web.site import PASSWORD, Site

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    return tmp_path / "auricle" / "nursery" / "web"


def test_a_first_password_is_made_and_shown_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "password", "anna"]) == 0
    shown = re.search(r"password, shown this once: (\S+)", capsys.readouterr().out)
    assert shown is not None
    book = AccountBook(folder / "accounts")
    account = book.by_password("anna", shown[1])
    assert account is not None
    assert account.role == "operator"
    assert shown[1] not in (folder / "accounts").read_text()


def test_tokens_and_roles_are_kept_listed_and_removed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "token", "home-assistant"]) == 0
    first = capsys.readouterr().out.rpartition(" ")[2].strip()
    assert main(["web", "token", "home-assistant", "--role", "operator"]) == 0
    second = capsys.readouterr().out.rpartition(" ")[2].strip()
    book = AccountBook(folder / "accounts")
    assert book.by_token(first) is None, "a new token is in place of the old one"
    account = book.by_token(second)
    assert account is not None
    assert account.role == "operator"
    assert main(["web", "accounts"]) == 0
    assert capsys.readouterr().out == f"{'home-assistant':<32} operator  token\n"
    assert main(["web", "remove", "home-assistant"]) == 0
    assert book.accounts == ()
    assert main(["web", "remove", "home-assistant"]) == 2
    assert "there are none" in capsys.readouterr().err


def test_a_certificate_is_made_for_this_machine_and_never_over_another(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["web", "certificate", "--name", "anna.local", "--name", "192.0.2.7"]) == 0
    assert f'cert_file = "{folder}/page.crt"' in capsys.readouterr().out
    assert (folder / "page.key").stat().st_mode & 0o777 == 0o600
    settings = WebSettings(cert_file=str(folder / "page.crt"), key_file=str(folder / "page.key"))
    check_certificate(settings)
    context = ssl.create_default_context(cafile=str(folder / "page.crt"))
    assert context.cert_store_stats()["x509"] == 1
    assert main(["web", "certificate"]) == 2
    assert "is there already; --replace makes a new" in capsys.readouterr().err
    assert main(["web", "certificate", "--replace", "--name", "not a name ☃"]) == 2


def test_a_page_with_that_certificate_is_served_over_tls_and_its_cookie_stays_there(
    folder: Path, tmp_path: Path, state: DaemonState
) -> None:
    assert main(["web", "certificate", "--name", "127.0.0.1"]) == 0
    web = WebSettings(cert_file=str(folder / "page.crt"), key_file=str(folder / "page.key"))
    with Site(tmp_path, state, web=web) as site:
        answer = site.client.post("/login", data={"name": "anna", "password": PASSWORD})
        assert "Secure" in answer.headers["set-cookie"]
        assert site.client.get("/api/state").json()["hears"] is True


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (WebSettings(cert_file="a.crt"), 'has "cert_file" alone'),
        (WebSettings(cert_file="/missing.crt", key_file="/missing.key"), "cannot be used: No such file"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_said_so(settings: WebSettings, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check_certificate(settings)


def test_the_network_is_refused_without_an_account_and_off_means_off(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="can be reached from the network, and there is no account"):
        serve_page(Settings(), "nursery", listen="0.0.0.0:8127")
    assert main(["web"]) == 2
    assert 'the page is off: set listen = "127.0.0.1:8127" in [web]' in capsys.readouterr().err


def test_an_address_that_is_taken_is_one_sentence() -> None:
    with (
        bound("127.0.0.1:0") as listening,
        pytest.raises(ServiceError, match="Address already in use; name another in"),
    ):
        bound(f"127.0.0.1:{listening.getsockname()[1]}")


@pytest.mark.parametrize(
    ("listen", "address", "own"),
    [
        ("127.0.0.1:8127", ("127.0.0.1", 8127), True),
        ("[::1]:8127", ("::1", 8127), True),
        ("localhost:80", ("localhost", 80), True),
        ("192.0.2.0:8127", ("192.0.2.0", 8127), False),
        ("[::]:8127", ("::", 8127), False),
        ("192.0.2.7:8127", ("192.0.2.7", 8127), False),
    ],
)
def test_only_this_machines_own_addresses_need_no_password(listen: str, address: tuple[str, int], own: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    assert address_of(listen) == address
    assert is_loopback(listen) is own


def test_the_right_to_listen_in_is_given_kept_and_withdrawn_without_another_password(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["web", "password", "anna", "--role", "viewer", "--listen-in"]) == 0
    book = AccountBook(folder / "accounts")
    first = book.named("anna")
    assert first is not None
    assert (first.role, first.may_listen) == ("viewer", True)
    assert main(["web", "password", "anna"]) == 0
    second = book.named("anna")
    assert second is not None
    assert second.may_listen, "another password leaves the rights as they are"
    capsys.readouterr()
    assert main(["web", "accounts"]) == 0
    assert capsys.readouterr().out == f"{'anna':<32} viewer    password, may listen in\n"
    assert main(["web", "allow", "anna", "--no-listen-in", "--role", "operator"]) == 0
    third = book.named("anna")
    assert third is not None
    assert (third.role, third.may_listen, third.proof) == ("operator", False, second.proof)
    assert main(["web", "allow", "anna"]) == 2
    assert "say what anna may do: " in capsys.readouterr().err
    assert main(["web", "allow", "ben", "--listen-in"]) == 2
    assert "'ben' is no account" in capsys.readouterr().err


def test_a_ward_and_a_bed_of_one_name_share_neither_accounts_nor_logins(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "nursery.toml"
    file.write_text('[mqtt]\nhost = "127.0.0.1"\n')
    assert main(["web", "password", "anna", "--config", str(file)]) == 0
    assert main(["web", "--ward", str(file), "password", "nora", "--role", "viewer"]) == 0
    assert "nora (viewer) may log in at the page of the ward nursery" in capsys.readouterr().out
    of_ward = folder.parent / "ward" / "accounts"
    for path, name in ((folder / "accounts", "anna"), (of_ward, "nora")):
        assert [account.name for account in AccountBook(path).accounts] == [name]
    assert ward_folder("nursery") == of_ward.parent != web_folder("nursery")
    assert main(["web", "--ward", str(file), "remove", "anna"]) == 2
    assert "'anna' is no account" in capsys.readouterr().err
    assert main(["web", "--ward", str(file), "certificate"]) == 0
    assert (folder.parent / "ward" / "page.crt").exists()


def test_a_ward_that_the_network_reaches_demands_an_account_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "nursery.toml"
    file.write_text('[mqtt]\nhost = "127.0.0.1"\n')
    assert main(["web", "password", "anna", "--config", str(file)]) == 0
    assert main(["web", "--ward", str(file), "--listen", "0.0.0.0:0"]) == 2
    assert f"make one with auricle web --ward {file} password NAME" in capsys.readouterr().err
