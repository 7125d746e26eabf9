"""Checks of what people would be told by: journal, pins, clips and zone as they are, a broker that is not there.

Real brokers are in tests/system/test_check.py.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from gpiozero.pins.mock import MockFactory

from device.alarms.journal.entries import Entry
from device.alarms.journal.store import Journal
from device.config.loading import parse_config
from device.config.settings import ClipSettings, GpioSettings, MqttSettings, Settings
from device.errors import ConfigError, JournalError
from device.tools.check import delivery_checks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

_MAX_BYTES = 4_000_000
_BODY = '{"kind":"sound","model":"cry","name":"cry","alarm_id":"a","seq":0}'


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A journal with some entries, closed in order."""
    path = tmp_path / "alarms.db"
    with Journal.open(path, max_bytes=_MAX_BYTES) as journal:
        journal.append([Entry(f"a{number}", 0, 1795227247.0 + number, True, "{}", _BODY) for number in range(40)])
    return path


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# --- journal


def test_a_sound_journal_is_told_with_the_room_there_is_and_stays_as_it_is(kept: Path) -> None:
    before = _files(kept.parent)
    finding = delivery_checks.journal(kept, _MAX_BYTES, None)
    assert finding.verdict == "ok"
    assert "can be written" in finding.says
    assert _files(kept.parent) == before


def test_a_journal_that_is_yet_to_be_made_is_told_and_not_made(tmp_path: Path) -> None:
    assert delivery_checks.journal(tmp_path / "anna" / "alarms.db", _MAX_BYTES, None).verdict == "ok"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at", [0, 700], ids=["its head", "a page"])
def test_a_damaged_journal_is_said_and_stays_as_it_is(kept: Path, at: int) -> None:
    data = bytearray(kept.read_bytes())
    data[at : at + 300] = bytes(300)
    kept.write_bytes(data)
    before = _files(kept.parent)
    finding = delivery_checks.journal(kept, _MAX_BYTES, None)
    assert finding.verdict == "failure"
    assert "is damaged: " in finding.says
    assert "salvages" in finding.do
    assert _files(kept.parent) == before


def test_a_row_that_is_not_as_it_was_written_is_damage(kept: Path) -> None:
    data = kept.read_bytes()
    assert b'"name":"cry"' in data
    kept.write_bytes(data.replace(b'"name":"cry"', b'"name":"cat"'))
    assert "is damaged: " in delivery_checks.journal(kept, _MAX_BYTES, None).says


def test_what_a_killed_daemon_left_in_the_log_is_read_and_stays_as_it_is(kept: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    with Journal.open(kept, max_bytes=_MAX_BYTES) as journal:
        journal.append([Entry("b", 0, 1795227300.0, True, "{}", _BODY)])
        for name in ("alarms.db", "alarms.db-wal"):
            (crashed / name).write_bytes((tmp_path / name).read_bytes())
    before = _files(crashed)
    assert before["alarms.db-wal"]
    assert delivery_checks.journal(crashed / "alarms.db", _MAX_BYTES, None).verdict == "ok"
    assert _files(crashed) == before
    page = bytearray(before["alarms.db-wal"])
    page[100:400] = b"\xff" * 300
    (crashed / "alarms.db-wal").write_bytes(page)
    assert "is damaged: its log is" in delivery_checks.journal(crashed / "alarms.db", _MAX_BYTES, None).says


def test_a_folder_in_place_of_the_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="is not a file"):
        delivery_checks.journal(tmp_path, _MAX_BYTES, None)


def test_too_little_room_for_the_journal_is_a_warning_and_what_it_holds_already_counts(kept: Path) -> None:
    finding = delivery_checks.journal(kept, 10**18, None)
    assert finding.verdict == "warning"
    assert "max_mb in [journal]" in finding.do
    held_bytes = sum(len(data) for data in _files(kept.parent).values())
    assert delivery_checks.journal(kept, held_bytes, None).says.endswith("it takes at most 0")


def test_no_journal_is_a_warning_that_says_what_is_lost() -> None:
    finding = delivery_checks.journal(None, _MAX_BYTES, None)
    assert finding.verdict == "warning"
    assert "lost with the process" in finding.says


def test_a_daemon_that_cannot_keep_its_alarms_is_a_failure(kept: Path, state: DaemonState) -> None:
    assert delivery_checks.journal(kept, _MAX_BYTES, state).verdict == "ok"
    finding = delivery_checks.journal(kept, _MAX_BYTES, dataclasses.replace(state, journal="the disk is full"))
    assert finding.verdict == "failure"
    assert "does not keep alarms: the disk is full" in finding.says


def test_the_journal_of_a_daemon_that_writes_it_is_read_beside_it(kept: Path, state: DaemonState) -> None:
    with Journal.open(kept, max_bytes=_MAX_BYTES) as journal:
        journal.append([Entry("b", 0, 1795227300.0, True, "{}", _BODY)])
        before = _files(kept.parent)
        assert delivery_checks.journal(kept, _MAX_BYTES, state).verdict == "ok"
        assert delivery_checks.journal(kept, _MAX_BYTES, None).verdict == "ok", "its lock says that somebody keeps it"
        assert _files(kept.parent).keys() == before.keys()
        journal.append([Entry("b", 1, 1795227301.0, True, "{}", _BODY)])


# --- broker


def test_no_broker_is_well_and_asks_nobody() -> None:
    assert delivery_checks.broker(MqttSettings(), "anna", None).verdict == "ok"


def test_a_port_where_nothing_listens_is_a_failure() -> None:
    with socket.socket() as taken:  # bound, and listening to nobody
        taken.bind(("127.0.0.1", 0))
        settings = MqttSettings(host="127.0.0.1", port=taken.getsockname()[1])
        finding = delivery_checks.broker(settings, "anna", None)
    assert finding.verdict == "failure"
    assert "nothing listens at 127.0.0.1" in finding.says
    assert "owed" in finding.do


def test_a_name_that_nobody_knows_is_a_failure() -> None:
    finding = delivery_checks.broker(MqttSettings(host="broker.invalid"), "anna", None)
    assert finding.verdict == "failure"
    assert "no address of broker.invalid is known" in finding.says


def test_what_is_no_broker_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery_checks, "ANSWERS_WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # the kernel takes the connection, and nobody answers
        finding = delivery_checks.broker(MqttSettings(host="127.0.0.1", port=mute.getsockname()[1]), "anna", None)
    assert finding.verdict == "failure"
    assert "does not answer" in finding.says


def test_a_password_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o644)
    settings = MqttSettings(host="127.0.0.1", username="anna", password_file=str(tmp_path / "password"))
    with pytest.raises(ConfigError, match="open to everybody"):
        delivery_checks.broker(settings, "anna", None)


@pytest.mark.parametrize(
    ("broker", "verdict"), [("connected", "ok"), ("denied", "warning"), ("refused", "failure"), ("lost", "failure")]
)
def test_a_daemon_that_alone_knows_the_password_is_asked(state: DaemonState, broker: str, verdict: str) -> None:
    settings = MqttSettings(host="broker.invalid", username="anna")
    finding = delivery_checks.broker(settings, "anna", dataclasses.replace(state, broker=broker), {})
    assert finding.verdict == verdict
    assert broker in finding.says
    assert bool(finding.do) == (verdict != "ok")


# --- pins

_PINS = GpioSettings(led=17, buzzer=27, button=22)


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    made = MockFactory()
    yield made
    made.reset()
    made.close()


def test_no_pin_is_touched_unless_one_is_named(factory: MockFactory) -> None:
    assert delivery_checks.pins(GpioSettings(), None, factory).verdict == "ok"
    assert not factory.pins


def test_pins_that_can_be_had_are_named_and_let_go(factory: MockFactory) -> None:
    finding = delivery_checks.pins(_PINS, None, factory)
    assert finding.verdict == "ok"
    assert "GPIO 17 (led), GPIO 27 (buzzer), GPIO 22 (button) can be had" in finding.says
    assert not factory.pin(17).state
    assert delivery_checks.pins(_PINS, None, factory).verdict == "ok", "they were let go"


def test_a_pin_that_somebody_else_holds_is_a_failure(factory: MockFactory) -> None:
    import gpiozero

    with gpiozero.LED(27, pin_factory=factory):
        finding = delivery_checks.pins(_PINS, None, factory)
    assert finding.verdict == "failure"
    assert "GPIO 27 (buzzer) does nothing" in finding.says


def test_a_machine_without_pins_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LG_WD", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    finding = delivery_checks.pins(_PINS, None)
    assert finding.verdict == "failure"
    assert "no GPIO here" in finding.says


def test_pins_that_the_running_daemon_holds_are_left_to_it(factory: MockFactory, state: DaemonState) -> None:
    finding = delivery_checks.pins(_PINS, state, factory)
    assert finding.verdict == "ok"
    assert "process 4711) holds GPIO 17 (led)" in finding.says
    assert not factory.pins


# --- clips


def test_clips_are_looked_for_only_where_they_are_wanted(tmp_path: Path) -> None:
    assert delivery_checks.clips(ClipSettings(), tmp_path).says == "no sound is kept"
    finding = delivery_checks.clips(ClipSettings(enabled=True, max_mb=1.0), tmp_path / "clips")
    assert finding.verdict == "ok"
    assert str(tmp_path / "clips") in finding.says
    assert not list(tmp_path.iterdir())


def test_too_little_room_for_clips_is_a_warning(tmp_path: Path) -> None:
    finding = delivery_checks.clips(dataclasses.replace(ClipSettings(enabled=True), max_mb=1e12), tmp_path)
    assert finding.verdict == "warning"
    assert "max_mb in [clips]" in finding.do


def test_clips_without_their_library_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    finding = delivery_checks.clips(ClipSettings(enabled=True), tmp_path)
    assert finding.verdict == "failure"
    assert "auricle[device]" in finding.do


# --- zone

_NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _with(alarms: str, daily_at: str = "12:00") -> Settings:
    return parse_config(f'[alarms]\n{alarms}\n[self_test]\ndaily_at = "{daily_at}"\n', source="a.toml")


def test_the_hour_there_is_told() -> None:
    finding = delivery_checks.zone(_with('time_zone = "Asia/Tokyo"\nquiet_hours = "22:00-06:00"'), _NOON)
    assert finding.verdict == "ok"
    assert "quiet hours 22:00-06:00 and self-test at 12:00 by Asia/Tokyo, where it is 21:00 (JST)" in finding.says


def test_quiet_hours_on_a_machine_that_was_never_told_its_zone_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    finding = delivery_checks.zone(_with('quiet_hours = "22:00-06:00"'), _NOON)
    assert finding.verdict == "warning"
    assert "on your wall" in finding.says
    assert delivery_checks.zone(_with('quiet_hours = "22:00-06:00"\ntime_zone = "UTC"'), _NOON).verdict == "ok"
    assert delivery_checks.zone(_with(""), _NOON).verdict == "ok"


def test_a_zone_that_is_not_known_here_is_refused() -> None:
    with pytest.raises(ConfigError, match="Mars/Olympus"):
        delivery_checks.zone(_with('time_zone = "Mars/Olympus"'), _NOON)
