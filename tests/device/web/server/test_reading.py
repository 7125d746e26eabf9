"""What can be read over HTTP: the state, its events, the past and the clips, whatever their names hold."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from device.alarms.journal.command_notes import CommandLog, CommandNote
from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.daytime import utc_text
from device.runtime.daemon_state import LabelStatus
from tests.device.web.live.heard_night import recent_window
from tests.device.web.site import TOKEN, Site, wait_until_it_asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from device.runtime.daemon_state import DaemonState

BEARER = {"authorization": f"Bearer {TOKEN}"}
HOSTILE = "<img src=x onerror=alert(1)>\u202e'\"&"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "alarms.db", max_bytes=8_000_000) as journal:
        yield journal


@pytest.fixture
def site(tmp_path: Path, state: DaemonState, journal: Journal) -> Iterator[Site]:
    _append(journal, 0, "raised", detail=HOSTILE, name="cry")
    with Site(tmp_path, state) as site:
        yield site


def _append(journal: Journal, seq: int, change: str, **members: Any) -> None:
    body = {"alarm_id": "s-cry-0", "seq": seq, "change": change, "kind": "sound", "model": "cry", "priority": "high"}
    text = json.dumps({**body, **members})
    journal.append([Entry("s-cry-0", seq, time.time(), urgent=True, alarm="{}", body=text)])


def _events(answer: httpx.Response, most: int) -> list[tuple[str, str, dict[str, Any]]]:
    """(id, event, data) of the first events of a stream."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        elif "data" in fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
            fields = {}
            if len(found) >= most:
                break
        else:
            fields = {}
    return found


def test_the_past_is_told_with_who_asked_for_what(site: Site, journal: Journal) -> None:
    log = CommandLog()
    log.restore(None, journal)
    log.add(CommandNote(0, time.time(), "anna (auricle-web)", "pause", done=True, sentence="paused"), journal)
    told = site.client.get("/api/history", headers=BEARER).json()
    assert told["is_complete"]
    assert [(change["ordinal"], change["change"]) for change in told["changes"]] == [(1, "raised")]
    assert [(note["by"], note["command"]) for note in told["commands"]] == [("anna (auricle-web)", "pause")]
    later = site.client.get("/api/history", params={"since": "2999-01-01", "until": "2999-01-02"}, headers=BEARER)
    assert later.json()["changes"] == []
    wrong = site.client.get("/api/history", params={"since": "yesterday"}, headers=BEARER)
    assert (wrong.status_code, wrong.json()["error"][:27]) == (400, "since is 'yesterday', which")


def test_a_reader_of_events_gets_each_change_once_and_goes_on_where_it_stopped(site: Site, journal: Journal) -> None:
    with site.client.stream("GET", "/api/events", headers=BEARER) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        kinds = {kind for _, kind, _ in _events(answer, 3)}
    assert kinds == {"state"}, "a new reader starts now"
    for seq, change in enumerate(("acknowledged", "ended"), 1):
        _append(journal, seq, change)
    with site.client.stream("GET", "/api/events", headers={**BEARER, "last-event-id": "journal-1"}) as answer:
        found = [(event_id, data["change"]) for event_id, kind, data in _events(answer, 12) if kind == "alarm"]
    assert found == [("journal-2", "acknowledged"), ("journal-3", "ended")]


def test_the_page_goes_on_where_it_stopped_and_gets_only_what_has_changed(site: Site) -> None:
    site.log_in()
    with site.client.stream("GET", "/live") as answer:
        first, second, third = _events(answer, 3)
    assert set(first[2]["html"]) == {"verdict", "listeners", "alarms", "signals", "facts"}
    assert "It hears" in first[2]["html"]["verdict"]
    assert second[2]["html"] == third[2]["html"] == {}
    assert [point["n"] for point in third[2]["points"]] == [second[2]["points"][-1]["n"] + 1]
    with site.client.stream("GET", "/live", headers={"last-event-id": second[0]}) as answer:
        again = _events(answer, 1)[0]
    assert again[2]["points"][0]["n"] == third[2]["points"][0]["n"]


def test_a_loop_that_hangs_is_no_state(site: Site) -> None:
    site.log_in()
    site.show(uptime_s=3600.0)  # the same uptime for ever: it makes no new one
    deadline_s = time.monotonic() + 10.0
    while (told := site.client.get("/api/state")).status_code == 200 and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert told.status_code == 503
    assert told.json()["problem"].startswith("the daemon's main loop has hung for ")


def test_names_are_text_whatever_they_hold(site: Site) -> None:
    site.log_in()
    site.show(device=HOSTILE, source=HOSTILE, labels=(), alarms=())
    deadline_s = time.monotonic() + 10.0
    while "onerror" not in (now := site.client.get("/").text) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    for text in (now, site.client.get("/night").text):
        assert "&lt;img src=x onerror" in text
        assert "<img src=x" not in text
        assert "\u202e" not in text
    answer = site.client.get("/night", params={"day": HOSTILE})
    assert answer.status_code == 400
    assert "<img src=x" not in answer.text


@pytest.mark.parametrize("path", ["/", "/login", "/night", "/why", "/missing", "/api/state", "/static/auricle.css"])
def test_no_answer_lets_a_page_load_frame_or_sniff_anything(site: Site, path: str) -> None:
    answer = site.client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] in {"no-store", "no-cache"}
    assert "server" not in answer.headers


def test_every_address_in_a_page_is_relative_and_nothing_runs_inline(site: Site) -> None:
    site.log_in()
    for path in ("/", "/night", "/why", "/account"):
        text = site.client.get(path).text
        addresses = re.findall(r'(?:href|src|action)="([^"]*)"', text)
        assert addresses
        assert [address for address in addresses if address.startswith("/") or "://" in address] == []
        assert re.findall(r"<script(?! src=)|<style|<[^>]*\s(?:on\w+|style)=", text) == []


def test_a_clip_is_played_from_any_second_and_nothing_else_is_served(site: Site) -> None:
    folder = site.folder / "clips" / "2026" / "11"
    folder.mkdir(parents=True)
    (folder / "cry_0.97_20261121T021407Z.flac").write_bytes(b"0123456789")
    address = "/api/clips/2026/11/cry_0.97_20261121T021407Z.flac"
    assert site.client.get(address).status_code == 401
    whole = site.client.get(address, headers=BEARER)
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, b"0123456789", "audio/flac")
    part = site.client.get(address, headers={**BEARER, "range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert site.client.get(address, headers={**BEARER, "range": "bytes=20-"}).status_code == 416
    for escape in ("2026/11/..%2f..%2f..%2faccounts", "2026/11/../../../accounts", "..%2f/11/x", "2026/11/accounts"):
        answer = site.client.get(f"/api/clips/{escape}", headers=BEARER)
        assert answer.status_code == 404
        assert "scrypt" not in answer.text


def test_every_window_is_told_and_which_time_is_known(site: Site) -> None:
    first = recent_window(1)
    site.heard = (first, recent_window(2, 0.75))
    wait_until_it_asked(site)
    told = site.client.get("/api/scores", headers=BEARER).json()
    assert [window["scores"] for window in told["windows"]] == [{"cry": 0.1}, {"cry": 0.75}]
    assert told["windows"][0]["until_utc"][:20] == utc_text(first.at_utc_s, "milliseconds")[:20]
    assert (told["is_complete"], told["why_not_now"], len(told["known"])) == (True, "", 1)
    later = site.client.get("/api/scores", params={"since": "2999-01-01", "until": "2999-01-02"}, headers=BEARER)
    assert (later.json()["windows"], later.json()["known"]) == ([], [])
    wrong = site.client.get("/api/scores", params={"until": "noon"}, headers=BEARER)
    assert (wrong.status_code, wrong.json()["error"][:24]) == (400, "until is 'noon', which i")


def test_the_curves_show_the_surest_window_between_two_questions(site: Site) -> None:
    site.heard = tuple(recent_window(number, score) for number, score in ((1, 0.2), (2, 0.95), (3, 0.4)))
    site.show(labels=(LabelStatus("cry", "cry", on=False, score=0.4, since_utc_s=None),))
    wait_until_it_asked(site)
    scores = [point["scores"].get("cry/cry") for point in site.service.link.recent.after(0)]
    assert scores[-1] == 0.4
    assert 0.95 in scores


def test_a_daemon_that_does_not_run_has_no_windows_and_that_is_said(tmp_path: Path) -> None:
    with Site(tmp_path, None) as site:
        told = site.client.get("/api/scores", headers=BEARER).json()
        assert told["windows"] == told["known"] == []
        assert told["why_not_now"].startswith("no daemon runs")


def test_a_person_asks_why_by_a_time_of_the_place_and_nobody_else_may(site: Site) -> None:
    assert site.client.get("/why").status_code == 303
    site.log_in()
    known = recent_window(1)
    site.heard = (known, recent_window(2), recent_window(3))
    wait_until_it_asked(site)
    local = datetime.fromtimestamp(known.at_utc_s).astimezone().replace(tzinfo=None).isoformat()
    assert "Why, or why not, at" in site.client.get("/why", params={"local": local}).text
    for query in ({"at": "noon"}, {"local": "<b>"}):
        wrong = site.client.get("/why", params=query)
        assert wrong.status_code == 400
        assert "<b>" not in wrong.text.partition("<main")[2].replace("<b></b>", "")
    for far in ("0001-01-01T00:00:00", "9999-12-31T23:59:59"):
        assert site.client.get("/why", params={"at": far}).status_code == 200
