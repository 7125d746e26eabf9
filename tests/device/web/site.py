"""A page, served over HTTP, of a scripted daemon: what it answers is set, what it is asked is remembered."""

from __future__ import annotations

import re
import ssl
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import httpx

from device.commands import Outcome
from device.config.web_settings import WebSettings
from device.runtime.sockets.command_socket import CommandServer
from device.runtime.sockets.status_socket import StatusServer
from device.web.access.accounts import Account, AccountBook, write_accounts
from device.web.access.proofs import new_token, password_proof, token_proof
from device.web.access.sessions import Sessions
from device.web.access.visitors import Visitors
from device.web.live.daemon_link import DaemonLink
from device.web.night.happenings import Happenings
from device.web.night.hearing_record import HearingRecord
from device.web.night.journal_tail import JournalTail
from device.web.pages.now_view import PageFacts
from device.web.requests.gatekeeper import Gatekeeper
from device.web.requests.serving import bound, server_of
from device.web.server.application import application
from device.web.server.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from device.commands import Command
    from device.runtime.daemon_state import DaemonState
    from device.runtime.sockets.recent_hearing import HeardItem

PASSWORD = "night-owl-night"  # noqa: S105 - of nobody
PROOF = password_proof(PASSWORD, cost=16)
TOKEN = new_token()
PEOPLE = (
    Account("anna", "operator", PROOF),
    Account("ben", "viewer", PROOF),
    Account("program", "operator", token_proof(TOKEN)),
)


class Site:
    """One page; a context manager.

    Args:
        folder: of its own.
        state: that the daemon answers; None for a daemon that does not run.
        people: accounts.
        web: settings.
    """

    def __init__(
        self,
        folder: Path,
        state: DaemonState | None,
        *,
        people: tuple[Account, ...] = PEOPLE,
        web: WebSettings | None = None,
    ) -> None:
        self.folder = folder
        self.state = state
        self.heard: tuple[HeardItem, ...] = ()
        self.commands: list[Command] = []
        self.outcome = Outcome(done=True, sentence="it is done")
        self.reported: list[str] = []
        self.others: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._runs = state is not None
        self._closing = ExitStack()
        if people:
            write_accounts(folder / "accounts", people)
        self.book = AccountBook(folder / "accounts")
        self.sessions = Sessions(None, idle_s=86400.0)
        visitors = Visitors(self.book, self.sessions, may_be_open=not people, instance="anna")
        environment = {"RUNTIME_DIRECTORY": str(folder / "run"), "STATE_DIRECTORY": str(folder / "state")}
        self.service = Service(
            link=DaemonLink("anna", environment=environment),
            tail=JournalTail(lambda: folder / "alarms.db"),
            happenings=Happenings(lambda: folder / "alarms.db", folder / "clips"),
            hearing=HearingRecord(folder / "heard"),
            gate=Gatekeeper(visitors, report=self.reported.append, session_s=86400.0),
            facts=PageFacts("anna", None, 1800.0),
            epoch="0badcafe",
            report=self.reported.append,
        )
        self.web = web or WebSettings()

    def __enter__(self) -> Self:
        if self._runs:
            status = self.folder / "run" / "status.sock"
            self._closing.enter_context(StatusServer(status, lambda: self.state, lambda: self.heard))
            self._closing.enter_context(CommandServer(status.with_name("command.sock"), self._execute))
        listening = self._closing.enter_context(bound("127.0.0.1:0"))
        self.address = f"127.0.0.1:{listening.getsockname()[1]}"
        server = server_of(application(self.service, self.web, others=self.others), self.web)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        self._closing.callback(thread.join)
        self._closing.callback(setattr, server, "should_exit", True)
        self.client = self._closing.enter_context(self.another_client())
        while self.service.link.newest.number < 1:
            time.sleep(0.01)
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.close()

    def another_client(self) -> httpx.Client:
        """A browser that is nobody yet."""
        cert = self.web.cert_file
        verify = True if cert is None else ssl.create_default_context(cafile=cert)
        scheme = "http" if cert is None else "https"
        return httpx.Client(base_url=f"{scheme}://{self.address}", trust_env=False, timeout=20.0, verify=verify)

    def log_in(self, name: str = "anna", password: str = PASSWORD) -> str:
        """Log the browser in; returns the proof that its forms carry."""
        answer = self.client.post("/login", data={"name": name, "password": password})
        assert answer.status_code == 303, answer.text
        return self.csrf()

    def csrf(self) -> str:
        """The proof that the first screen carries."""
        found = re.search(r'<meta name="csrf" content="(\w+)">', self.client.get("/").text)
        assert found is not None
        return found[1]

    def command(self, verb: str, members: dict[str, Any], **headers: str) -> Any:
        """Send a command as a program does."""
        return self.client.post(f"/api/{verb}", json=members, headers=headers)

    def _execute(self, command: Command) -> Outcome:
        self.commands.append(command)
        return self.outcome

    def show(self, **changed: object) -> None:
        """Have the daemon answer otherwise from now on."""
        assert self.state is not None
        self.state = replace(self.state, **changed)  # type: ignore[arg-type]


def wait_until_it_asked(site: Site) -> None:
    """Wait until the page has asked the daemon once more, from the beginning of the question on."""
    newest = site.service.link.newest.number
    while site.service.link.newest.number < newest + 2:
        time.sleep(0.01)
