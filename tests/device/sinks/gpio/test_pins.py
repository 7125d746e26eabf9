"""The pins of one machine: the fail-safe output, the end, and pins or libraries that fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from gpiozero.pins.mock import MockPWMPin

from device.config.loading import parse_config
from device.config.settings import GpioSettings
from device.errors import ConfigError
from device.sinks.gpio.patterns import LAPSE_S
from device.sinks.gpio.pins import Gpio, drive_low
from tests.device.sinks.gpio.mock_pins import ALIVE, ALL_PINS, BUTTON, LED, OUTPUTS, WITHIN_S, Clock, ShownSignal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.device.sinks.gpio.mock_pins import Bench


# --- the fail-safe output


def test_the_pulse_stops_with_the_beats_whatever_else_goes_on(bench: Bench) -> None:
    gpio = bench.gpio()
    gpio.show(ShownSignal("high"))
    bench.await_edges(ALIVE, 5, meanwhile=gpio.beat)
    stopped_after = len(bench.edges(ALIVE))
    lights_after = len(bench.edges(LED))
    time.sleep(LAPSE_S + 0.7)  # the main loop hangs: nobody calls anything
    bench.await_edges(LED, lights_after + 2)
    assert len(bench.edges(ALIVE)) == stopped_after


@pytest.mark.parametrize("form", ["pulse", "steady"])
def test_a_loop_that_turns_but_says_no_more_that_all_is_well_lets_it_fall(bench: Bench, form: Any) -> None:
    clock = Clock()
    gpio = bench.gpio(replace(ALL_PINS, alive_is=form), clock=clock)
    assert bench.level(ALIVE) == 0.0
    gpio.beat()
    assert bench.level(ALIVE) == 1.0
    clock.now_s += LAPSE_S - 0.1
    gpio.show(ShownSignal(None))
    assert bench.level(ALIVE) == 1.0
    clock.now_s += 0.2
    gpio.show(ShownSignal(None))
    assert bench.level(ALIVE) == 0.0
    gpio.beat()
    assert bench.level(ALIVE) == 1.0


def test_the_steady_form_is_steady(bench: Bench) -> None:
    clock = Clock()
    gpio = bench.gpio(replace(ALL_PINS, alive_is="steady"), clock=clock)
    for _ in range(100):
        clock.now_s += 0.2
        gpio.beat()
        gpio.show(ShownSignal("high"))
    assert [level for _, level in bench.edges(ALIVE)] == [1.0]


# --- the end, and what fails


def test_the_end_leaves_every_output_low_and_starts_nothing_again(bench: Bench) -> None:
    gpio = bench.gpio()
    gpio.show(ShownSignal("high"))
    gpio.beat()
    assert all(bench.level(pin) == 1.0 for pin in OUTPUTS)
    gpio.close()
    lows = [[level for _, level in bench.edges(pin)] for pin in OUTPUTS]
    assert all(levels[-1] == 0.0 for levels in lows)
    gpio.show(ShownSignal("medium"))
    gpio.beat()
    bench.factory.pin(BUTTON).drive_low()
    time.sleep(0.6)
    gpio.close()
    assert [[level for _, level in bench.edges(pin)] for pin in OUTPUTS] == lows
    assert bench.asked == []
    assert repr(gpio) == "Gpio(closed)"
    assert "gpio-patterns" not in {thread.name for thread in threading.enumerate()}


def test_what_a_killed_daemon_left_high_is_driven_low(bench: Bench, tmp_path: Path) -> None:
    for number in OUTPUTS:
        pin = bench.factory.pin(number)
        pin.function = "output"
        pin.state = 1.0
    assert drive_low(ALL_PINS, work_folder=tmp_path, factory=bench.factory) is None
    assert [bench.level(pin) for pin in OUTPUTS] == [0.0] * 4


def test_a_pin_that_somebody_else_has_does_nothing_and_the_others_work(bench: Bench) -> None:
    other = bench.gpio(GpioSettings(led=LED))
    gpio = bench.gpio()
    assert other.problem is None
    assert gpio.problem is not None
    assert re.fullmatch(r"GPIO 17 \(led\) does nothing: pin GPIO17 is already in use by [^;\n]*", gpio.problem)
    gpio.show(ShownSignal("high"))
    gpio.beat()
    assert [bench.level(pin) for pin in OUTPUTS] == [0.0, 1.0, 1.0, 1.0]


def _refuse(_pin: MockPWMPin, _level: float) -> None:
    raise OSError(19, "No such device")


def test_pins_that_fail_later_are_told_of_and_hurt_nobody(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    gpio = bench.gpio()
    assert gpio.problem is None
    with monkeypatch.context() as torn_off:
        torn_off.setattr(MockPWMPin, "_set_state", _refuse)
        gpio.show(ShownSignal("high"))
        gpio.beat()
        wait_for_all = time.monotonic() + WITHIN_S
        while str(gpio.problem).count("; ") < len(OUTPUTS) - 1 and time.monotonic() < wait_for_all:
            time.sleep(0.02)
    problems = str(gpio.problem).split("; ")
    assert "GPIO 23 (alive) does nothing: [Errno 19] No such device" in problems
    assert len(problems) == len(OUTPUTS)
    bench.await_edges(LED, len(bench.edges(LED)) + 2)  # its thread lives


def _nowhere(settings: GpioSettings, folder: Path) -> Gpio:
    return Gpio(settings, on_acknowledge=lambda: None, on_pause=lambda: None, work_folder=folder)


def test_without_gpio_one_sentence_says_so_and_everything_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On this very machine: it has no pins, or this is not the machine to run tests on."""
    monkeypatch.setenv("LG_WD", "")
    del os.environ["LG_WD"]  # and monkeypatch takes back what is set now
    with _nowhere(ALL_PINS, tmp_path / "run") as gpio:
        assert gpio.problem is not None
        assert re.fullmatch(
            "no GPIO here, led, buzzer, relay, button and alive will do nothing: [^;\n]+([;,][^;\n]+)?", gpio.problem
        )
        gpio.show(ShownSignal("high"))
        gpio.beat()
        assert repr(gpio) == "Gpio(no pins)"
    assert os.environ["LG_WD"] == str(tmp_path / "run")
    assert drive_low(ALL_PINS, work_folder=tmp_path) is not None


_NO_PINS = """
import sys
from pathlib import Path
from device.config.settings import GpioSettings
from device.sinks.gpio.pins import Gpio, drive_low
with Gpio(GpioSettings(), on_acknowledge=print, on_pause=print, work_folder=Path("run")) as gpio:
    gpio.beat()
    assert gpio.problem is None
assert drive_low(GpioSettings(button=4), work_folder=Path("run")) is None
assert not {"gpiozero", "lgpio"} & set(sys.modules)
assert not Path("run").exists()
"""


def test_where_no_pin_is_named_no_library_is_imported_and_no_folder_made(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}  # noqa: PTH100 - "" too
    subprocess.run([sys.executable, "-c", _NO_PINS], cwd=tmp_path, env=environment, check=True, timeout=60)


# --- settings


def test_two_outputs_on_one_pin_are_refused() -> None:
    said = re.escape('n.toml, line 3: in [gpio] "alive" is 17, must be another pin than "led"')
    with pytest.raises(ConfigError, match=f"^{said}$"):
        parse_config("[gpio]\nled = 17\nalive = 17\n", source="n.toml")
    assert parse_config("[gpio]\nled = 17\nalive = 18\n", source="n.toml").gpio.alive == 18
