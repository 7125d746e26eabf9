"""The programs of docs/web.md that read events and acknowledge alarms, run as printed, over TLS."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from device.__main__ import main
from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.commands import Acknowledge
from device.config.web_settings import WebSettings
from tests.device.web.printed_clients import printed_client
from tests.device.web.site import TOKEN, Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

WITHIN_S = 60.0
BODY = {"alarm_id": "s-cry-0", "change": "raised", "name": "cry", "priority": "high"}


@pytest.fixture
def site(tmp_path: Path, state: DaemonState, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Served with a certificate that lies in the folder of the programs."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    assert main(["web", "certificate", "--name", "127.0.0.1"]) == 0
    web = WebSettings(cert_file=str(tmp_path / "page.crt"), key_file=str(tmp_path / "page.key"))
    with Site(tmp_path, state, web=web) as site:
        yield site


def _environment(site: Site) -> dict[str, str]:
    page = {"PAGE": f"https://{site.address}/", "TOKEN": TOKEN, "NODE_EXTRA_CA_CERTS": "page.crt"}
    return {**os.environ, **page, "NO_COLOR": "1"}


def test_the_python_client_prints_a_change_of_an_alarm_as_it_happens(site: Site, tmp_path: Path) -> None:
    command = printed_client("python", "api/events", tmp_path)
    with Journal.open(tmp_path / "alarms.db", max_bytes=8_000_000) as journal:
        client = subprocess.Popen(
            command, cwd=tmp_path, env=_environment(site), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        with client:
            try:
                assert client.stdout is not None
                for seq in range(int(WITHIN_S)):  # it may not read yet when the first happens
                    entry = Entry("s-cry-0", seq, time.time(), urgent=True, alarm="{}", body=json.dumps(BODY))
                    journal.append([entry])
                    if select.select([client.stdout], [], [], 1.0)[0]:
                        break
                assert client.stdout.readline() == "raised cry high\n"
            finally:
                client.kill()


def test_the_node_client_acknowledges_what_is_open(site: Site, tmp_path: Path) -> None:
    printed = subprocess.run(
        printed_client("js", "api/acknowledge", tmp_path),
        cwd=tmp_path,
        env=_environment(site),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=WITHIN_S,
    ).stdout
    assert printed == "{ done: true, sentence: 'it is done' }\n"
    (command,) = site.commands
    assert isinstance(command, Acknowledge)
    assert command.alarm_id == "s-cry-cry-2"
