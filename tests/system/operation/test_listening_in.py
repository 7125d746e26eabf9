"""Listening in through a real page beside a real daemon that plays a recording.

Who listens receives the samples of the recording, and everybody sees that somebody does. Neither a listener nor the
page costs the daemon an alarm.
"""

from __future__ import annotations

import json
import re
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from device.hearing.resample import Resampler
from tests.programs import program
from tests.schemas import validator
from tests.system.conftest import wait_until
from tests.system.operation.devtools import opened_tab
from tests.system.operation.running_page import RunningPage
from tests.system.running_daemon import AURICLE, RATE_HZ, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    import numpy.typing as npt

    from tests.system.conftest import Mosquitto
    from tests.system.operation.devtools import Tab

    Int16 = npt.NDArray[np.int16]

pytestmark = pytest.mark.system

ON = "[web]\nlisten_in = true\n[model.cry.label.cry]\nhold_s = 1.0\ncooldown_s = 0.0\n"
OFF = ON.replace("listen_in = true", "listen_in = false")
HEAD_BYTES = 44
SECOND_BYTES = 2 * RATE_HZ
SOON_S = 60.0
CARD = "document.getElementById('listening')"


@contextmanager
def playing(folder: Path, recording: Path, config: str = ON) -> Iterator[RunningDaemon]:
    """A daemon that plays a recording over and over."""
    command = [str(AURICLE), "listen", "--source", str(recording), "--loop"]
    with RunningDaemon(folder, {}, config, command=command) as daemon:
        daemon.wait_until_it_hears()
        yield daemon


@pytest.fixture
def night(tmp_path: Path) -> Path:
    sounds = Sounds(tmp_path)
    return sounds.write("night.wav", [sounds.room(4.0), sounds.crying(6.0), sounds.room(8.0)] * 20)


@pytest.fixture
def daemon(tmp_path: Path, night: Path) -> Iterator[RunningDaemon]:
    with playing(tmp_path, night) as daemon:
        yield daemon


def _listener(page: RunningPage, name: str = "anna", *options: str) -> httpx.Client:
    return page.logged_in(name, page.new_password(name, "--listen-in", *options))


@contextmanager
def _listening(browser: httpx.Client) -> Iterator[Iterator[bytes]]:
    """The pieces of the sound as they come, after the head."""
    with browser.stream("GET", "api/sound") as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"] == "audio/wav"
        pieces = answer.iter_raw()
        head = next(pieces)
        assert head[:4] + head[8:12] + head[36:40] == b"RIFFWAVEdata"
        assert np.frombuffer(head, "<u2", 8, 20).tolist() == [1, 1, RATE_HZ, 0, SECOND_BYTES, 0, 2, 16]
        assert len(head) == HEAD_BYTES
        yield pieces


def _received(browser: httpx.Client, seconds: float) -> Int16:
    """So much sound from now on: int16 (n,)."""
    data = bytearray()
    with _listening(browser) as pieces:
        while len(data) < seconds * SECOND_BYTES:
            data += next(pieces)
    return np.frombuffer(bytes(data[: round(seconds * RATE_HZ) * 2]), "<i2")


def _state(daemon: RunningDaemon) -> Any:
    state = daemon.status()
    assert state is not None
    return state


def _wait_for_listeners(daemon: RunningDaemon, *names: str) -> None:
    def have() -> list[str]:
        return [each.partition(" ")[0] for each in _state(daemon).listening_in]

    wait_until(lambda: have() == list(names), f"the listeners {names}", SOON_S)


def _noted(browser: httpx.Client) -> list[tuple[str, str]]:
    """Who began and ended to listen, as the journal has it."""
    commands = browser.get("api/history").raise_for_status().json()["commands"]
    return [(each["by"].split(" ")[0], each["sentence"]) for each in commands if each["command"] == "listen_in"]


def _is_refused(browser: httpx.Client, status: int, sentence: str) -> None:
    answer = browser.get("api/sound")
    assert (answer.status_code, sentence in answer.json()["error"]) == (status, True), answer.text


def test_who_listens_receives_the_samples_of_the_recording(served: RunningPage, night: Path) -> None:
    sound = _received(_listener(served), 3.0)
    samples, _ = soundfile.read(night, dtype="int16")
    assert _begins_at(sound, samples) is not None


def _begins_at(needle: Int16, hay: Int16) -> int | None:
    """The index at which a run of samples stands in another."""
    starts = np.flatnonzero(hay[: len(hay) - len(needle) + 1] == needle[0])
    return next((int(at) for at in starts if np.array_equal(hay[at : at + len(needle)], needle)), None)


def test_a_recording_of_another_rate_is_heard_as_the_daemon_resamples_it(tmp_path: Path) -> None:
    from_hz, block = 44100, 2205
    rng = np.random.default_rng(5)
    played = (0.1 * rng.standard_normal(20 * from_hz)).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", played, from_hz, subtype="PCM_16")
    with playing(tmp_path, tmp_path / "noise.wav") as daemon, RunningPage(daemon) as page:
        sound = _received(_listener(page), 1.0)
    samples, _ = soundfile.read(tmp_path / "noise.wav", dtype="float32")
    assert any(
        np.array_equal(_resampled(samples[start:][: 2 * from_hz], from_hz)[: len(sound)], sound)
        for start in range(0, len(samples) - from_hz, block)
    )


def _resampled(samples: npt.NDArray[np.float32], from_hz: int) -> Int16:
    heard = Resampler(from_hz, RATE_HZ).push(samples)
    return np.clip(np.rint(heard * 32768), -32768, 32767).astype(np.int16)


def test_without_the_right_or_the_setting_or_an_account_nobody_hears_anything(
    daemon: RunningDaemon, served: RunningPage
) -> None:
    _is_refused(served.browser(), 403, "this machine may not listen in: an account with the right is needed")
    ben = served.logged_in("ben", served.new_password("ben", "--role", "operator"))
    _is_refused(ben, 403, "ben may not listen in: auricle web allow ben --listen-in")
    assert "listen-begin" not in ben.get("").text
    assert daemon.ask("web", "allow", "ben", "--listen-in", "--config", str(daemon.config_path)).returncode == 0
    assert "listen-begin" in ben.get("").text
    foreign = ben.get("api/sound", headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert _state(daemon).listening_in == ()
    daemon.configure(OFF)
    daemon.reload()
    wait_until(lambda: _state(daemon).listening_in is None, "the end of listening in", SOON_S)
    assert not daemon.socket_path.with_name("sound.sock").exists()
    _is_refused(ben, 503, "set listen_in = true in [web]")  # a page that was not started anew
    served.kill()
    served.start()
    _is_refused(ben, 404, "listen_in is off in [web]")
    assert "listen-begin" not in ben.get("").text


def test_everybody_sees_who_listens_and_the_journal_keeps_from_when_to_when(
    daemon: RunningDaemon, served: RunningPage
) -> None:
    anna, ben = _listener(served), served.logged_in("ben", served.new_password("ben", "--role", "viewer"))
    assert "nobody now" in ben.get("").text
    with _listening(anna) as pieces:
        next(pieces)
        _wait_for_listeners(daemon, "anna")
        wait_until(lambda: "Listening in by 1: anna" in ben.get("").text, "its light on the page", SOON_S)
        assert "listened in by 1: anna" in daemon.ask("status").stdout
        assert json.loads(daemon.ask("status", "--json").stdout)["state"]["listening_in"][0].startswith("anna")
    _wait_for_listeners(daemon)
    wait_until(lambda: len(_noted(ben)) == 2, "two entries", SOON_S)
    (who, begins), (whose, ends) = _noted(ben)
    assert (who, begins, whose) == ("anna", "listens in", "anna")
    assert ends.startswith("has listened in for ")
    wait_until(lambda: "Listening in by" not in ben.get("").text, "the end of its light", SOON_S)


@contextmanager
def _subscribed(port: int, *topics: str) -> Iterator[list[tuple[str, Any]]]:
    """What is published below these topics, as it comes."""
    heard: list[tuple[str, Any]] = []
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
    client.on_message = lambda _client, _data, message: heard.append((message.topic, json.loads(message.payload)))
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield heard
    client.disconnect()
    client.loop_stop()


def test_the_broker_is_told_how_many_listen_and_home_assistant_has_a_sensor(
    tmp_path: Path, night: Path, broker: Mosquitto
) -> None:
    state, config = "auricle/nursery/state", f'{ON}[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
    with (
        _subscribed(broker.port, state, "homeassistant/device/+/config") as heard,
        playing(tmp_path, night, config) as daemon,
        RunningPage(daemon) as page,
    ):
        with _listening(_listener(page)) as pieces:
            next(pieces)
            wait_until(lambda: _counts(heard)[-1:] == [1], "a count of 1", SOON_S)
        wait_until(lambda: _counts(heard)[-1] == 0, "a count of 0", SOON_S)
    states = [told for topic, told in heard if topic == state]
    assert [error.message for told in states for error in validator("state.schema.json").iter_errors(told)] == []
    announced = next(told for topic, told in heard if topic != state)
    sensor = announced["components"]["listening_in"]
    assert (sensor["stat_t"], "listening_in" in sensor["val_tpl"]) == (state, True)


def _counts(heard: list[tuple[str, Any]]) -> list[int]:
    return [told["listening_in"] for topic, told in heard if topic.endswith("/state") and "listening_in" in told]


def test_a_stream_ends_with_the_login_the_right_and_the_setting(daemon: RunningDaemon, served: RunningPage) -> None:
    anna = _listener(served)
    with _listening(anna) as pieces:
        next(pieces)
        out = anna.post("logout", data={"csrf": anna.headers["x-csrf-token"]})
        assert out.status_code == 303
        assert sum(map(len, pieces)) < 20 * SECOND_BYTES  # and so it ends
    _wait_for_listeners(daemon)
    ben = _listener(served, "ben")
    with _listening(ben) as pieces:
        next(pieces)
        daemon.ask("web", "allow", "ben", "--no-listen-in", "--config", str(daemon.config_path))
        assert sum(map(len, pieces)) < 20 * SECOND_BYTES
    _wait_for_listeners(daemon)
    cleo = _listener(served, "cleo")
    with _listening(cleo) as pieces:
        next(pieces)
        daemon.configure(OFF)
        daemon.reload()
        for _ in pieces:
            pass
    wait_until(lambda: _state(daemon).listening_in is None, "the end of listening in", SOON_S)
    wait_until(lambda: len(_noted(cleo)) == 6, "three times two entries", SOON_S)


def test_a_killed_page_listens_no_more(daemon: RunningDaemon, served: RunningPage) -> None:
    anna = _listener(served)
    with anna.stream("GET", "api/sound") as answer:
        pieces = answer.iter_raw()  # it ends the stream when it is deleted
        next(pieces)
        _wait_for_listeners(daemon, "anna")
        served.kill()
        _wait_for_listeners(daemon)
    lines = daemon.wait_until(lambda: _asked(daemon) if len(_asked(daemon)) > 1 else None, "its end in the log", SOON_S)
    assert "listens in" in lines[0]
    assert "has listened in for" in lines[1]


def _asked(daemon: RunningDaemon) -> list[str]:
    return [line["detail"] for line in daemon.lines() if line.get("happening") == "asked"]


def test_listeners_who_do_not_read_and_a_frozen_page_cost_the_daemon_no_window_and_no_alarm(
    daemon: RunningDaemon, served: RunningPage
) -> None:
    anna = _listener(served)
    before = _state(daemon)
    with _listening(anna) as first, _listening(anna) as second:
        next(first), next(second)
        _wait_for_listeners(daemon, "anna", "anna")
        heard = len(daemon.lines())
        daemon.wait_for_a_cry(after=heard, within_s=SOON_S)  # nobody reads meanwhile
        served.process.send_signal(signal.SIGSTOP)
        heard = len(daemon.lines())
        daemon.wait_for_a_cry(after=heard, within_s=SOON_S)
        _wait_for_listeners(daemon)  # who takes nothing for 20 s is closed
        served.process.send_signal(signal.SIGCONT)
    after = _state(daemon)
    assert after.dropped_s == before.dropped_s == 0.0
    assert after.windows_due - after.windows_scored == before.windows_due - before.windows_scored


def test_the_page_plays_after_a_tap_and_says_how_far_behind_and_when_it_is_over(
    served: RunningPage, tmp_path: Path
) -> None:
    anna = _listener(served)
    with opened_tab(program("chromium"), tmp_path) as tab:
        for name, value in anna.cookies.items():
            tab.call("Network.setCookie", url=served.address, name=name, value=value)
        tab.look_as(width=390, height=844, is_phone=True, scheme="dark")
        tab.go_to(served.address)
        assert tab.evaluate(f"{CARD}.dataset.heard") is None
        assert _told(tab) == ""
        tab.evaluate(
            "window.complaints = [];"
            "document.addEventListener('securitypolicyviolation', (event) => complaints.push(event.blockedURI))"
        )
        _tap(tab, "listen-begin")
        wait_until(lambda: _heard(tab) > 5 * RATE_HZ, f"five seconds of sound, {_told(tab)}", SOON_S)
        wait_until(lambda: float(tab.evaluate(f"{CARD}.dataset.peak")) > 0.01, "the room", SOON_S)
        behind = re.fullmatch(r"You hear the room, about (\d\.\d) s behind\.", _told(tab))
        assert behind is not None, _told(tab)
        assert float(behind[1]) < 3.0
        wait_until(lambda: "Listening in by 1: anna" in tab.evaluate("document.body.innerText"), "its light", SOON_S)
        tab.evaluate(f"{CARD}.scrollIntoView()")
        tab.picture(tmp_path / "listening.png")
        assert _told(tab).startswith("You hear")
        _tap(tab, "listen-end")
        wait_until(lambda: _told(tab) == "You listen no more.", "its end", SOON_S)
        wait_until(lambda: "Listening in by" not in tab.evaluate("document.body.innerText"), "no light", SOON_S)
        _tap(tab, "listen-begin")
        heard = _heard(tab)
        wait_until(lambda: _heard(tab) > heard, "sound once more", SOON_S)
        served.daemon.ask("web", "allow", "anna", "--no-listen-in", "--config", str(served.daemon.config_path))
        wait_until(lambda: _told(tab).startswith("The sound has ended"), f"the end, not {_told(tab)}", SOON_S)
        assert tab.evaluate("complaints") == []


def _tap(tab: Tab, button: str) -> None:
    script = f"document.getElementById('{button}').click()"
    tab.call("Runtime.evaluate", expression=script, userGesture=True)


def _told(tab: Tab) -> str:
    return str(tab.evaluate("document.getElementById('listening-said').textContent"))


def _heard(tab: Tab) -> int:
    """Samples that the page has played, or is about to."""
    return int(tab.evaluate(f"{CARD}.dataset.heard") or 0)
