"""The checks of pins and clips."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import TYPE_CHECKING

import pytest
from gpiozero.pins.mock import MockFactory

from device.config.settings import ClipSettings, GpioSettings
from device.tools.check.output_checks import check_clips, check_pins

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

_PINS = GpioSettings(led=17, buzzer=27, button=22)


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    made = MockFactory()
    yield made
    made.reset()
    made.close()


def test_no_pin_is_touched_unless_one_is_named(factory: MockFactory) -> None:
    assert check_pins(GpioSettings(), None, factory).outcome == "ok"
    assert not factory.pins


def test_pins_that_can_be_had_are_named_and_let_go(factory: MockFactory) -> None:
    finding = check_pins(_PINS, None, factory)
    assert finding.outcome == "ok"
    assert "GPIO 17 (led), GPIO 27 (buzzer), GPIO 22 (button) can be had" in finding.summary
    assert not factory.pin(17).state
    assert check_pins(_PINS, None, factory).outcome == "ok", "they were let go"


def test_a_pin_that_somebody_else_holds_is_a_failure(factory: MockFactory) -> None:
    import gpiozero

    with gpiozero.LED(27, pin_factory=factory):
        finding = check_pins(_PINS, None, factory)
    assert finding.outcome == "failure"
    assert "GPIO 27 (buzzer) does nothing" in finding.summary


def test_a_machine_without_pins_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LG_WD", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    finding = check_pins(_PINS, None)
    assert finding.outcome == "failure"
    assert "no GPIO here" in finding.summary


def test_pins_that_the_running_daemon_holds_are_left_to_it(factory: MockFactory, state: DaemonState) -> None:
    finding = check_pins(_PINS, state, factory)
    assert finding.outcome == "ok"
    assert "process 4711) holds GPIO 17 (led)" in finding.summary
    assert not factory.pins


def test_clips_are_looked_for_only_where_they_are_wanted(tmp_path: Path) -> None:
    assert check_clips(ClipSettings(), tmp_path).summary == "no sound is kept"
    finding = check_clips(ClipSettings(enabled=True, max_mb=1.0), tmp_path / "clips")
    assert finding.outcome == "ok"
    assert str(tmp_path / "clips") in finding.summary
    assert not list(tmp_path.iterdir())


def test_too_little_room_for_clips_is_a_warning(tmp_path: Path) -> None:
    finding = check_clips(dataclasses.replace(ClipSettings(enabled=True), max_mb=1e12), tmp_path)
    assert finding.outcome == "warning"
    assert "max_mb in [clips]" in finding.cure


def test_clips_without_their_library_are_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    finding = check_clips(ClipSettings(enabled=True), tmp_path)
    assert finding.outcome == "failure"
    assert "auricle[device]" in finding.cure
