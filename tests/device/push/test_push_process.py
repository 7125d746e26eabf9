"""The whole process but its signals, on a real journal, with a local server in place of the services."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from device.alarms.journal.store import Journal
from device.config.loading import parse_config
from device.push.push_process import PushPlaces, PushProcess
from device.runtime.clocks import Clocks
from tests.device.push.alarm_entries import entry
from tests.device.push.phone_services import APP_TOKEN, TOPIC, USER_KEY, PhoneServices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.config.settings import Settings

WITHIN_S = 20.0


class Stage:
    """A journal, the services, and a process that can be ended and begun again."""

    def __init__(self, folder: Path, phone: PhoneServices, closing: ExitStack) -> None:
        self.folder, self.phone = folder, phone
        self.lines: list[str] = []
        self.journal = closing.enter_context(Journal.open(folder / "alarms.db", max_bytes=8_000_000))
        self.process: PushProcess | None = None
        self.skew_s = 0.0
        self._closing = closing
        self.settings = self.configured('[[notify]]\naddress_file = "topic"\n')
        self.write("topic", phone.ntfy_url)
        self.write("token", APP_TOKEN)
        self.write("user", USER_KEY)

    def configured(self, text: str) -> Settings:
        return parse_config(text, source="anna.toml", folder=self.folder)

    def write(self, name: str, secret: str) -> None:
        path = self.folder / name
        path.write_text(secret)
        path.chmod(0o600)

    def begin(self, text: str | None = None) -> PushProcess:
        if text is not None:
            self.settings = self.configured(text)
        places = PushPlaces(self.folder / "alarms.db", self.folder / "push.db", self.folder / "status.sock")
        clocks = Clocks(lambda: time.monotonic() + self.skew_s, lambda: time.time() + self.skew_s)
        self.process = PushProcess(
            self.settings, "anna", places=places, clocks=clocks, zone=None, write_line=self.lines.append
        )
        self._closing.callback(self.process.close)
        return self.process

    def end(self) -> None:
        assert self.process is not None
        self.process.close()

    def turn_until(self, condition: Callable[[], Any], within_s: float = WITHIN_S) -> Any:
        assert self.process is not None
        deadline_s = time.monotonic() + within_s
        while not (found := condition()):
            assert time.monotonic() < deadline_s, f"{self.process!r}, {self.lines}, {self.phone.messages()}"
            self.process.turn()
            time.sleep(0.005)
        return found

    def turn_for(self, seconds: float) -> None:
        assert self.process is not None
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.process.turn()
            time.sleep(0.005)

    def shown(self, count: int) -> list[dict[str, Any]]:
        self.turn_until(lambda: len(self.phone.messages()) >= count)
        return self.phone.messages()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as closing:
        phone = closing.enter_context(PhoneServices())
        yield Stage(tmp_path, phone, closing)


def now_entry(*arguments: Any, **members: Any) -> Any:
    return entry(*arguments, **{"utc_s": time.time(), **members})


def test_a_cry_reaches_the_phone_once_with_priority_and_button(stage: Stage) -> None:
    stage.begin()
    stage.turn_for(0.05)
    stage.journal.append([now_entry()])
    (message,) = stage.shown(1)
    assert message["topic"] == TOPIC
    assert message["title"] == "anna: cry"
    assert message["priority"] == 5
    assert message["tags"] == ["rotating_light"]
    assert "score 0.91, 3 of 5 windows at 0.60 or above" in message["message"]
    assert "LATE" not in message["message"]
    assert message["actions"][0]["label"] == "Acknowledge"
    stage.turn_for(0.1)
    assert len(stage.phone.messages()) == 1


def test_what_was_accepted_is_not_sent_again_after_a_restart(stage: Stage) -> None:
    stage.begin()
    stage.turn_for(0.05)
    stage.journal.append([now_entry()])
    stage.shown(1)
    stage.turn_for(0.05)
    stage.end()
    stage.begin()
    stage.turn_for(0.1)
    stage.journal.append([now_entry(seq=1, change="ended", cause="quiet")])
    messages = stage.shown(2)
    assert [message["title"] for message in messages] == ["anna: cry", "anna: cry: over"]
    assert messages[1]["priority"] == 1
    assert messages[0]["sequence_id"] == messages[1]["sequence_id"]
