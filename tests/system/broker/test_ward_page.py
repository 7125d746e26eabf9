"""The page of a ward over a real broker: it shows what is true, acknowledges at the bed, and never pretends."""

from __future__ import annotations

import re
import signal
import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest

from device.sinks import payloads
from tests.system.broker.simulated_beds import SimulatedBeds
from tests.system.broker.telling import until
from tests.system.broker.test_ward import daemon
from tests.system.broker.ward_page import WITHIN_S, WardPage, bed_of, moments_of, state_of
from tests.system.conftest import Mosquitto
from tests.system.running_daemon import Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

pytestmark = pytest.mark.system

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\x1b[2J"
_KEEPS = ("persistence true", "autosave_on_changes true", "autosave_interval 1")


class Tags(HTMLParser):
    """The tags of a page, as a browser reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a browser would act upon."""
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.sources += [str(value) for name, value in attrs if name == "src" or (tag == "link" and name == "href")]


@pytest.fixture
def keeping_broker(private_folder: Path) -> Iterator[Mosquitto]:
    """A broker that remembers sessions over its own death."""
    running = Mosquitto(private_folder, *_KEEPS)
    running.start()
    yield running
    running.kill()


def mqtt_of(broker: Mosquitto, protocol: str = "5") -> str:
    return f'host = "127.0.0.1"\nport = {broker.port}\nprotocol = "{protocol}"'


def sounds_of(browser: httpx.Client, name: str = "anna") -> list[dict[str, Any]]:
    return [alarm for alarm in bed_of(browser, name).get("alarms", []) if alarm["kind"] == "sound"]


def until_hearing(browser: httpx.Client, name: str, hearing: str) -> None:
    until(
        lambda: not state_of(browser)["problem"] and bed_of(browser, name).get("hearing") == hearing,
        f"{name} {hearing}",
        WITHIN_S,
    )


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_an_acknowledgement_reaches_the_bed_by_name_and_every_page_shows_who_it_was(
    private_folder: Path, broker: Mosquitto, protocol: str
) -> None:
    sounds = Sounds(private_folder)
    with (
        daemon(private_folder, broker, "anna", sounds.room(3.0), sounds.crying(30.0)) as bed,
        daemon(private_folder, broker, "ben", sounds.room(60.0)),
        WardPage(private_folder, mqtt_of(broker, protocol)) as north,
        WardPage(private_folder, mqtt_of(broker, protocol), name="south") as south,
    ):
        password, look = north.new_password("nora"), north.new_password("victor", "--role", "viewer")
        nora, victor, other = north.logged_in("nora", password), north.logged_in("victor", look), south.opened()
        until(lambda: sounds_of(nora) and sounds_of(other), "the cry on both pages", WITHIN_S)
        until_hearing(nora, "ben", "hears")
        (alarm,) = sounds_of(nora)
        button = re.search(r'name="alarm" value="(anna [^"]+)"', nora.get("").text)
        assert button is not None
        assert button[1] == f"anna {alarm['alarm_id']}"
        assert 'name="alarm"' not in victor.get("").text, "who may only look has no button"
        asked = {"bed": "anna", "alarm_id": alarm["alarm_id"]}
        refused = victor.post("api/acknowledge", json=asked)
        assert (refused.status_code, "may look, and not command" in refused.text) == (403, True)
        assert north.browser().post("api/acknowledge", json=asked).status_code == 401
        forged = nora.post("api/acknowledge", json=asked, headers={"x-csrf-token": "0" * 64})
        assert forged.status_code == 403
        assert not sounds_of(nora)[0]["acknowledged"]
        done = nora.post("api/acknowledge", data={"alarm": button[1]})
        assert (done.status_code, done.json()["done"]) == (200, True), done.text
        for page in (nora, other):
            until(
                lambda page=page: [each["acknowledged_by"] for each in sounds_of(page)] == ["nora (mqtt)"],  # type: ignore[misc]
                "who acknowledged",
                WITHIN_S,
            )
        assert "acknowledged by nora (mqtt)" in nora.get("").text
        bed.wait_until(
            lambda: (state := bed.status()) and all(each.acknowledged for each in state.alarms),
            "the bed's own word",
            20,
        )
        assert nora.post("api/acknowledge", json=asked).status_code == 409, "it is acknowledged already"
        assert nora.post("api/acknowledge", json={"bed": "nobody", "alarm_id": "x"}).status_code == 409
        assert nora.post("api/acknowledge", json={"bed": "anna"}).status_code == 400


def test_a_page_that_is_killed_and_a_broker_that_is_killed_lose_nothing(
    private_folder: Path, keeping_broker: Mosquitto
) -> None:
    sounds = Sounds(private_folder)
    with (
        daemon(private_folder, keeping_broker, "anna", sounds.crying(40.0)) as bed,
        WardPage(private_folder, mqtt_of(keeping_broker)) as page,
    ):
        nora = page.logged_in("nora", page.new_password("nora"))
        until(lambda: sounds_of(nora), "the cry", WITHIN_S)
        page.kill()
        bed.ask("acknowledge", "--instance", "anna")
        keeping_broker.kill()
        keeping_broker.start()
        page.start()
        until(lambda: sounds_of(nora) and sounds_of(nora)[0]["acknowledged"], "what happened meanwhile", WITHIN_S)
        assert sounds_of(nora)[0]["acknowledged_by"]
        assert nora.get("").status_code == 200, "the login has outlived the page's restart"
        keeping_broker.kill()
        until(lambda: state_of(nora)["problem"], "the page to say that the broker is gone", WITHIN_S)
        assert nora.get("api/state").status_code == 503
        (moment,) = moments_of(nora, 1)
        assert (moment["ok"], moment["html"]) == (False, {}), "nothing is shown as true"
        refused = nora.post("api/acknowledge", json={"bed": "anna", "alarm_id": "x"})
        assert (refused.status_code, "would not get it" in refused.text) == (503, True)
        keeping_broker.start()
        until_hearing(nora, "anna", "hears")
        bed.kill()
        until_hearing(nora, "anna", "silent")


def test_a_broker_that_hangs_makes_what_the_page_says_older_than_three_seconds_at_once(
    private_folder: Path, broker: Mosquitto
) -> None:
    with (
        daemon(private_folder, broker, "anna", Sounds(private_folder).room(60.0)),
        WardPage(private_folder, mqtt_of(broker)) as page,
    ):
        browser = page.opened()
        until_hearing(browser, "anna", "hears")
        broker.signal(signal.SIGSTOP)
        stopped_s = time.monotonic()
        until(lambda: state_of(browser)["age_s"] > 3.0 or state_of(browser)["problem"], "the age", WITHIN_S)
        told = moments_of(browser, 1)[0]
        assert told["age"] >= min(3.0, time.monotonic() - stopped_s - 1.5) or not told["ok"]
        broker.signal(signal.SIGCONT)
        until(lambda: not state_of(browser)["problem"] and state_of(browser)["age_s"] < 2.0, "the broker", WITHIN_S)


def test_five_hundred_beds_are_one_screen_the_worst_first_and_no_name_of_theirs_is_code(
    private_folder: Path, broker: Mosquitto
) -> None:
    names = [f"n{number:03d}" for number in range(500)]
    with (
        SimulatedBeds(broker.port, names) as beds,
        WardPage(private_folder, mqtt_of(broker)) as page,
    ):
        beds.begin()
        browser = page.opened()
        # Whose beds the page knows, their alarms it receives.
        until(lambda: len(state_of(browser)["beds"]) == 500, "its subscription", WITHIN_S)
        beds.cry("n200", ago_s=60.0)
        beds.cry("n300", ago_s=600.0, label=HOSTILE, detail=HOSTILE)
        beds.say(payloads.availability(beds.topics["n400"], online=False))
        beds.tell_state("n450", hearing=False)
        beds.say(payloads.software(beds.topics["n499"], version=HOSTILE, models=[HOSTILE]))
        beds.settle()
        until(lambda: (bed_of(browser, "n499").get("software") or {}).get("version") == HOSTILE, "n499", WITHIN_S)
        until(lambda: not state_of(browser)["problem"], "a page that is current", WITHIN_S)
        answer = browser.get("")
        text = answer.text
        order = [
            text.index(words) for words in ("<b>n300</b>", "<b>n200</b>", "<b>n400</b>", "<b>n450</b>", "<b>n000</b>")
        ]
        assert order == sorted(order), "alarms above all, the oldest first; then silent, deaf, and those that hear"
        assert "2 alarms wait, 1 silent, 1 deaf" in text
        assert "498 of 500 beds hear" in text
        assert sum(f"<b>{name}</b>" in text for name in names) == 500
        shown = text + "".join(moments_of(browser, 1)[0]["html"].values())
        assert "<img" not in shown
        assert "alert(1)</script>" not in shown
        tags = Tags(shown)
        assert "img" not in tags.names
        assert not {name for name in tags.attributes if name.startswith("on") or name == "style"}
        assert all(address.startswith("./static/") for address in tags.sources), "nothing comes from elsewhere"
        assert "\u202e" not in shown
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        first, *later = moments_of(browser, 4)
        assert set(first["html"]) >= {"verdict", "alarms", "beds", "seen", "behind", "figures", "news"}
        assert all("beds" not in each["html"] for each in later), "what has not changed is not sent again"


def test_what_cannot_work_is_one_sentence(private_folder: Path, broker: Mosquitto) -> None:
    page = WardPage(private_folder, mqtt_of(broker))
    good = page.config.read_text()

    def refused(text: str, *options: str, said: str) -> None:
        page.config.write_text(text)
        answer = page.ask("--ward", str(page.config), *options)
        assert (answer.returncode, said in answer.stderr, answer.stderr.count("\n")) == (2, True, 1), answer

    refused(good, "--silent-after", "0", said="must be 1 to 3600 s")
    refused(good, "--only", "A B", said="cannot name an instance")
    refused(good, "--config", "x.toml", said="leave --config and --profile out")
    refused(good, "accounts", "--config", "x.toml", said="leave --config and --profile out")
    refused(good, "--listen", "0.0.0.0:8127", said="there is no account")
    refused(good.replace("host", "hots"), said='north.toml, line 2: unknown key "hots"')
    refused(good.replace('host = "127.0.0.1"', ""), said="no broker is named")
    refused(good.partition("[web]")[0], said="the page is off")
    refused(f'{good}cert_file = "missing.crt"\n', said="set cert_file and key_file")
    refused(good.replace("[web]", 'tls = true\nca_file = "none.crt"\n[web]'), said="none.crt")
    answer = page.ask("--silent-after", "9")
    assert (answer.returncode, "give --ward FILE" in answer.stderr) == (2, True), answer
