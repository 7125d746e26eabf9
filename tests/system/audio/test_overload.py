"""If the machine cannot keep up, fewer windows are scored, none late, and two figures and a fault report it.

Most of this runs the daemon's own loop, queue, models and figures on a machine whose clock is ours: time passes
where a block is taken or a network asked, as much as the test says, so that hours of overload are the same hours
each time. The last ones take the CPU away from a daemon in a process of its own.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pytest
import soundfile

from benchmarks.soak.proc import memory_kib
from device.alarms.machine import Machine
from device.config.loading import profile
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.daemon.alerting.controller import AlarmController
from device.daemon.alerting.epoch import Epoch
from device.daemon.alerting.sensitivities import Sensitivities
from device.daemon.audio import listening as listening_module
from device.daemon.audio.audio_queue import AUDIO_LIMIT_S, AudioQueue
from device.daemon.audio.listening import ModelRunner
from device.daemon.audio.overload import WIDEN_AT_S
from device.daemon.audio.source_thread import SourceStatus, SourceThread
from device.daemon.delivery.channels import Channels
from device.daemon.delivery.notices import NoticeMaker
from device.daemon.delivery.null_journal import NullJournal
from device.daemon.delivery.outbox import Outbox
from device.daemon.delivery.reply_queue import ReplyQueue
from device.daemon.main_loop import LoopParts, MainLoop
from device.daemon.signals import Requests
from device.daemon.state_tracker import Identity, StateTracker
from device.daemon.watchdog import PipelineHealth
from device.demo.scene import SEED, bedside
from device.errors import BundleError, ClassifierError
from device.hearing.listening_model import NetworkWithPast
from device.messages import AudioBlock, Event, Fault, OperationNote
from device.runtime.clocks import Clocks, Timekeeper
from device.runtime.model_loader import open_models
from device.runtime.systemd_notify import Notifier
from device.sinks.gpio.printed_pins import PrintedPins
from tests.system.running_daemon import AURICLE, RATE_HZ, RunningDaemon, private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.config.settings import Settings
    from device.daemon.audio.audio_queue import Item
    from device.hearing.listening_model import NetworkOutput, OutputWithPast
    from device.messages import NoAudio, Notice
    from device.runtime.daemon_state import DaemonState
    from device.runtime.model_loader import OpenModels
    from tests.system.conftest import PulseCard

    Float32 = npt.NDArray[np.float32]

BLOCK = 800  # samples, 50 ms
BLOCK_COSTS_S = 0.001
QUICK_S = 0.01
"""Cost of a window on an otherwise idle Raspberry Pi."""

HOP_S = 0.5
WIDEST_S = 2.0
TOO_LITTLE = 0.8


# --- a machine with a simulated clock


class Clock:
    """A clock that advances only when something spends time."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def spend(self, seconds: float) -> None:
        self.now_s += seconds


class Paced(AudioQueue):
    """The daemon's queue, filled with what a microphone would have delivered by the simulated time."""

    def __init__(self, blocks: Iterable[AudioBlock], clock: Clock, block_costs_s: Callable[[float], float]) -> None:
        super().__init__()
        self._blocks = iter(blocks)
        self._next = next(self._blocks, None)
        self._clock = clock
        self._block_costs_s = block_costs_s
        self.newest_s = 0.0
        self.most_backlog_s = 0.0

    @property
    def is_over(self) -> bool:
        return self._next is None and self.backlog_s == 0.0

    def get(self, timeout_s: float) -> Item | None:
        self._arrive()
        if self.backlog_s == 0.0 and self._next is not None:
            self._clock.now_s = min(self._clock.now_s + timeout_s, _end_s(self._next))
            self._arrive()
        item = super().get(0.0)
        if item is not None:
            self._clock.spend(self._block_costs_s(self._clock.now_s))
        return item

    def _arrive(self) -> None:
        while self._next is not None and _end_s(self._next) <= self._clock.now_s:
            self.put(self._next)
            self.newest_s = _end_s(self._next)
            self.most_backlog_s = max(self.most_backlog_s, self.backlog_s)
            self._next = next(self._blocks, None)


def _end_s(block: AudioBlock) -> float:
    return block.end_sample / block.sample_rate_hz


@dataclass(frozen=True, slots=True)
class Slow:
    """A network that spends simulated time on each window."""

    network: NetworkWithPast
    clock: Clock
    window_costs_s: Callable[[float], float]

    def classify(self, features: Sequence[Float32]) -> NetworkOutput:
        return self.classify_after(features, None)

    def classify_after(self, features: Sequence[Float32], past: Float32 | None) -> OutputWithPast:
        self.clock.spend(self.window_costs_s(self.clock.now_s))
        return self.network.classify_after(features, past)


class Kept:
    """A sink that remembers its notices and never hangs."""

    name = "kept"
    dropped = 0

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def write(self, notice: Notice) -> None:
        self.notices.append(notice)

    def stuck_for_s(self, _now_s: float) -> float:
        return 0.0

    def close(self, _deadline_s: float) -> bool:
        return True


class Silent:
    """A source that delivers nothing: the paced queue holds all blocks."""

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        return iter(())

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Moment:
    """The daemon's figures, once a second."""

    at_s: float
    hop_s: float
    listened: float
    windows: float
    backlog_s: float


@dataclass(slots=True)
class Night:
    """The figures and notices of a simulated daemon over its run."""

    clock: Clock
    queue: Paced
    runner: ModelRunner
    loop: MainLoop
    kept: Kept
    moments: list[Moment] = field(default_factory=list)
    told_after_s: list[float] = field(default_factory=list)  # of each event, from its decision

    def live(self) -> Night:
        while not self.queue.is_over:
            before = len(self.kept.notices)
            self.loop.turn()
            self.loop.parts.source_thread.newest_s = self.queue.newest_s
            fresh = (notice.content for notice in self.kept.notices[before:])
            self.told_after_s += [self.clock.now_s - event.decided_s for event in fresh if isinstance(event, Event)]
            if not self.moments or self.clock.now_s - self.moments[-1].at_s >= 1.0:
                self.moments.append(self._moment())
        self.runner.close()
        return self

    def _moment(self) -> Moment:
        listener = self.runner.listener
        figures = listener.coverage.listened, listener.coverage.windows
        return Moment(self.clock.now_s, listener.hop_s, *figures, self.queue.backlog_s)

    @property
    def events(self) -> list[Event]:
        return [notice.content for notice in self.kept.notices if isinstance(notice.content, Event)]

    @property
    def begins(self) -> list[Event]:
        return [event for event in self.events if event.phase == "begin"]

    def faults(self, kind: str) -> list[Fault]:
        contents = (notice.content for notice in self.kept.notices)
        return [fault for fault in contents if isinstance(fault, Fault) and fault.kind == kind]

    def happenings(self, kind: str) -> list[tuple[float, str]]:
        """(second, detail) of each."""
        contents = ((notice.utc_s, notice.content) for notice in self.kept.notices)
        return [(at_s, note.detail) for at_s, note in contents if isinstance(note, OperationNote) and note.kind == kind]

    @property
    def hops_s(self) -> list[float]:
        """Each hop that was used, in turn."""
        return [hop_s for hop_s, _ in itertools.groupby(moment.hop_s for moment in self.moments)]

    def between(self, from_s: float, to_s: float) -> list[Moment]:
        return [moment for moment in self.moments if from_s <= moment.at_s < to_s]

    def first(self, holds: Callable[[Moment], bool]) -> float:
        """When a condition first held."""
        return next(moment.at_s for moment in self.moments if holds(moment))


def night(
    blocks: Iterable[AudioBlock],
    *,
    window_costs_s: Callable[[float], float] = lambda _now_s: QUICK_S,
    block_costs_s: Callable[[float], float] = lambda _now_s: BLOCK_COSTS_S,
    wrap: Callable[[NetworkWithPast, Clock], NetworkWithPast] = lambda network, _clock: network,
) -> Night:
    """A daemon's loop with the shipped models, ready to receive these blocks as from a microphone.

    Only the first model is slow, or wrapped: a window costs what `window_costs_s` says, for all models together.
    """
    clock, kept = Clock(), Kept()
    queue = Paced(blocks, clock, block_costs_s)
    source_thread = SourceThread(Silent(), waits=False, name_at=lambda _second: "bedside", status=SourceStatus)
    source_thread.queue = queue
    runner = ModelRunner(profile("nursery"), stream_id="overload", sheds=True, start=lambda work: work())
    opened = {model.name: model.network for model in runner.models.listening}
    first, network = next(iter(opened.items()))
    assert isinstance(network, NetworkWithPast)
    runner.listener.replace_networks({**opened, first: Slow(wrap(network, clock), clock, window_costs_s)})
    clocks = Clocks(clock, clock)
    parts = LoopParts(
        runner, source_thread, NoticeMaker(runner.models.priorities), (kept,), quiet_controller(runner, clocks)
    )
    tracker, health = StateTracker(Identity("overload", 0.0, 0.0)), PipelineHealth(0.0)
    loop = MainLoop(parts, requests=Requests(), tracker=tracker, health=health, notifier=Notifier(None), clocks=clocks)
    return Night(clock, queue, runner, loop, kept)


def quiet_controller(runner: ModelRunner, clocks: Clocks) -> AlarmController:
    """Alarms without any delivery: no journal, no broker, no pin."""
    labels, timekeeper = AlarmLabels.of(runner.models), Timekeeper(clocks, is_synchronized=lambda: True)
    machine = Machine(runner.settings.alarms, boot_id="b", holds=labels.hold_s, local_minute=lambda: None)
    pins = PrintedPins(runner.settings.gpio, write_line=lambda _line: None, clock=clocks.monotonic)
    channels = Channels(NullJournal(Outbox(0, has_disk=False)), pins)
    return AlarmController(
        machine,
        labels=labels,
        channels=channels,
        replies=ReplyQueue(),
        timekeeper=timekeeper,
        instance="overload",
        sensitivities=Sensitivities(runner),
        epoch=Epoch(0, 0),
    )


@pytest.fixture(scope="module")
def scene() -> Float32:
    """A minute at a bedside, a cry from 28 to 42 s."""
    return bedside(np.random.default_rng(SEED)).samples


def over_and_over(scene: Float32, seconds: float) -> Iterator[AudioBlock]:
    for number in range(round(seconds * RATE_HZ / BLOCK)):
        first = number * BLOCK % (len(scene) // BLOCK * BLOCK)
        yield AudioBlock(scene[first : first + BLOCK], RATE_HZ, number * BLOCK)


def from_one_to_four_minutes(heavy_s: float) -> Callable[[float], float]:
    """A window costs this much during three minutes, and little before and after."""
    return lambda now_s: heavy_s if 60.0 <= now_s < 240.0 else QUICK_S


# --- overload


@pytest.fixture(scope="module")
def calm(scene: Float32) -> Night:
    """Seven minutes on a machine that keeps up."""
    return night(over_and_over(scene, 420)).live()


def test_where_the_machine_keeps_up_everything_is_heard_at_once(calm: Night) -> None:
    assert calm.hops_s == [HOP_S]
    assert {(moment.listened, moment.windows) for moment in calm.moments} == {(1.0, 1.0)}
    assert len(calm.begins) == 7
    assert max(calm.told_after_s) < 0.1


def test_the_hop_widens_in_steps_so_that_windows_fall_and_listened_does_not(scene: Float32) -> None:
    heavy = night(over_and_over(scene, 420), window_costs_s=from_one_to_four_minutes(1.7)).live()
    assert heavy.hops_s[:4] == [0.5, 1.0, 1.5, 2.0]
    assert heavy.hops_s[-4:] == [2.0, 1.5, 1.0, 0.5]
    tried = len(heavy.hops_s[4:-4]) / 2  # the hop is narrowed and widened again, ever more rarely
    assert tried <= 3
    settled = [moment for moment in heavy.between(100, 240) if moment.hop_s == WIDEST_S]
    assert max(moment.windows for moment in settled) < 0.3
    assert min(moment.windows for moment in settled) > 0.2
    assert min(moment.listened for moment in heavy.moments) > 0.99
    assert heavy.queue.dropped_s == 0.0
    assert not heavy.faults("coverage")
    assert not heavy.faults("gap")


def test_a_second_and_a_half_after_sound_waits_the_hop_is_wider_and_four_times_as_wide_in_ten(scene: Float32) -> None:
    heavy = night(over_and_over(scene, 120), window_costs_s=from_one_to_four_minutes(1.7)).live()
    widened_s = [at_s for at_s, _ in heavy.happenings("hop")]
    assert widened_s[0] < 65.0
    assert widened_s[2] < 70.0
    assert heavy.queue.most_backlog_s < 5.0


@pytest.mark.parametrize("heavy_s", [0.45, 0.6, 0.9, 1.2, 1.7])
def test_a_cry_is_confirmed_in_the_same_seconds_to_within_one_widened_hop(
    heavy_s: float, scene: Float32, calm: Night
) -> None:
    heavy = night(over_and_over(scene, 420), window_costs_s=from_one_to_four_minutes(heavy_s)).live()
    widest_s = max(heavy.hops_s)
    assert len(heavy.begins) == len(calm.begins)
    for late, early in zip(heavy.begins, calm.begins, strict=True):
        assert abs(late.decided_s - early.decided_s) <= widest_s
        assert abs(late.start_s - early.start_s) <= widest_s
    assert max(heavy.told_after_s) < 2.0 + 2 * heavy_s  # a second waits for a second until the hop is widened


def test_more_load_than_the_widest_hop_can_shed_is_a_fault_that_ends_with_the_load(scene: Float32) -> None:
    heavy = night(over_and_over(scene, 420), window_costs_s=from_one_to_four_minutes(2.8)).live()
    began, ended = heavy.faults("coverage")
    assert (began.begins, ended.begins) == (True, False)
    assert 60.0 < began.at_s < 60.0 + 75.0
    assert 240.0 < ended.at_s < 240.0 + 40.0
    assert heavy.first(lambda now: now.windows < TOO_LITTLE) < heavy.first(lambda now: now.listened < TOO_LITTLE)
    overloaded = heavy.between(120, 240)
    assert max(moment.listened for moment in overloaded) < TOO_LITTLE
    assert heavy.moments[-1].listened == 1.0
    assert heavy.hops_s[-1] == HOP_S


def test_never_does_more_than_the_inboxs_seconds_wait_and_what_is_dropped_is_a_gap(scene: Float32) -> None:
    heavy = night(over_and_over(scene, 420), window_costs_s=from_one_to_four_minutes(10.0)).live()
    assert 10.0 < heavy.queue.most_backlog_s <= AUDIO_LIMIT_S
    assert heavy.queue.dropped_s > 60.0
    missing_s = sum(fault.at_s - fault.since_s for fault in heavy.faults("gap"))
    assert missing_s == pytest.approx(heavy.queue.dropped_s, abs=0.01)
    # An alert waits for the sound captured before it, and for the windows that hold it.
    assert max(heavy.told_after_s) < AUDIO_LIMIT_S + 2 * 10.0


# --- a stall


def stall(at_s: float, seconds: float) -> Callable[[float], float]:
    """A machine that hangs once, for this long."""
    hung: list[float] = []

    def block_costs_s(now_s: float) -> float:
        if now_s < at_s or hung:
            return BLOCK_COSTS_S
        hung.append(now_s)
        return seconds

    return block_costs_s


@pytest.mark.parametrize("at_s", [20.0, 29.0, 35.0, 47.0])
def test_a_stall_of_five_seconds_loses_no_window_and_changes_no_event(at_s: float, scene: Float32, calm: Night) -> None:
    stalled = night(over_and_over(scene, 60), block_costs_s=stall(at_s, 5.0)).live()
    assert stalled.queue.most_backlog_s > 4.9
    assert stalled.events == calm.events[:2]
    assert stalled.hops_s == [HOP_S]
    total = stalled.runner.listener.coverage.total
    assert total.scored == total.due == 117
    assert stalled.queue.dropped_s == 0.0


def test_a_slow_machine_that_was_busy_at_its_start_comes_back_to_its_hop(scene: Float32) -> None:
    """At 0.3 s a window, sound waits after each: that kept the hop wide for ever."""
    late = night(over_and_over(scene, 180), window_costs_s=lambda _now_s: 0.3, block_costs_s=stall(0.0, 8.0)).live()
    assert late.hops_s[0] == HOP_S
    assert max(late.hops_s) > HOP_S
    assert late.hops_s[-1] == HOP_S
    assert late.queue.dropped_s == 0.0


# --- no window fits


def with_gaps(scene: Float32, seconds: float, from_s: float, to_s: float, every_s: float) -> Iterator[AudioBlock]:
    """The blocks of a sound card that overflows: a tenth of a second is missing now and then."""
    for block in over_and_over(scene, seconds):
        number = block.start_sample // BLOCK
        place = number % round(every_s * RATE_HZ / BLOCK)
        broken = from_s <= number * BLOCK / RATE_HZ < to_s
        if not (broken and place in (0, 1)):
            yield AudioBlock(block.samples, RATE_HZ, block.start_sample, after_gap=broken and place == 2)


def test_gaps_so_close_that_no_window_fits_are_a_fault_that_ends_with_them(scene: Float32) -> None:
    torn = night(with_gaps(scene, 180, 40.0, 120.0, every_s=1.5)).live()
    began, ended = torn.faults("coverage")
    assert (began.begins, ended.begins) == (True, False)
    assert 40.0 < began.at_s < 40.0 + 35.0
    assert 120.0 < ended.at_s < 120.0 + 35.0
    assert min(moment.listened for moment in torn.moments) == 0.0
    assert torn.hops_s == [HOP_S]  # a wider hop would not help
    assert sum(fault.begins for fault in torn.faults("gap")) < 20  # reported now and then, not each of the 50
    assert torn.loop.snapshot is not None
    assert torn.loop.snapshot.gaps > 50


def test_gaps_between_which_windows_fit_lower_the_figures_and_are_no_fault(scene: Float32) -> None:
    torn = night(with_gaps(scene, 180, 40.0, 120.0, every_s=20.0)).live()
    assert torn.faults("gap")
    assert not torn.faults("coverage")
    assert min(moment.windows for moment in torn.moments) < 1.0


# --- a network that fails


@dataclass(frozen=True, slots=True)
class Failing:
    """A network that fails from a given second on."""

    network: NetworkWithPast
    clock: Clock
    from_s: float

    def classify(self, features: Sequence[Float32]) -> NetworkOutput:
        return self.classify_after(features, None)

    def classify_after(self, features: Sequence[Float32], past: Float32 | None) -> OutputWithPast:
        if self.clock.now_s >= self.from_s:
            raise ClassifierError("model cry: the delegate ran out of memory")
        return self.network.classify_after(features, past)


@dataclass(frozen=True, slots=True)
class Poisoned:
    """The real network, which receives NaN from a given second on."""

    network: NetworkWithPast
    clock: Clock
    from_s: float

    def classify(self, features: Sequence[Float32]) -> NetworkOutput:
        return self.classify_after(features, None)

    def classify_after(self, features: Sequence[Float32], past: Float32 | None) -> OutputWithPast:
        bad = self.clock.now_s >= self.from_s
        given = [values * np.float32(np.nan) if bad else values for values in features]
        return self.network.classify_after(given, past)


@pytest.mark.parametrize("ill", [Failing, Poisoned])
def test_a_network_that_fails_is_a_fault_and_is_cured_by_opening_it_again(
    ill: type[Failing | Poisoned], scene: Float32
) -> None:
    cured = night(over_and_over(scene, 120), wrap=lambda network, clock: ill(network, clock, 50.0)).live()
    began, ended = cured.faults("classifier")
    assert (began.begins, ended.begins) == (True, False)
    assert began.model == "cry"
    assert 50.0 <= began.at_s < 51.5
    assert [detail for _, detail in cured.happenings("reloaded")] == ["a model failed and was opened again"]
    assert began.at_s + 4.0 < ended.at_s < began.at_s + 8.0
    assert not cured.faults("coverage")  # the reason is known
    assert [event.start_s > 80 for event in cured.begins] == [False, True]


def test_one_that_cannot_be_opened_again_is_tried_ever_less_often_until_it_can(
    scene: Float32, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill = night(over_and_over(scene, 180), wrap=lambda network, clock: Failing(network, clock, 50.0))

    def opened(settings: Settings, **_options: object) -> OpenModels:
        if ill.clock.now_s < 90.0:
            raise BundleError("bundle cry: its file is cut off")
        return open_models(settings)

    monkeypatch.setattr(listening_module, "open_models", opened)
    ill.live()
    began, ended = ill.faults("classifier")
    refused_s = [at_s - began.at_s for at_s, _ in ill.happenings("reload_refused")]
    assert refused_s == pytest.approx([5, 15, 35], abs=0.5)
    assert ended.at_s - began.at_s == pytest.approx(75, abs=1.5)
    assert not ill.faults("coverage")
    assert ill.loop.snapshot is not None
    assert ill.loop.snapshot.hearing


# --- a real daemon with less CPU


class Throttle:
    """Lets a process run only a part of the time, 5 ms at once; a context manager that then releases it.

    Args:
        pid: of the process.
    """

    _ON_S = 0.005

    def __init__(self, pid: int) -> None:
        self.share = 1.0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="throttle")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._done.wait(self._ON_S):
                if self.share < 1.0:
                    os.kill(self._pid, signal.SIGSTOP)
                    self._done.wait(self._ON_S * (1 / self.share - 1))
                    os.kill(self._pid, signal.SIGCONT)
        except ProcessLookupError:
            return


def heard(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The members of events that must be equal in both runs."""
    keys = ("seq", "model", "label", "phase", "start_s", "end_s", "decided_s", "score", "priority", "reason")
    return [{key: line[key] for key in keys} for line in lines]


@pytest.fixture(scope="module")
def tape(scene: Float32, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tape") / "scene.wav"
    soundfile.write(path, scene, RATE_HZ, "PCM_16")
    return path


@pytest.fixture(scope="module")
def replayed(tape: Path) -> list[dict[str, Any]]:
    """The events of a replay of the recording."""
    return replay(tape, 1.0)


def replay(tape: Path, share: float) -> list[dict[str, Any]]:
    """The events of a replay with this share of a CPU."""
    out = tape.with_suffix(".jsonl")
    command = [str(AURICLE), "replay", str(tape), "--events", str(out)]
    process = subprocess.Popen(command, env=private(tape.parent, {}), stdout=subprocess.DEVNULL)
    with Throttle(process.pid) as throttle:
        throttle.share = share
        assert process.wait(120) == 0
    return heard(map(json.loads, out.read_text().splitlines()))


def listen(tape: Path, folder: Path, *options: str, share: float = 1.0) -> RunningDaemon:
    """A daemon that has played the recording to its end."""
    command = [str(AURICLE), "listen", "--source", str(tape), *options]
    daemon = RunningDaemon(folder, {}, "", command=command)
    with daemon, Throttle(daemon.process.pid) as throttle:
        throttle.share = share
        assert daemon.process.wait(120) == 0, daemon
    return daemon


def test_replay_never_sheds(tape: Path, replayed: list[dict[str, Any]]) -> None:
    assert len(replayed) == 2
    assert replay(tape, 0.2) == replayed


@pytest.mark.parametrize("share", [1.0, 0.2])
def test_recordings_that_are_listened_to_take_longer_and_lose_nothing(
    share: float, tape: Path, replayed: list[dict[str, Any]], tmp_path: Path
) -> None:
    daemon = listen(tape, tmp_path, "--speed", "1000", share=share)
    assert heard(daemon.events()) == replayed
    assert not [line for line in daemon.lines() if line["kind"] == "fault"]
    assert not daemon.find({"happening": "hop"})


_COSTLY = """
import sys, time
from device.daemon.audio import overload
from device.daemon.options import ListenOptions
from device.daemon.app import Daemon

overload.NARROW_AFTER_S = 3.0  # half a minute of patience would be most of the test

class Costly:
    def __init__(self, network):
        self.network = network
    def classify(self, features):
        until_s = time.thread_time() + 0.01
        while time.thread_time() < until_s:
            pass
        return self.network.classify(features)

class Late(Costly):
    def classify(self, features):
        time.sleep(0.2)  # the other threads have the processor meanwhile
        return self.network.classify(features)

tape, cost, speed, _, config = sys.argv[1:]
options = ListenOptions(config=config, recordings=(tape,), speed=float(speed), loops=cost == "Costly", sheds=True)
with Daemon(options) as daemon:
    runner = daemon._loop.parts.runner
    slower = {"Costly": Costly, "Late": Late}[cost]
    runner.listener.replace_networks({model.name: slower(model.network) for model in runner.models.listening})
    sys.exit(daemon.run())
"""


def costly(tape: Path, folder: Path, cost: str, speed: float) -> RunningDaemon:
    """A daemon whose windows cost more than those of its models, and which may fall behind the recording."""
    command = [sys.executable, "-c", _COSTLY, str(tape), cost, str(speed)]
    return RunningDaemon(folder, {}, "", command=command)


def test_recordings_that_may_be_shed_are(tape: Path, tmp_path: Path) -> None:
    """Each window takes 0.2 s, the recording less: what is heard is its end, as the queue holds no more."""
    with costly(tape, tmp_path, "Late", 1000.0) as daemon:
        assert daemon.process.wait(120) == 0, daemon
    assert not daemon.events()  # the cry of 28 to 42 s was over long before
    gap = daemon.find({"fault": "gap", "begins": True})
    assert gap is not None
    assert "of sound are missing" in str(gap["detail"])


@dataclass(slots=True)
class Watch:
    """Log and memory of a daemon process while its CPU is taken away and returned."""

    daemon: RunningDaemon
    states: list[DaemonState] = field(default_factory=list)
    rss_kib: list[int] = field(default_factory=list)

    def until(self, holds: Callable[[DaemonState], bool], what: str, within_s: float) -> None:
        deadline_s = time.monotonic() + within_s
        while not (self.look() and holds(self.states[-1])):
            if time.monotonic() > deadline_s:
                pytest.fail(f"{what} did not come within {within_s:g} s: {self.states[-1:]}")
            time.sleep(0.1)

    def look(self) -> bool:
        state = self.daemon.status()
        if state is None:
            return False
        self.states.append(state)
        self.rss_kib.append(memory_kib(self.daemon.process.pid))
        return True


def lacks_coverage(state: DaemonState) -> bool:
    return any(fault.kind == "coverage" for fault in state.faults)


def has_adapted(state: DaemonState) -> bool:
    """Whether no wider hop would help: it keeps up with this one, or there is none."""
    return state.backlog_s <= WIDEN_AT_S or state.hop_s == WIDEST_S


def test_a_daemon_whose_cpu_is_taken_away_hears_less_says_so_and_comes_back(tape: Path, tmp_path: Path) -> None:
    daemon = costly(tape, tmp_path, "Costly", 5.0)
    with daemon, Throttle(daemon.process.pid) as throttle:
        watch = Watch(daemon)
        watch.until(lambda state: state.windows_due > 60 and state.hop_s == HOP_S, "hearing", 30.0)
        throttle.share = 0.15
        while not lacks_coverage(watch.states[-1]):  # less and less, whatever this machine can do
            assert throttle.share > 0.0005, watch.states[-1]
            time.sleep(0.2)
            if has_adapted(watch.states[-1]):  # a machine that slows down faster than the hop widens is another case
                throttle.share *= 0.98
            watch.look()
        throttle.share = 1.0
        watch.until(lambda state: not lacks_coverage(state) and state.hop_s == HOP_S, "recovery", 60.0)
        watch.until(lambda state: state.windows == state.listened == 1.0, "hearing everything", 30.0)
    _assert_less_was_heard_in_order(watch)


def _assert_less_was_heard_in_order(watch: Watch) -> None:
    overloaded = watch.states[: 1 + next(i for i, state in enumerate(watch.states) if lacks_coverage(state))]
    told = [line["detail"] for line in watch.daemon.lines() if line.get("happening") == "hop"]
    hops_s = [HOP_S, *(float(re.findall(r"every ([0-9.]+) s", detail)[0]) for detail in told)]
    assert {abs(after - before) for before, after in itertools.pairwise(hops_s)} == {HOP_S}  # step by step
    assert max(hops_s) == WIDEST_S
    assert hops_s[-1] == HOP_S
    first_fewer = next(state for state in overloaded if state.windows is not None and state.windows < TOO_LITTLE)
    assert first_fewer.listened is not None
    assert first_fewer.listened > 0.9
    assert overloaded[-1].listened is not None
    assert overloaded[-1].listened < TOO_LITTLE
    assert max(state.backlog_s for state in watch.states) <= AUDIO_LIMIT_S
    assert watch.states[-1].dropped_s > 0
    # Twelve seconds of queued sound are 0.8 MB, twice that if they were just dropped.
    assert max(watch.rss_kib) < watch.rss_kib[0] + 6000


@pytest.mark.system
def test_a_daemon_that_hangs_for_five_seconds_loses_no_window_of_a_microphone(
    tape: Path, tmp_path: Path, pulse: PulseCard
) -> None:
    with RunningDaemon(tmp_path, pulse.environment, '[microphone]\ndevice = "default"\n') as daemon:
        pulse.play(tape)
        daemon.wait_until_it_hears()
        before = daemon.status()
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(5.0)
        daemon.process.send_signal(signal.SIGCONT)
        time.sleep(4.0)
        after = daemon.status()
    assert before is not None
    assert after is not None
    assert (after.gaps, after.overruns, after.reopened) == (before.gaps, before.overruns, before.reopened)
    assert after.windows_due - before.windows_due > 15  # nine seconds' worth
    assert after.windows_due - after.windows_scored == before.windows_due - before.windows_scored
    assert after.hop_s == HOP_S
    assert not daemon.find({"happening": "hop"})
