"""Apprise in a process of its own: a real one against a local server, and children that hang, die or babble."""

from __future__ import annotations

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from device.errors import ConfigError
from device.push.notification import Notification
from device.push.services import apprise_service
from device.push.services.apprise_service import AppriseService
from device.push.services.delivery_error import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CRY = Notification("anna: cry", "02:14: score 0.91.", "high", "s-cry-cry-0")
SECRET = "hush-4711"  # noqa: S105 - of a test


class Receiver:
    """What Apprise's `json://` posts to."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.refuses = False
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_arguments: object) -> None:
                return

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                refuses = receiver.refuses and self.path.startswith("/second")
                if not refuses:
                    receiver.bodies.append({"path": self.path, **body})
                self.send_response(500 if refuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def _refusal(service: AppriseService) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        service.send(CRY)
    assert SECRET not in str(caught.value)
    return caught.value


def test_real_apprise_sends_to_every_url_and_again_only_to_those_that_failed(receiver: Receiver) -> None:
    url = f"json://user:{SECRET}@127.0.0.1:{receiver.server.server_port}"
    service = AppriseService(f"# ours\n{url}/first\n\n{url}/second\n", os.environ)
    receiver.refuses = True
    error = _refusal(service)
    assert (error.obstacle, str(error)[:40]) == ("network", "URL 2 of Apprise's file accepts no messa")
    receiver.refuses = False
    assert service.send(CRY) == ""
    assert [body["path"].strip("/") for body in receiver.bodies] == ["first", "second"]
    assert (receiver.bodies[0]["title"], receiver.bodies[0]["message"]) == (CRY.title, CRY.text)
    assert receiver.bodies[0]["type"] == "failure"


def test_a_url_that_apprise_does_not_know_is_named_by_its_line(receiver: Receiver) -> None:
    url = f"json://127.0.0.1:{receiver.server.server_port}/first"
    error = _refusal(AppriseService(f"{url}\nnosuch://{SECRET}\n", os.environ))
    assert (error.obstacle, str(error)) == ("refused", "URL 2 of Apprise's file is none that it knows; correct it")


@pytest.mark.parametrize(
    ("script", "obstacle", "sentence"),
    [
        ("import os; os._exit(7)", "busy", "the process of Apprise ended with 7 and no result"),
        ("print('[]')", "network", "URL 1 of Apprise's file accepts no message: no network, or a wrong token"),
        ('print(\'{"accepted": [true, "0"]}\')', "network", "URL 1 of Apprise's file accepts no message"),
        ('print(\'{"problem": "not installed"}\')', "refused", "Apprise is not installed here"),
        ("import time; time.sleep(60)", "network", "Apprise sends nothing within 1 s"),
    ],
)
def test_a_child_that_fails_in_any_way_is_no_acceptance(
    monkeypatch: pytest.MonkeyPatch, script: str, obstacle: str, sentence: str
) -> None:
    monkeypatch.setattr(apprise_service, "WITHIN_S", 1.0)
    service = AppriseService(f"json://{SECRET}", os.environ, [sys.executable, "-c", script])
    error = _refusal(service)
    assert (error.obstacle, sentence in str(error)) == (obstacle, True), error


def test_the_child_gets_what_is_secret_on_standard_input_and_nowhere_else(tmp_path: Path) -> None:
    script = (
        "import os, sys, json, pathlib;"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(repr((sys.argv, dict(os.environ))));"
        f"assert {SECRET!r} in sys.stdin.read(); print(json.dumps(dict(accepted=[0])))"
    )
    given = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": "/run/notify"}
    AppriseService(f"json://{SECRET}", given, [sys.executable, "-I", "-c", script]).send(CRY)
    seen = (tmp_path / "seen").read_text().partition("{")[2]
    assert SECRET not in seen
    assert "NOTIFY_SOCKET" not in seen


def test_a_file_without_urls_is_refused() -> None:
    with pytest.raises(ConfigError, match="holds none"):
        AppriseService("# nothing yet\n\n", {})
