"""The page that sets a room up: who may, what it plays, and that its steps reach the daemon in a person's name."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import pytest

from device.commands import MeasureRoom, Outcome
from device.synthesis.room_signal import signal_wav
from tests.device.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

BY = f"anna ({getpass.getuser()})"


@pytest.fixture
def site(tmp_path: Path, state: DaemonState) -> Iterator[Site]:
    with Site(tmp_path, state) as site:
        yield site


def test_nobody_gets_page_sound_or_step_without_a_login(site: Site) -> None:
    assert site.client.get("/room").headers["location"] == "./login"
    assert site.client.get("/room/signal.wav").status_code == 303
    assert site.client.post("/room/step", json={"step": "room"}).status_code == 401
    assert site.commands == []


def test_the_page_leads_through_the_steps_and_a_viewer_sees_none(site: Site) -> None:
    site.log_in()
    assert 'href="room"' in site.client.get("/").text
    text = site.client.get("/room").text
    assert 'data-room-seconds="600"' in text
    assert '<audio id="room-signal" src="room/signal.wav"' in text
    assert 'src="./static/room.js"' in text
    assert site.client.get("/static/room.js").status_code == 200
    site.client.cookies.clear()
    site.log_in("ben")
    assert "data-room-seconds" not in site.client.get("/room").text


def test_the_sound_is_the_signal_whole_or_in_the_parts_that_a_phone_asks_for(site: Site) -> None:
    site.log_in()
    whole, sound = site.client.get("/room/signal.wav"), signal_wav()
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.content == sound
    first = site.client.get("/room/signal.wav", headers={"range": "bytes=0-1"})
    assert (first.status_code, first.content) == (206, sound[:2])
    assert first.headers["content-range"] == f"bytes 0-1/{len(sound)}"
    rest = site.client.get("/room/signal.wav", headers={"range": f"bytes={len(sound) - 5}-"})
    assert (rest.status_code, rest.content) == (206, sound[-5:])
    beyond = site.client.get("/room/signal.wav", headers={"range": f"bytes={len(sound)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(sound)}")


def test_a_step_reaches_the_daemon_in_the_name_of_who_takes_it_and_brings_its_figures(site: Site) -> None:
    csrf = {"x-csrf-token": site.log_in()}
    site.outcome = Outcome(True, "so far", {"part": "room", "seconds": 3.5})
    answer = site.client.post("/room/step", json={"step": "room", "seconds": 600}, headers=csrf)
    assert answer.json() == {"sentence": "so far", "part": "room", "seconds": 3.5}
    assert site.client.post("/room/step", json={"step": "look"}, headers=csrf).status_code == 200
    assert site.commands == [MeasureRoom("room", 600.0, BY), MeasureRoom("look", None, BY)]
    assert [line for line in site.reported if "measures the room" in line] == ["anna measures the room: so far"]


def test_what_the_daemon_does_not_do_is_a_sentence(site: Site) -> None:
    csrf = {"x-csrf-token": site.log_in()}
    site.outcome = Outcome(False, "nothing is measured: begin with the room")
    answer = site.client.post("/room/step", json={"step": "finish"}, headers=csrf)
    assert (answer.status_code, answer.json()) == (409, {"error": "nothing is measured: begin with the room"})
    wrong = site.client.post("/room/step", json={"step": "sound"}, headers=csrf)
    assert (wrong.status_code, wrong.json()["error"]) == (409, "step must be room, played, finish, look or stop")


def test_a_forged_step_and_a_viewers_are_refused(site: Site) -> None:
    site.log_in()
    assert site.client.post("/room/step", json={"step": "room"}).status_code == 403
    site.client.cookies.clear()
    csrf = {"x-csrf-token": site.log_in("ben")}
    answer = site.client.post("/room/step", json={"step": "room"}, headers=csrf)
    assert (answer.status_code, answer.json()) == (403, {"error": "ben may look, and not command"})
    assert site.commands == []


def test_without_a_daemon_the_step_says_so(tmp_path: Path) -> None:
    with Site(tmp_path, None) as site:
        csrf = {"x-csrf-token": site.log_in()}
        answer = site.client.post("/room/step", json={"step": "room"}, headers=csrf)
        assert answer.status_code == 503
        assert "no daemon takes commands" in answer.json()["error"]
