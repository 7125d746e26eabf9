"""Lights, buzzer, button and the fail-safe output, on gpiozero's mock pins; and a machine that has no pins at all."""

from __future__ import annotations

import itertools
import math
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPWMPin
from hypothesis import given
from hypothesis import strategies as st

from device.config.loading import parse_config
from device.config.settings import GpioSettings
from device.errors import ConfigError
from device.sinks.gpio.pins import (
    DEBOUNCE_S,
    HELD_S,
    LAPSE_S,
    LIGHTS,
    PATTERNS,
    TOGGLE_S,
    Gpio,
    Heartbeat,
    PrintedPins,
    _Track,
    drive_low,
    pattern_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from device.messages import Priority
    from device.sinks.gpio.pins import Pattern

_LED, _BUZZER, _RELAY, _BUTTON, _ALIVE = 17, 18, 27, 22, 23
_ALL = GpioSettings(led=_LED, buzzer=_BUZZER, relay=_RELAY, button=_BUTTON, alive=_ALIVE)
_OUTPUTS = (_LED, _BUZZER, _RELAY, _ALIVE)
_LATE_S = 1.0
"""By so much a busy machine may put a level late."""

_WITHIN_S = 30.0


@dataclass(frozen=True)
class _Signal:
    priority: Priority | None = None
    silent: bool = False


class _Clock:
    """Shows the time that a test says it is."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class _Bench:
    """Pins that remember, and what the button asked for."""

    def __init__(self, folder: Path) -> None:
        self.factory = MockFactory(pin_class=MockPWMPin)
        self.asked: list[str] = []
        self._folder = folder
        self._open: list[Gpio] = []

    def gpio(self, settings: GpioSettings = _ALL, clock: Callable[[], float] = time.monotonic) -> Gpio:
        gpio = Gpio(
            settings,
            on_acknowledge=lambda: self.asked.append("acknowledge"),
            on_pause=lambda: self.asked.append("pause"),
            work_folder=self._folder,
            factory=self.factory,
            clock=clock,
        )
        self._open.append(gpio)
        return gpio

    def level(self, number: int) -> float:
        return float(self.factory.pin(number).state)

    def edges(self, number: int) -> list[tuple[float, float]]:
        """(seconds since the level before, level), since the pins were last cleared."""
        return [(float(state.timestamp), float(state.state)) for state in self.factory.pin(number).states[1:]]

    def await_edges(self, number: int, least: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Until a pin has changed so often."""
        deadline_s = time.monotonic() + _WITHIN_S
        while len(self.edges(number)) < least:
            assert time.monotonic() < deadline_s, f"GPIO {number} changed {len(self.edges(number))} times"
            meanwhile()
            time.sleep(0.02)

    def close(self) -> None:
        for gpio in self._open:
            gpio.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[_Bench]:
    made = _Bench(tmp_path)
    yield made
    made.close()


# --- patterns


def _pulses(pattern: Pattern) -> tuple[list[float], list[float]]:
    """Lengths of a pattern's pulses, and of the spaces behind them."""
    assert [high for high, _ in pattern.steps] == [True, False] * (len(pattern.steps) // 2)
    lasts_s = [step_s for _, step_s in pattern.steps]
    return lasts_s[::2], lasts_s[1::2]


@pytest.mark.parametrize(("priority", "least_hz", "most_hz"), [("high", 1.4, 2.8), ("medium", 0.4, 0.8)])
def test_the_light_flashes_as_the_standard_has_it(priority: Priority, least_hz: float, most_hz: float) -> None:
    ((on_s,), (off_s,)) = _pulses(PATTERNS[priority]["led"])
    assert least_hz <= 1 / (on_s + off_s) <= most_hz
    assert 0.2 <= on_s / (on_s + off_s) <= 0.6


def test_ten_pulses_of_high_priority_have_the_rhythm_of_the_standard() -> None:
    pulses_s, spaces_s = _pulses(PATTERNS["high"]["buzzer"])
    (pulse_s,) = set(pulses_s)
    x_s = spaces_s[0]
    assert len(pulses_s) == 10
    assert 0.075 <= pulse_s <= 0.2
    assert 0.05 <= x_s <= 0.125
    half_s = [x_s, x_s, pytest.approx(2 * x_s + pulse_s), x_s]
    assert spaces_s[:4] == half_s
    assert spaces_s[5:9] == half_s
    assert 0.35 <= spaces_s[4] <= 1.3
    assert 2.5 <= spaces_s[9] <= 15.0


def test_three_pulses_of_medium_and_one_of_low_priority_have_the_rhythm_of_the_standard() -> None:
    pulses_s, spaces_s = _pulses(PATTERNS["medium"]["buzzer"])
    assert len(pulses_s) == 3
    assert all(0.125 <= length_s <= 0.25 for length_s in [*pulses_s, *spaces_s[:2]])
    assert 2.5 <= spaces_s[2] <= 30.0
    pulses_s, spaces_s = _pulses(PATTERNS["low"]["buzzer"])
    assert len(pulses_s) == 1
    assert 0.125 <= pulses_s[0] <= 0.25
    assert spaces_s[0] == math.inf


def test_only_high_priority_closes_the_relay_and_silence_leaves_the_light() -> None:
    for priority in PATTERNS:
        relay = pattern_of("relay", _Signal(priority))
        assert relay.steps[0][0] is (priority == "high")
        assert pattern_of("led", _Signal(priority, silent=True)) == pattern_of("led", _Signal(priority))
        for light in ("relay", "buzzer"):
            assert pattern_of(light, _Signal(priority, silent=True)).steps == ((False, math.inf),)
    assert all(pattern_of(light, _Signal(None)).steps == ((False, math.inf),) for light in LIGHTS)


def test_the_documented_table_is_the_one_that_is_played() -> None:
    page = (Path(__file__).parents[4] / "docs" / "gpio.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"(?m)^\| (high|medium|low) \| (.*) \|$", page))
    for priority, patterns in PATTERNS.items():
        assert rows[priority].split(" | ")[:3] == [patterns[light].words for light in LIGHTS]


def _wanted(pattern: Pattern) -> Iterator[tuple[float, bool]]:
    """(seconds since the level before, level), for ever; the first level has none before."""
    before_s = 0.0
    for high, lasts_s in itertools.cycle(pattern.steps):
        yield before_s, high
        before_s = lasts_s


def _assert_follows(edges: list[tuple[float, float]], pattern: Pattern) -> None:
    assert edges
    for number, ((after_s, level), (wanted_s, high)) in enumerate(zip(edges, _wanted(pattern), strict=False)):
        assert level == float(high)
        assert number == 0 or wanted_s - 0.01 <= after_s <= wanted_s + _LATE_S


def test_high_priority_is_seen_and_heard_on_the_pins(bench: _Bench) -> None:
    gpio = bench.gpio()
    gpio.show(_Signal("high"))
    assert [bench.level(pin) for pin in (_LED, _BUZZER, _RELAY)] == [1.0, 1.0, 1.0]  # at once, without any thread
    bench.await_edges(_BUZZER, 12)
    bench.await_edges(_LED, 9)
    _assert_follows(bench.edges(_LED), PATTERNS["high"]["led"])
    _assert_follows(bench.edges(_BUZZER), PATTERNS["high"]["buzzer"])
    assert [level for _, level in bench.edges(_RELAY)] == [1.0]


def test_low_priority_beeps_once_and_stays_lit(bench: _Bench) -> None:
    gpio = bench.gpio()
    gpio.show(_Signal("low"))
    bench.await_edges(_BUZZER, 2)
    time.sleep(0.5)
    assert [level for _, level in bench.edges(_LED)] == [1.0]
    _assert_follows(bench.edges(_BUZZER), PATTERNS["low"]["buzzer"])
    assert len(bench.edges(_BUZZER)) == 2


def test_to_show_the_same_again_disturbs_no_pattern(bench: _Bench) -> None:
    gpio = bench.gpio()
    bench.await_edges(_LED, 5, meanwhile=lambda: gpio.show(_Signal("high")))
    _assert_follows(bench.edges(_LED), PATTERNS["high"]["led"])


def test_a_pause_silences_at_once_and_leaves_the_light_as_it_was(bench: _Bench) -> None:
    gpio = bench.gpio()
    gpio.show(_Signal("high"))
    bench.await_edges(_LED, 2)
    gpio.show(_Signal("high", silent=True))
    assert (bench.level(_BUZZER), bench.level(_RELAY)) == (0.0, 0.0)
    quiet_since = len(bench.edges(_BUZZER))
    bench.await_edges(_LED, 7)
    assert len(bench.edges(_BUZZER)) == quiet_since
    _assert_follows(bench.edges(_LED), PATTERNS["high"]["led"])
    gpio.show(_Signal(None))
    assert bench.level(_LED) == 0.0


def test_the_patterns_go_on_while_the_main_loop_hangs(bench: _Bench) -> None:
    bench.gpio().show(_Signal("high"))
    bench.await_edges(_LED, 8)  # nobody calls


@given(st.sampled_from(["high", "medium"]), st.lists(st.floats(0.0, 0.05), min_size=100, max_size=400))
def test_each_step_begins_when_the_one_before_is_over(priority: Priority, looks_s: list[float]) -> None:
    """Never sooner, and at the first look after that, in the pattern's order."""
    pattern, levels, now_s = PATTERNS[priority]["buzzer"], list[tuple[float, bool]](), 0.0
    track = _Track(lambda high: levels.append((now_s, high)))
    track.begin(pattern, now_s)
    for look_s in looks_s:
        now_s += look_s
        assert track.advance(now_s) >= now_s
    ends_s = [at_s for at_s, _ in levels[1:]]
    for (began_s, high), end_s, (wanted, lasts_s) in zip(levels, ends_s, itertools.cycle(pattern.steps), strict=False):
        assert high is wanted
        assert lasts_s <= end_s - began_s + 1e-9 < lasts_s + 0.051


# --- the button


def _pressed_for(bench: _Bench, clock: _Clock, seconds: float) -> None:
    bench.factory.pin(_BUTTON).drive_low()
    clock.now_s += seconds
    bench.factory.pin(_BUTTON).drive_high()


def test_a_short_press_acknowledges(bench: _Bench) -> None:
    clock = _Clock()
    gpio = bench.gpio(clock=clock)
    _pressed_for(bench, clock, 0.2)
    gpio.show(_Signal(None))
    assert bench.asked == ["acknowledge"]


def test_a_button_that_is_held_pauses_while_it_is_held_and_once(bench: _Bench) -> None:
    clock = _Clock()
    gpio = bench.gpio(clock=clock)
    bench.factory.pin(_BUTTON).drive_low()
    asked = []
    for _ in range(30):
        clock.now_s += 0.25
        gpio.show(_Signal("high"))
        asked.append((round(clock.now_s - 100.0, 2), list(bench.asked)))
    assert asked[10] == (2.75, [])
    assert asked[11] == (HELD_S, ["pause"])
    bench.factory.pin(_BUTTON).drive_high()
    assert bench.asked == ["pause"]


@given(st.lists(st.floats(0.0, DEBOUNCE_S * 0.9), max_size=6), st.lists(st.floats(0.0, DEBOUNCE_S * 0.9), max_size=6))
def test_however_a_contact_bounces_a_press_is_one_press(
    tmp_path_factory: pytest.TempPathFactory, first: list[float], last: list[float]
) -> None:
    bench, clock = _Bench(tmp_path_factory.getbasetemp()), _Clock()
    gpio = bench.gpio(clock=clock)
    for bounce_s in [*first, 0.3, *last]:
        _pressed_for(bench, clock, bounce_s)
        clock.now_s += 0.001
        gpio.show(_Signal(None))
    assert bench.asked == ["acknowledge"]
    bench.close()


def test_after_a_hold_a_bounce_acknowledges_nothing(bench: _Bench) -> None:
    clock = _Clock()
    gpio = bench.gpio(clock=clock)
    bench.factory.pin(_BUTTON).drive_low()
    clock.now_s += HELD_S
    gpio.show(_Signal("high"))
    bench.factory.pin(_BUTTON).drive_high()
    _pressed_for(bench, clock, 0.002)
    assert bench.asked == ["pause"]


def test_a_button_that_is_stuck_at_the_start_asks_for_nothing(bench: _Bench) -> None:
    clock = _Clock()
    bench.factory.pin(_BUTTON).drive_low()
    gpio = bench.gpio(replace(_ALL, button=None), clock=clock)
    gpio.close()
    bench.factory.pin(_BUTTON)._set_pull = lambda _pull: None  # the short circuit is stronger
    held = bench.gpio(GpioSettings(button=_BUTTON), clock=clock)
    clock.now_s += 10.0
    held.show(_Signal("high"))
    assert bench.asked == []


# --- the fail-safe output


@given(st.lists(st.floats(0.0001, 0.25), min_size=20, max_size=200))
def test_while_the_loop_turns_a_pulse_rises_at_least_every_second_and_never_races(turns_s: list[float]) -> None:
    heart, now_s = Heartbeat("pulse"), 50.0
    rises_s = [now_s]
    for turn_s in turns_s:
        now_s += turn_s
        before = heart.high
        assert heart.beat(now_s) is (heart.high is not before)
        assert not heart.falls(now_s)
        if heart.high and not before:
            rises_s.append(now_s)
    gaps_s = [later - sooner for sooner, later in itertools.pairwise([*rises_s, now_s])]
    assert max(gaps_s) < 1.0
    assert all(gap_s >= 2 * TOGGLE_S - 1e-9 for gap_s in gaps_s[1:-1])


def test_the_pulse_stops_with_the_beats_whatever_else_goes_on(bench: _Bench) -> None:
    gpio = bench.gpio()
    gpio.show(_Signal("high"))
    bench.await_edges(_ALIVE, 5, meanwhile=gpio.beat)
    stopped_after = len(bench.edges(_ALIVE))
    lights_after = len(bench.edges(_LED))
    time.sleep(LAPSE_S + 0.7)  # the main loop hangs: nobody calls anything
    bench.await_edges(_LED, lights_after + 2)
    assert len(bench.edges(_ALIVE)) == stopped_after


@pytest.mark.parametrize("form", ["pulse", "steady"])
def test_a_loop_that_turns_but_says_no_more_that_all_is_well_lets_it_fall(bench: _Bench, form: Any) -> None:
    clock = _Clock()
    gpio = bench.gpio(replace(_ALL, alive_is=form), clock=clock)
    assert bench.level(_ALIVE) == 0.0
    gpio.beat()
    assert bench.level(_ALIVE) == 1.0
    clock.now_s += LAPSE_S - 0.1
    gpio.show(_Signal(None))
    assert bench.level(_ALIVE) == 1.0
    clock.now_s += 0.2
    gpio.show(_Signal(None))
    assert bench.level(_ALIVE) == 0.0
    gpio.beat()
    assert bench.level(_ALIVE) == 1.0


def test_the_steady_form_is_steady(bench: _Bench) -> None:
    clock = _Clock()
    gpio = bench.gpio(replace(_ALL, alive_is="steady"), clock=clock)
    for _ in range(100):
        clock.now_s += 0.2
        gpio.beat()
        gpio.show(_Signal("high"))
    assert [level for _, level in bench.edges(_ALIVE)] == [1.0]


# --- the end, and what fails


def test_the_end_leaves_every_output_low_and_starts_nothing_again(bench: _Bench) -> None:
    gpio = bench.gpio()
    gpio.show(_Signal("high"))
    gpio.beat()
    assert all(bench.level(pin) == 1.0 for pin in _OUTPUTS)
    gpio.close()
    lows = [[level for _, level in bench.edges(pin)] for pin in _OUTPUTS]
    assert all(levels[-1] == 0.0 for levels in lows)
    gpio.show(_Signal("medium"))
    gpio.beat()
    bench.factory.pin(_BUTTON).drive_low()
    time.sleep(0.6)
    gpio.close()
    assert [[level for _, level in bench.edges(pin)] for pin in _OUTPUTS] == lows
    assert bench.asked == []
    assert repr(gpio) == "Gpio(closed)"
    assert "gpio-patterns" not in {thread.name for thread in threading.enumerate()}


def test_what_a_killed_daemon_left_high_is_driven_low(bench: _Bench, tmp_path: Path) -> None:
    for number in _OUTPUTS:
        pin = bench.factory.pin(number)
        pin.function = "output"
        pin.state = 1.0
    assert drive_low(_ALL, work_folder=tmp_path, factory=bench.factory) is None
    assert [bench.level(pin) for pin in _OUTPUTS] == [0.0] * 4


def test_a_pin_that_somebody_else_has_does_nothing_and_the_others_work(bench: _Bench) -> None:
    other = bench.gpio(GpioSettings(led=_LED))
    gpio = bench.gpio()
    assert other.problem is None
    assert gpio.problem is not None
    assert re.fullmatch(r"GPIO 17 \(led\) does nothing: pin GPIO17 is already in use by [^;\n]*", gpio.problem)
    gpio.show(_Signal("high"))
    gpio.beat()
    assert [bench.level(pin) for pin in _OUTPUTS] == [0.0, 1.0, 1.0, 1.0]


def _refuse(_pin: MockPWMPin, _level: float) -> None:
    raise OSError(19, "No such device")


def test_pins_that_fail_later_are_told_of_and_hurt_nobody(bench: _Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    gpio = bench.gpio()
    assert gpio.problem is None
    with monkeypatch.context() as torn_off:
        torn_off.setattr(MockPWMPin, "_set_state", _refuse)
        gpio.show(_Signal("high"))
        gpio.beat()
        wait_for_all = time.monotonic() + _WITHIN_S
        while str(gpio.problem).count("; ") < len(_OUTPUTS) - 1 and time.monotonic() < wait_for_all:
            time.sleep(0.02)
    problems = str(gpio.problem).split("; ")
    assert "GPIO 23 (alive) does nothing: [Errno 19] No such device" in problems
    assert len(problems) == len(_OUTPUTS)
    bench.await_edges(_LED, len(bench.edges(_LED)) + 2)  # its thread lives


def _nowhere(settings: GpioSettings, folder: Path) -> Gpio:
    return Gpio(settings, on_acknowledge=lambda: None, on_pause=lambda: None, work_folder=folder)


def test_without_gpio_one_sentence_says_so_and_everything_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On this very machine: it has no pins, or this is not the machine to run tests on."""
    monkeypatch.setenv("LG_WD", "")
    del os.environ["LG_WD"]  # and monkeypatch takes back what is set now
    with _nowhere(_ALL, tmp_path / "run") as gpio:
        assert gpio.problem is not None
        assert re.fullmatch(
            "no GPIO here, led, buzzer, relay, button and alive will do nothing: [^;\n]+([;,][^;\n]+)?", gpio.problem
        )
        gpio.show(_Signal("high"))
        gpio.beat()
        assert repr(gpio) == "Gpio(no pins)"
    assert os.environ["LG_WD"] == str(tmp_path / "run")
    assert drive_low(_ALL, work_folder=tmp_path) is not None


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


# --- in words


def test_without_pins_each_change_of_a_pattern_is_one_line() -> None:
    lines: list[str] = []
    clock = _Clock()
    with PrintedPins(replace(_ALL, buzzer=None), tell=lines.append, clock=clock) as pins:
        assert pins.problem is None
        for signal in (_Signal(None), _Signal("high"), _Signal("high"), _Signal("high", silent=True)):
            pins.beat()
            pins.show(signal)
        clock.now_s += LAPSE_S + 0.1
        pins.show(_Signal("high", silent=True))
    assert lines == [
        "GPIO 23 (alive) pulses",
        "GPIO 17 (led) flashes 2 times a second",
        "GPIO 27 (relay) on",
        "GPIO 27 (relay) off",
        "GPIO 23 (alive) is low",
        "GPIO 17 (led) off",
    ]


# --- settings


def test_two_outputs_on_one_pin_are_refused() -> None:
    said = re.escape('n.toml, line 3: in [gpio] "alive" is 17, must be another pin than "led"')
    with pytest.raises(ConfigError, match=f"^{said}$"):
        parse_config("[gpio]\nled = 17\nalive = 17\n", source="n.toml")
    assert parse_config("[gpio]\nled = 17\nalive = 18\n", source="n.toml").gpio.alive == 18
