"""The whole process but its signals, on a real journal, with a local server in place of the services."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from device.alarms.journal.store import Journal
from device.config.loading import parse_config
from device.errors import ServiceError
from device.push.push_process import PushPlaces, PushProcess
from device.runtime.clocks import Clocks
from tests.device.push.alarm_entries import entry
from tests.device.push.phone_services import APP_TOKEN, NTFY_TOKEN, TOPIC, USER_KEY, PhoneServices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.config.settings import Settings

WITHIN_S = 20.0
SOUNDS_ALONE = '[[notify]]\naddress_file = "topic"\nfaults = []\n'
"""No daemon answers on this stage, which is a fault."""


class Stage:
    """A journal, the services, and a process that can be ended and begun again."""

    def __init__(self, folder: Path, phone: PhoneServices, closing: ExitStack) -> None:
        self.folder, self.phone = folder, phone
        self.lines: list[str] = []
        self.journal = closing.enter_context(Journal.open(folder / "alarms.db", max_bytes=8_000_000))
        self.process: PushProcess | None = None
        self.skew_s = 0.0
        self._closing = closing
        self.settings = self.configured(SOUNDS_ALONE)
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


def test_after_an_outage_one_message_says_what_happened_late_and_what_is_open(stage: Stage) -> None:
    stage.begin()
    stage.turn_for(0.05)
    stage.phone.is_down = True
    changes = [("a", 0, "raised", {}), ("a", 1, "ended", {"cause": "quiet"}), ("b", 0, "raised", {})]
    stage.journal.append([now_entry(each[0], each[1], each[2], **each[3]) for each in changes])
    stage.turn_until(lambda: stage.phone.requests)
    stage.turn_for(0.05)
    stage.phone.is_down = False
    stage.skew_s = 4000.0  # more than an hour later
    (message,) = stage.shown(1)
    assert message["title"] == "anna: 2 alarms, cry open"
    assert message["message"].startswith("LATE by up to 1 h 6 min. What happened meanwhile:\n")
    assert "cry: OPEN, not acknowledged" in message["message"].splitlines()[1]
    assert "cry: quiet" in message["message"].splitlines()[2]
    assert message["priority"] == 5
    assert len(message["actions"]) == 1
    stage.turn_for(0.1)
    assert len(stage.phone.messages()) == 1


def test_one_late_message_says_so_itself(stage: Stage) -> None:
    stage.phone.is_down = True
    stage.begin()
    stage.turn_for(0.05)
    stage.journal.append([now_entry()])
    stage.turn_until(lambda: stage.phone.requests)
    stage.phone.is_down = False
    stage.skew_s = 600.0
    (message,) = stage.shown(1)
    assert message["title"] == "anna: cry"
    assert message["message"].startswith("LATE by 10 min ")


def test_a_refused_token_is_a_fault_at_once_not_asked_again_and_corrected_by_its_file(stage: Stage) -> None:
    stage.phone.ntfy_token = NTFY_TOKEN
    stage.write("token", "tk_wrong")
    stage.begin('[[notify]]\naddress_file = "topic"\ntoken_file = "token"\nfaults = []\n')
    stage.turn_for(0.05)
    stage.journal.append([now_entry()])
    stage.turn_until(lambda: stage.lines)
    assert stage.lines == ["phone: 127.0.0.1 refuses the token, or this topic needs one (HTTP 401)"]
    stage.skew_s = 300.0
    stage.turn_for(0.1)
    assert len(stage.phone.requests) == 1
    stage.write("token", NTFY_TOKEN)
    stage.shown(1)
    stage.turn_until(lambda: stage.lines[-1] == "phone: all is well again")


def test_a_service_that_asks_to_wait_is_not_asked_before(stage: Stage) -> None:
    stage.phone.faults.append((429, "100"))
    stage.begin()
    stage.turn_for(0.05)
    stage.journal.append([now_entry()])
    stage.turn_until(lambda: stage.phone.requests)
    stage.turn_for(0.05)
    stage.skew_s = 90.0
    stage.turn_for(0.1)
    assert len(stage.phone.requests) == 1
    stage.skew_s = 101.0
    stage.shown(1)


def test_a_second_person_gets_what_nobody_has_acknowledged_and_nothing_else(stage: Stage) -> None:
    stage.begin('[[notify]]\naddress_file = "topic"\nafter_min = 10\nfaults = []\n')
    stage.turn_for(0.05)
    stage.journal.append([now_entry("seen"), now_entry("unseen")])
    stage.turn_for(0.05)
    stage.journal.append([now_entry("seen", 1, "acknowledged"), now_entry("unseen", 1, "reminded")])
    stage.turn_for(0.1)
    assert stage.phone.messages() == []
    stage.skew_s = 601.0
    (message,) = stage.shown(1)
    assert message["title"] == "anna: cry"
    assert "LATE" not in message["message"]
    stage.journal.append([now_entry("seen", 2, "ended"), now_entry("unseen", 2, "acknowledged")])
    stage.shown(2)
    stage.turn_for(0.1)
    assert [each["title"] for each in stage.phone.messages()] == ["anna: cry", "anna: cry: acknowledged"]


def test_what_was_open_at_the_first_start_is_sent_and_what_was_over_is_not(stage: Stage) -> None:
    stage.journal.append([now_entry("old"), now_entry("old", 1, "ended"), now_entry("open")])
    stage.begin()
    (message,) = stage.shown(1)
    stage.turn_for(0.1)
    assert len(stage.phone.messages()) == 1
    assert message["actions"][0]["body"].startswith("open 0 ")


def test_a_daily_trial_is_sent_once_a_day_and_kept(stage: Stage) -> None:
    at = time.strftime("%H:%M")
    text = f'[[notify]]\naddress_file = "topic"\ntest_at = "{at}"\n'
    stage.begin(text)
    (message,) = stage.shown(1)
    assert message["title"] == "anna: test"
    stage.turn_until(lambda: "phone: the daily test was accepted" in stage.lines)
    stage.end()
    stage.begin(text)
    stage.turn_for(0.1)
    assert len(stage.phone.messages()) == 1


def test_a_full_disk_delays_no_message_and_repeats_none_in_this_life(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = stage.begin()
    stage.turn_for(0.05)
    monkeypatch.setattr(process._store, "save", lambda _update: False)
    monkeypatch.setattr(process._store, "problem", "the disk is full")
    stage.journal.append([now_entry()])
    stage.shown(1)
    stage.turn_for(0.1)
    assert len(stage.phone.messages()) == 1
    assert stage.lines == ["receipts: the disk is full: after a restart some messages would come twice"]


def test_a_damaged_file_of_receipts_is_set_aside_and_open_alarms_are_sent_again(stage: Stage) -> None:
    (stage.folder / "push.db").write_bytes(b"no database" * 1000)
    stage.journal.append([now_entry()])
    stage.begin()
    stage.shown(1)
    assert (stage.folder / "push.db.damaged").exists()
    assert stage.lines[0].startswith("the file of receipts was damaged and set aside")


def test_a_second_process_of_one_instance_is_refused(stage: Stage) -> None:
    stage.begin()
    with pytest.raises(ServiceError, match=r"another auricle push has .*push\.db: stop that one"):
        stage.begin()


def test_nothing_that_is_secret_is_in_the_receipts_or_in_a_line(stage: Stage) -> None:
    stage.begin(
        '[[notify]]\naddress_file = "topic"\n'
        '[[notify]]\nname = "pager"\nservice = "pushover"\naddress_file = "api"\n'
        'token_file = "token"\nuser_file = "user"\n'
    )
    stage.write("api", stage.phone.origin)
    stage.phone.faults.extend([500, 401, "reset", "half", "elsewhere"])
    stage.turn_for(0.05)
    stage.journal.append([now_entry()])
    for seconds in (10.0, 1000.0, 2000.0, 4000.0):
        stage.turn_for(0.1)
        stage.skew_s = seconds
    stage.shown(2)
    stage.turn_for(0.05)
    kept = b"".join(path.read_bytes() for path in stage.folder.glob("push.db*"))
    said = "\n".join([*stage.lines, repr(stage.process)])
    for secret in (TOPIC, APP_TOKEN, USER_KEY):
        assert secret.encode() not in kept
        assert secret not in said


def test_a_daemon_that_does_not_answer_is_sent_as_a_fault_once_also_across_a_restart(stage: Stage) -> None:
    text = '[[notify]]\naddress_file = "topic"\n'
    stage.begin(text)
    stage.turn_for(0.1)
    assert stage.phone.messages() == []
    stage.skew_s = 100.0
    (message,) = stage.shown(1)
    assert message["title"] == "anna: hears NOTHING: the daemon does not answer"
    assert "auricle listen has not answered for 100 s: it does not run, or hangs" in message["message"]
    stage.turn_for(0.05)
    stage.end()
    stage.skew_s = 300.0
    stage.begin(text)
    stage.turn_for(0.2)
    assert len(stage.phone.messages()) == 1


def test_what_is_accepted_while_the_process_ends_is_not_sent_again(stage: Stage) -> None:
    process = stage.begin()
    stage.turn_for(0.05)
    stage.journal.append([now_entry()])
    stage.turn_until(lambda: process._lanes[0].is_busy)
    stage.end()  # in the middle
    assert len(stage.phone.messages()) == 1
    stage.begin()
    stage.turn_for(0.2)
    assert len(stage.phone.messages()) == 1


def test_a_thread_that_has_ended_ends_the_process_so_that_a_new_one_takes_over(stage: Stage) -> None:
    process = stage.begin()
    stage.turn_for(0.05)
    process._daemon.close()
    process._daemon._thread.join(10.0)
    with pytest.raises(ServiceError, match="a thread of push has ended: DaemonContact"):
        process.turn()
