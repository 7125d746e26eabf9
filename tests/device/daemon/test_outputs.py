"""Delivery channels are opened as configured, replaced where a reload changes them, and closed in time."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from device.config.loading import profile
from device.config.settings import AlarmSettings, ClipSettings, GpioSettings, JournalSettings, MqttSettings, Settings
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.daemon.channel_factory import ChannelFactory
from device.daemon.delivery.journal_messages import JournalOpened
from device.daemon.delivery.journal_writer import JournalWriter
from device.daemon.delivery.null_journal import NullJournal
from device.daemon.delivery.reply_queue import ReplyQueue
from device.daemon.outputs import Outputs
from device.errors import ConfigError
from device.runtime.certificates import DAY_S
from device.sinks.gpio.pins import Gpio
from device.sinks.gpio.printed_pins import PrintedPins
from tests.device.daemon.scripted import ManualClocks
from tests.device.runtime.signed_certificates import certificate, private_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.daemon.delivery.channels import Channels

LABELS = AlarmLabels({("cry", "cry"): "high"}, {("cry", "cry"): 2.0})
NOWHERE = MqttSettings(host="127.0.0.1", port=1)
_SOON_S = 20.0


class Stage:
    def __init__(self, *, prints_pins: bool = True) -> None:
        self.replies = ReplyQueue()
        self.clocks = ManualClocks()
        self.pins: list[str] = []
        factory = ChannelFactory("anna", replies=self.replies, report_pin=self.pins.append, prints_pins=prints_pins)
        self.outputs = Outputs(factory, replies=self.replies, timekeeper=self.clocks.timekeeper)

    def apply(self, settings: Settings) -> Channels:
        return self.outputs.apply(self.outputs.prepare(settings), LABELS)


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    made = Stage()
    yield made
    made.outputs.close(lambda: None)


@pytest.fixture
def settings() -> Settings:
    return profile()


def opened(stage: Stage) -> bool:
    """Whether the journal's thread has read its journal."""
    until_s = time.monotonic() + _SOON_S
    while time.monotonic() < until_s:
        if any(isinstance(reply, JournalOpened) for reply in stage.replies.pop_all()):
            return True
        stage.replies.wait(0.1)
    return False


def test_without_a_word_there_is_a_journal_and_nothing_else(stage: Stage, settings: Settings, tmp_path: Path) -> None:
    channels = stage.apply(settings)
    assert isinstance(channels.journal, JournalWriter)
    assert [channels.broker, channels.alarm_publisher, channels.state_publisher, channels.clips] == 4 * [None]
    assert isinstance(channels.pins, Gpio)
    assert channels.pins.problem is None
    assert opened(stage)
    assert (tmp_path / "auricle" / "anna" / "alarms.db").exists()


def test_where_no_journal_is_wanted_none_is_made(stage: Stage, settings: Settings, tmp_path: Path) -> None:
    channels = stage.apply(replace(settings, journal=JournalSettings(file=None)))
    assert isinstance(channels.journal, NullJournal)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_named_is_not_made_and_its_absence_is_trouble(
    stage: Stage, settings: Settings, tmp_path: Path
) -> None:
    channels = stage.apply(replace(settings, journal=JournalSettings(file=str(tmp_path / "nosuch" / "alarms.db"))))
    until_s = time.monotonic() + _SOON_S
    while (failure := channels.journal.failure(time.monotonic())) is None:
        assert time.monotonic() < until_s
    assert "is missing; make it" in failure.reason
    assert not (tmp_path / "nosuch").exists()


def test_pins_are_printed_where_there_are_none_and_a_recording_is_heard(stage: Stage, settings: Settings) -> None:
    assert isinstance(stage.apply(replace(settings, gpio=GpioSettings(led=17))).pins, PrintedPins)
    live = Stage(prints_pins=False)
    pins = live.apply(replace(settings, journal=JournalSettings(file=None), gpio=GpioSettings(led=17))).pins
    assert isinstance(pins, Gpio)
    assert "no GPIO here" in str(pins.problem)


@pytest.mark.parametrize(
    "wrong",
    [
        {"alarms": AlarmSettings(time_zone="Europe/Nowhere")},
        {"mqtt": replace(NOWHERE, tls=True, ca_file="nosuch.pem")},
        {"mqtt": replace(NOWHERE, username="anna", password_file="nosuch")},  # noqa: S106 - no such file
    ],
)
def test_what_does_not_hold_is_refused_before_anything_is_let_go(
    stage: Stage, settings: Settings, wrong: dict[str, AlarmSettings | MqttSettings]
) -> None:
    channels = stage.apply(replace(settings, mqtt=NOWHERE))
    with pytest.raises(ConfigError):
        stage.outputs.prepare(replace(settings, **wrong))  # type: ignore[arg-type]
    assert channels.broker is not None
    assert channels.broker.link.state != "closed"


def test_a_reload_that_changes_nothing_replaces_nothing(stage: Stage, settings: Settings) -> None:
    settings = replace(settings, mqtt=NOWHERE, gpio=GpioSettings(led=17), clips=ClipSettings(enabled=True))
    before = stage.apply(settings)
    after = stage.apply(settings)
    assert after.clips is not None
    assert (after.journal, after.pins, after.broker, after.alarm_publisher, after.clips) == (
        before.journal,
        before.pins,
        before.broker,
        before.alarm_publisher,
        before.clips,
    )


def test_a_certificate_that_was_renewed_in_place_is_used_after_a_reload(
    stage: Stage, settings: Settings, tmp_path: Path
) -> None:
    """The connection was kept, and so the old certificate, until it expired."""
    own, key = tmp_path / "anna.crt", tmp_path / "anna.key"
    own.write_bytes(certificate(stage.clocks.utc_s + 29 * DAY_S))
    key.write_bytes(private_key())
    mqtt = replace(NOWHERE, tls=True, cert_file=str(own), key_file=str(key))
    first = stage.apply(replace(settings, mqtt=mqtt))
    same = stage.apply(replace(settings, mqtt=mqtt))
    assert same.broker is first.broker
    own.write_bytes(certificate(stage.clocks.utc_s + 400 * DAY_S))
    renewed = stage.apply(replace(settings, mqtt=mqtt))
    assert renewed.broker is not first.broker
    dates = [channels.certificates[0].expires_utc_s for channels in (first, renewed)]
    assert dates == [stage.clocks.utc_s + days * DAY_S for days in (29, 400)]
    own.write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be used"):
        stage.outputs.prepare(replace(settings, mqtt=mqtt))


def test_another_broker_takes_over_what_waits_and_the_old_one_is_left(stage: Stage, settings: Settings) -> None:
    before = stage.apply(replace(settings, mqtt=NOWHERE))
    after = stage.apply(replace(settings, mqtt=replace(NOWHERE, port=2)))
    assert after.broker is not before.broker
    assert before.broker is not None
    assert before.broker.link.state == "closed"
    assert after.alarm_publisher is before.alarm_publisher
    assert after.journal is before.journal


def test_a_broker_that_comes_or_goes_leaves_the_journal_and_is_given_its_notes(
    stage: Stage, settings: Settings
) -> None:
    before = stage.apply(settings)
    assert opened(stage)
    with_broker = stage.apply(replace(settings, mqtt=NOWHERE))
    assert with_broker.journal is before.journal
    assert opened(stage)
    without = stage.apply(settings)
    assert without.broker is None
    assert without.state_publisher is None


def test_clips_come_and_go(stage: Stage, settings: Settings) -> None:
    with_clips = stage.apply(replace(settings, clips=ClipSettings(enabled=True)))
    assert with_clips.clips is not None
    assert stage.apply(settings).clips is None


def test_what_was_prepared_and_is_not_taken_leaves_nothing(stage: Stage, settings: Settings) -> None:
    prepared = stage.outputs.prepare(replace(settings, mqtt=NOWHERE, clips=ClipSettings(enabled=True)))
    stage.outputs.discard(prepared)
    assert "closed" in repr(prepared.clips)
