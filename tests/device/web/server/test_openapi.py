"""The document of the HTTP interface: it is the committed one, it names every route, and answers are as it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from device.alarms.journal.command_notes import CommandLog, CommandNote
from device.alarms.journal.store import Journal
from device.daytime import utc_text
from device.web.server.api_routes import api_routes
from device.web.server.openapi import openapi_document
from tests.device.web.live.heard_night import recent_window
from tests.device.web.site import TOKEN, Site, wait_until_it_asked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.runtime.daemon_state import DaemonState

COMMITTED = Path(__file__).parents[4] / "docs" / "schemas" / "openapi.json"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def site(tmp_path: Path, state: DaemonState) -> Iterator[Site]:
    with Journal.open(tmp_path / "alarms.db", max_bytes=8_000_000) as journal:
        log = CommandLog()
        log.restore(None, journal)
        log.add(CommandNote(0, 1.7e9, "anna", "pause", done=True, sentence="paused"), journal)
        with Site(tmp_path, state) as site:
            yield site


def _validator(path: str, method: str, status: int) -> Draft202012Validator:
    """For the answer of one route; references are resolved within the document."""
    document = openapi_document()
    described = document["paths"][path][method]["responses"][str(status)]
    schema = described["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


def test_the_committed_document_is_the_served_one(site: Site) -> None:
    served = site.client.get("/api/openapi.json").json()
    assert served == openapi_document()
    text = json.dumps(served, indent=2, ensure_ascii=False) + "\n"
    assert COMMITTED.read_text(encoding="utf-8") == text, "write /api/openapi.json to docs/schemas/openapi.json"


def test_it_names_every_route_and_its_method_and_no_other(site: Site) -> None:
    routes = {
        (route.path, method.lower())
        for route in api_routes(site.service)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, each in openapi_document()["paths"].items() for method in each}
    assert described == routes


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/state", {}, 200),
        ("/api/history", {"since": "2020-01-01"}, 200),
        ("/api/history", {"since": "yesterday"}, 400),
        ("/api/history", {"since": ["2020-01-01", "2026-01-01"]}, 400),
        ("/api/scores", {}, 200),
        ("/api/scores", {"until": "noon"}, 400),
        ("/api/why", {}, 200),
        ("/api/why", {"at": "0001-01-01"}, 200),
        ("/api/why", {"at": "noon"}, 400),
        ("/api/clips", {}, 200),
    ],
)
def test_what_is_read_is_as_it_says(site: Site, path: str, query: dict[str, Any], status: int) -> None:
    answer = site.client.get(path, params=query, headers=BEARER)
    assert answer.status_code == status
    _validator(path, "get", status).validate(answer.json())
    nobody = site.client.get(path)
    assert nobody.status_code == 401
    _validator(path, "get", 401).validate(nobody.json())


@pytest.mark.parametrize(
    ("path", "members", "status"),
    [
        ("/api/acknowledge", {}, 200),
        ("/api/pause", {"duration_s": 600}, 200),
        ("/api/pause", {"duration_s": 0}, 409),
        ("/api/resume", {}, 200),
        ("/api/self-test", {}, 200),
    ],
)
def test_what_becomes_of_a_command_is_as_it_says(site: Site, path: str, members: dict[str, Any], status: int) -> None:
    answer = site.client.post(path, json=members, headers=BEARER)
    assert answer.status_code == status
    _validator(path, "post", status).validate(answer.json())


def test_a_daemon_that_does_not_run_is_answered_as_it_says(tmp_path: Path) -> None:
    with Site(tmp_path, None) as site:
        answer = site.client.get("/api/state", headers=BEARER)
        assert answer.status_code == 503
        _validator("/api/state", "get", 503).validate(answer.json())


def test_an_explanation_of_windows_is_as_it_says(tmp_path: Path, state: DaemonState) -> None:
    site = Site(tmp_path, state)
    windows = tuple(recent_window(number, 0.75, state="on", rule="on") for number in range(1, 9))
    site.heard = windows
    at = utc_text(windows[2].at_utc_s, "milliseconds")
    with site:
        wait_until_it_asked(site)
        told = site.client.get("/api/why", params={"at": at}, headers=BEARER).json()
    assert (told["is_known"], [len(label["windows"]) for label in told["labels"]]) == (True, [4])
    _validator("/api/why", "get", 200).validate(told)
