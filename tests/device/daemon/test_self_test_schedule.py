"""Self-tests begin on request and once a day, with the current configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.config.loading import parse_config
from device.daemon.audio.listening import ModelRunner
from device.daemon.delivery.channels import Channels
from device.daemon.delivery.null_journal import NullJournal
from device.daemon.delivery.outbox import Outbox
from device.daemon.self_test_schedule import SelfTestSchedule
from device.runtime.self_test.known_sound import known_sounds
from device.sinks.gpio.printed_pins import PrintedPins
from tests.device.daemon.scripted import NOON_S, ManualClocks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.config.settings import Settings
    from device.messages import Fault

_TURN_S = 0.05


class _Loop:
    """A loop that a test turns by hand, without journal and broker."""

    def __init__(self, daily_at: str) -> None:
        self.clocks = ManualClocks()
        self.settings = _settings(daily_at)
        self.runner = ModelRunner(self.settings, stream_id="s00", sheds=False)
        self.self_tests = SelfTestSchedule(
            "anna", boot_id="b00", timekeeper=self.clocks.timekeeper, capture_hz=lambda: 16000
        )
        self.configure()

    def configure(self) -> None:
        channels = Channels(
            NullJournal(Outbox(0, has_disk=False)), PrintedPins(self.settings.gpio, write_line=lambda _line: None)
        )
        self.self_tests.configure(self.settings, self.runner, channels, known_sounds(self.settings, self.runner.models))

    def turn(self, turns: int) -> list[Fault]:
        found = []
        for _ in range(turns):
            self.clocks.advance(_TURN_S)
            fault = self.self_tests.step(12.5)
            if fault is not None:
                found.append(fault)
        return found


def _settings(daily_at: str) -> Settings:
    return parse_config(f'[self_test]\ndaily_at = "{daily_at}"\n[alarms]\ntime_zone = "UTC"\n', source="a.toml")


@pytest.fixture
def loop() -> Iterator[_Loop]:
    made = _Loop("off")
    yield made
    made.runner.close()


def test_nothing_is_tried_unless_it_is_asked_for(loop: _Loop) -> None:
    assert not loop.turn(200)


def test_a_test_that_is_asked_for_is_made_once_and_says_that_all_is_well(loop: _Loop) -> None:
    loop.self_tests.request("mqtt")
    (fault,) = loop.turn(200)
    assert (fault.kind, fault.begins, fault.at_s) == ("self_test", False, 12.5)


def test_asking_twice_makes_one_test(loop: _Loop) -> None:
    loop.self_tests.request("mqtt")
    loop.turn(5)
    loop.self_tests.request("button")
    assert len(loop.turn(200)) == 1


def test_a_reload_during_a_test_begins_it_anew(loop: _Loop) -> None:
    loop.self_tests.request("mqtt")
    assert not loop.turn(10)
    loop.configure()
    assert not loop.turn(10)
    assert len(loop.turn(200)) == 1


def test_what_comes_back_while_nothing_is_tried_changes_nothing(loop: _Loop) -> None:
    loop.self_tests.received(b"{}")
    assert not loop.turn(50)


def test_it_is_tried_daily_at_its_time() -> None:
    begins_utc_s = NOON_S  # 2023-11-14T22:13:20Z
    loop = _Loop("22:14")
    try:
        assert loop.clocks.utc_s == begins_utc_s
        assert not loop.turn(round(39 / _TURN_S))
        assert len(loop.turn(round(30 / _TURN_S))) == 1
        loop.clocks.advance(86400.0)
        assert len(loop.turn(round(30 / _TURN_S))) == 1
    finally:
        loop.runner.close()
