"""The main loop on real parts with an injected clock: watchdog, notices, snapshots, and that it never waits."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.alarms.machine import Machine
from device.config.alerting.schedule_settings import ScheduleSettings
from device.config.loading import profile
from device.config.settings import ModelSettings, Settings
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.daemon.alerting.controller import AlarmController
from device.daemon.alerting.epoch import Epoch
from device.daemon.alerting.sensitivities import Sensitivities
from device.daemon.audio.audio_queue import SourceEnded
from device.daemon.audio.listening import ModelRunner
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
from device.errors import ClassifierError
from device.messages import AudioBlock, Event, Fault, Heard, NoAudio, Notice, OperationNote
from device.runtime.clocks import Clocks, Timekeeper
from device.runtime.systemd_notify import Notifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from device.alarms.machine import Signal

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16000
NOON_S = 1_700_000_000.0
WATCHDOG_S = 20.0


class Manager:
    """The notification socket of a service manager."""

    def __init__(self, path: Path) -> None:
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._line.bind(str(path))
        self._line.setblocking(False)
        self.notifier = Notifier(str(path), WATCHDOG_S)
        self.statuses: list[str] = []

    def fed(self) -> bool:
        """Whether the watchdog was fed since the last call."""
        found = False
        while True:
            try:
                word = self._line.recv(4096)
            except BlockingIOError:
                return found
            found |= word == b"WATCHDOG=1"
            if word.startswith(b"STATUS="):
                self.statuses.append(word.removeprefix(b"STATUS=").decode())

    def close(self) -> None:
        self._line.close()


@dataclass
class NoticeSink:
    """Records notices; hangs and drops as a test says."""

    name: str = "console"
    dropped: int = 0
    stuck_s: float = 0.0
    notices: list[Notice] = field(default_factory=list)

    def write(self, notice: Notice) -> None:
        self.notices.append(notice)

    def stuck_for_s(self, now_s: float) -> float:  # noqa: ARG002 - as the loop asks for it
        return self.stuck_s

    def close(self, deadline_s: float) -> bool:  # noqa: ARG002 - as above
        return True


@dataclass
class Pins:
    """Records signals and beats."""

    problem: str | None = None
    shown: list[Signal] = field(default_factory=list)
    beats: int = 0

    def show(self, signal: Signal) -> None:
        if self.shown[-1:] != [signal]:
            self.shown.append(signal)

    def beat(self) -> None:
        self.beats += 1

    def close(self) -> None:
        """Nothing is open."""


class EmptySource:
    """A source without items: the test puts them into the queue itself."""

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        return iter(())

    def close(self) -> None:
        """Nothing is open."""


class Broken:
    """A network that fails."""

    def classify(self, _features: Any) -> Any:
        raise ClassifierError("the network is broken")


class SilentRunner(ModelRunner):
    """A runner that returns neither scores nor faults."""

    def push(self, _item: AudioBlock | NoAudio) -> Heard:
        return Heard()


class Stage:
    """A loop with its parts, and a clock that follows the stream."""

    def __init__(self, manager: Manager, settings: Settings, runner: type[ModelRunner] = ModelRunner) -> None:
        self.now_s = 500.0
        self.stream_s = self.heard_to_s = 0.0
        self.manager = manager
        self.console = NoticeSink()
        self.source_thread = SourceThread(
            EmptySource(), waits=False, name_at=lambda _: "nursery", status=lambda: SourceStatus("USB mic", 3, 2)
        )
        self.runner = runner(settings, stream_id="s", sheds=True, start=lambda work: work())
        self.tracker = StateTracker(Identity("anna", NOON_S, self.now_s))
        clocks = Clocks(lambda: self.now_s, lambda: NOON_S + self.now_s - 500.0)
        self.pins = Pins()
        self.controller = self._controller(clocks)
        notice_maker = NoticeMaker(self.runner.models.priorities)
        self.parts = LoopParts(self.runner, self.source_thread, notice_maker, [self.console], self.controller)
        self.requests = Requests()
        self.loop = MainLoop(
            self.parts,
            requests=self.requests,
            tracker=self.tracker,
            health=PipelineHealth(self.now_s),
            notifier=manager.notifier,
            clocks=clocks,
        )

    def _controller(self, clocks: Clocks) -> AlarmController:
        settings, labels = self.runner.settings.alarms, AlarmLabels.of(self.runner.models)
        timekeeper = Timekeeper(clocks, is_synchronized=lambda: True)
        machine = Machine(settings, boot_id="b", holds=labels.hold_s, local_minute=lambda: None)
        channels = Channels(NullJournal(Outbox(0, has_disk=False)), self.pins)
        return AlarmController(
            machine,
            labels=labels,
            channels=channels,
            replies=ReplyQueue(),
            timekeeper=timekeeper,
            instance="anna",
            sensitivities=Sensitivities(self.runner),
            epoch=Epoch(0, 0),
        )

    def give(self, item: AudioBlock | NoAudio, passed_s: float) -> None:
        """Let time pass, then deliver an item."""
        self.now_s += passed_s
        self.stream_s += passed_s
        self.source_thread.newest_s = self.stream_s
        self.source_thread.queue.put(item)
        self.loop.turn()

    def sound(self, seconds: float, hz: float = 0.0, *, block_s: float = 0.25, after_gap: bool = False) -> None:
        """Deliver quiet noise, or a tone over it."""
        for _ in range(round(seconds / block_s)):
            samples = _signal(self.stream_s, block_s, hz)
            block = AudioBlock(samples, RATE_HZ, round(self.stream_s * RATE_HZ), after_gap)
            self.give(block, block_s)
            self.heard_to_s, after_gap = self.stream_s, False

    def absence(self, seconds: float) -> None:
        """Deliver `NoAudio` since the last block."""
        for _ in range(round(seconds * 4)):
            self.give(NoAudio("it was unplugged", self.heard_to_s, self.stream_s + 0.25), 0.25)

    def nothing(self, seconds: float) -> None:
        """Let the loop tick without an item, as if the source thread hung."""
        for _ in range(round(seconds * 4)):
            self.now_s += 0.25
            self.loop.tick()

    def longest_unfed_s(self, seconds: float, act: Callable[[float], None]) -> float:
        """Longest time without a watchdog feed, in the given number of seconds."""
        longest_s = since_s = 0.0
        for _ in range(round(seconds)):
            act(1.0)
            since_s = 0.0 if self.manager.fed() else since_s + 1.0
            longest_s = max(longest_s, since_s)
        return longest_s

    def written(self, kind: type[Event | Fault | OperationNote]) -> list[Any]:
        """Contents of this kind that were written to the console."""
        return [notice.content for notice in self.console.notices if isinstance(notice.content, kind)]


def _signal(from_s: float, seconds: float, hz: float) -> Float32:
    samples = round(seconds * RATE_HZ)
    noise = np.random.default_rng(round(from_s * 1000)).normal(0, 1e-3, samples)
    tone = 0.3 * np.sin(2 * np.pi * hz * (from_s + np.arange(samples) / RATE_HZ)) if hz else 0.0
    return (noise + tone).astype(np.float32)


@pytest.fixture
def settings(tiny_bundle_path: Path) -> Settings:
    return replace(profile(), models=(ModelSettings("tone", bundle=str(tiny_bundle_path)),))


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


@pytest.fixture
def stage(manager: Manager, settings: Settings) -> Iterator[Stage]:
    made = Stage(manager, settings)
    yield made
    made.runner.close()


def test_the_service_manager_is_told_in_words_whether_it_hears_wherever_that_changes(stage: Stage) -> None:
    for act in (stage.sound, stage.absence):
        stage.longest_unfed_s(10, act)
    stage.sound(1, after_gap=True)
    stage.longest_unfed_s(10, stage.sound)
    assert [said.split(" since")[0] for said in stage.manager.statuses] == [
        "hears NOTHING yet: it is starting",
        "hears: yes",
        "hears NOTHING: no sound comes from the microphone",
        "hears: yes",
    ]


# --- the watchdog


def test_the_watchdog_is_fed_four_times_in_its_time_while_windows_are_scored(stage: Stage) -> None:
    assert stage.longest_unfed_s(120, stage.sound) <= WATCHDOG_S / 4
    fed = 0
    for _ in range(round(3 * WATCHDOG_S)):
        stage.sound(1.0)
        fed += stage.manager.fed()
    assert fed == 12


def test_the_watchdog_goes_on_being_fed_while_a_microphone_is_gone_for_an_hour_and_when_it_is_back(
    stage: Stage,
) -> None:
    stage.sound(10)
    assert stage.longest_unfed_s(3600, stage.absence) <= WATCHDOG_S / 4
    stage.sound(1, after_gap=True)
    assert stage.longest_unfed_s(60, stage.sound) <= WATCHDOG_S / 4
    assert [(fault.kind, fault.begins) for fault in stage.written(Fault)] == [
        ("microphone", True),
        ("gap", True),
        ("microphone", False),
    ]


def test_the_watchdog_is_fed_where_there_was_never_a_microphone(stage: Stage) -> None:
    assert stage.longest_unfed_s(600, stage.absence) <= WATCHDOG_S / 4
    assert [fault.kind for fault in stage.written(Fault)] == ["microphone"]


def test_a_source_that_says_nothing_lets_the_watchdog_starve_and_no_fault_that_is_open_hides_it(stage: Stage) -> None:
    stage.absence(60)
    assert stage.tracker.is_open("microphone")
    stage.nothing(10)
    stage.manager.fed()
    stage.nothing(60)
    assert not stage.manager.fed()
    stage.sound(10, after_gap=True)
    assert stage.manager.fed()


def test_a_microphone_that_says_nothing_is_told_as_a_fault_within_3_s_and_over_when_it_speaks(stage: Stage) -> None:
    stage.sound(10)
    stage.nothing(3)
    (fault,) = stage.written(Fault)
    assert (fault.kind, fault.begins) == ("microphone", True)
    assert "hangs" in fault.detail
    stage.nothing(60)
    stage.stream_s += 63
    stage.sound(1, after_gap=True)
    assert [(fault.kind, fault.begins) for fault in stage.written(Fault)] == [
        ("microphone", True),
        ("gap", True),
        ("microphone", False),
    ]


def test_a_recording_that_waits_its_turn_is_no_microphone_that_hangs(stage: Stage) -> None:
    stage.source_thread.waits = True
    stage.sound(10)
    stage.nothing(60)
    assert stage.written(Fault) == []


def test_sound_without_windows_and_without_a_word_why_lets_the_watchdog_starve(
    manager: Manager, settings: Settings
) -> None:
    stage = Stage(manager, settings, SilentRunner)
    assert stage.longest_unfed_s(30, stage.sound) <= WATCHDOG_S / 4  # it may be starting
    stage.sound(60)
    stage.manager.fed()
    stage.sound(60)
    assert not stage.manager.fed()
    stage.runner.close()


def test_a_model_that_fails_is_told_and_cured_while_the_watchdog_is_fed(stage: Stage) -> None:
    stage.runner.listener.replace_networks({"tone": Broken()})
    stage.sound(4)
    assert stage.tracker.is_open("classifier")
    assert stage.longest_unfed_s(5, stage.sound) <= WATCHDOG_S / 4
    assert [(fault.kind, fault.begins) for fault in stage.written(Fault)] == [
        ("classifier", True),
        ("classifier", False),
    ]
    assert [note.kind for note in stage.written(OperationNote)] == ["reloaded"]


def test_a_model_that_goes_on_failing_never_lets_the_watchdog_starve(stage: Stage) -> None:
    def fail(seconds: float) -> None:
        stage.runner.listener.replace_networks({"tone": Broken()})
        stage.sound(seconds)

    assert stage.longest_unfed_s(300, fail) <= WATCHDOG_S / 4


def test_gaps_so_close_that_no_window_fits_are_a_fault_and_feed_the_watchdog(stage: Stage) -> None:
    def stutter(seconds: float) -> None:
        stage.sound(seconds, block_s=0.5, after_gap=True)

    assert stage.longest_unfed_s(120, stutter) <= WATCHDOG_S / 4
    assert "coverage" in [fault.kind for fault in stage.written(Fault)]
    assert sum(fault.kind == "gap" for fault in stage.written(Fault)) == 12  # told once in 10 s


def test_a_deaf_microphone_feeds_the_watchdog(stage: Stage) -> None:
    def silence(seconds: float) -> None:
        block = AudioBlock(np.zeros(RATE_HZ, np.float32), RATE_HZ, round(stage.stream_s * RATE_HZ))
        stage.give(block, seconds)

    assert stage.longest_unfed_s(120, silence) <= WATCHDOG_S / 4
    assert [fault.kind for fault in stage.written(Fault)] == ["silence"]
    assert stage.tracker.is_deaf


def test_without_a_watchdog_nothing_is_said(stage: Stage) -> None:
    stage.manager.notifier.watchdog_s = None
    stage.sound(60)
    assert not stage.manager.fed()


# --- lights, and the fail-safe output


def test_lights_follow_what_is_heard(stage: Stage) -> None:
    stage.sound(4)
    stage.sound(4, hz=1000)
    stage.sound(6)
    assert [signal.priority for signal in stage.pins.shown] == [None, "high", None]


def test_the_fail_safe_output_goes_on_only_while_a_cry_would_be_heard(stage: Stage) -> None:
    """A reported fault satisfies the watchdog, but not the fail-safe output."""

    def beats(act: Callable[[float], None]) -> int:
        act(10)  # whatever begins or ends
        stage.pins.beats = 0
        act(10)
        return stage.pins.beats

    assert beats(stage.sound) >= 10
    assert beats(stage.absence) == 0
    stage.sound(1, after_gap=True)
    assert beats(stage.sound) >= 10


# --- what is told


def test_an_event_is_told_with_its_time_its_source_and_its_priority(stage: Stage) -> None:
    stage.sound(4)
    stage.sound(4, hz=1000)
    stage.sound(6)
    begin, end = (notice for notice in stage.console.notices if isinstance(notice.content, Event))
    assert isinstance(begin.content, Event)
    assert isinstance(end.content, Event)
    assert (begin.content.phase, end.content.phase, end.content.reason) == ("begin", "end", "quiet")
    assert (begin.source, begin.priority) == ("nursery", "high")
    assert begin.utc_s == pytest.approx(NOON_S + begin.content.decided_s, abs=0.01)


def test_what_was_decided_late_is_dated_back(stage: Stage) -> None:
    """Audio was queued while a disk stalled; the notice has the time of the sound, not of its detection."""
    stage.sound(4)
    start = round(stage.stream_s * RATE_HZ)
    for index in range(16):
        samples = _signal(stage.stream_s + index / 4, 0.25, 1000)
        stage.source_thread.queue.put(AudioBlock(samples, RATE_HZ, start + index * RATE_HZ // 4))
    stage.now_s += 9.0
    stage.source_thread.newest_s = stage.stream_s + 9.0
    for _ in range(16):
        stage.loop.turn()
    (notice,) = (notice for notice in stage.console.notices if isinstance(notice.content, Event))
    assert isinstance(notice.content, Event)
    assert notice.utc_s == pytest.approx(NOON_S + notice.content.decided_s, abs=0.3)


def test_all_outlets_are_told_the_same(stage: Stage) -> None:
    log = NoticeSink("log")
    stage.parts.sinks = [stage.console, log]
    stage.absence(5)
    assert log.notices == stage.console.notices != []


def test_sound_that_waits_widens_the_hop_and_that_is_told(stage: Stage) -> None:
    stage.sound(4)
    for index in range(12):
        stage.source_thread.queue.put(AudioBlock(_signal(index, 0.25, 0), RATE_HZ, (16 + index) * RATE_HZ // 4))
    stage.loop.tick()
    stage.now_s += 1.0
    stage.loop.tick()
    (happening,) = stage.written(OperationNote)
    assert happening == OperationNote("hop", "a window every 1 s instead of 0.5 s: 3.0 s of sound wait")
    assert stage.runner.listener.hop_s == 1.0
    assert stage.loop.snapshot is not None
    assert stage.loop.snapshot.hop_s == 1.0


def test_a_hung_sink_raises_one_delivery_fault_each_time(stage: Stage) -> None:
    for stuck_s in (3.0, 11.0, 12.0, 60.0, 0.0, 11.0):
        stage.console.stuck_s = stuck_s
        stage.nothing(0.25)
    faults = [fault for fault in stage.written(Fault) if fault.kind == "delivery"]
    assert [fault.begins for fault in faults] == [True, False, True]
    assert faults[0].detail == "the console accepted no line for 10 s"
    assert [alarm.name for alarm in stage.controller.summary.alarms] == ["delivery"]


def test_lines_that_were_dropped_are_told_of_once_a_minute(stage: Stage) -> None:
    for dropped in range(1, 4 * 130):
        stage.console.dropped = dropped
        stage.nothing(0.25)
    told = [note.detail for note in stage.written(OperationNote) if note.kind == "dropped"]
    assert told == [f"{count} could not be written in time" for count in ("1 line", "240 lines", "240 lines")]


def test_lines_that_a_new_outlet_drops_are_told_of_too(stage: Stage) -> None:
    """Regression: sinks made by a reload count from 0; nothing was reported until they reached the old count."""
    stage.console.dropped = 100
    stage.nothing(1)
    stage.console.dropped = 0
    stage.nothing(120)
    stage.console.dropped = 7
    stage.nothing(1)
    assert [note.detail for note in stage.written(OperationNote)] == [
        "100 lines could not be written in time",
        "7 lines could not be written in time",
    ]


# --- its end, and what others see


def test_it_ends_with_its_source_and_closes_what_is_open(stage: Stage) -> None:
    stage.sound(6, hz=1000)
    stage.source_thread.queue.put(SourceEnded())
    stage.loop.run(lambda: None)
    assert stage.loop.ended == SourceEnded()
    assert [event.reason for event in stage.written(Event)][-1] == "end_of_file"


def test_what_a_source_that_breaks_leaves_open_was_interrupted(stage: Stage) -> None:
    stage.sound(6, hz=1000)
    stage.source_thread.queue.put(SourceEnded("it broke"))
    stage.loop.run(lambda: None)
    assert stage.loop.ended == SourceEnded("it broke")
    assert [event.reason for event in stage.written(Event)][-1] == "interrupted"


def test_it_ends_where_it_is_told_to_and_says_so(stage: Stage) -> None:
    stage.sound(6, hz=1000)
    stage.requests.stop()
    stage.loop.run(lambda: None)
    assert [event.reason for event in stage.written(Event)][-1] == "stopped"
    assert repr(stage.loop).endswith("stopping)")


def test_a_reload_is_asked_for_once_between_two_turns(stage: Stage) -> None:
    asked = []

    def reload() -> None:
        asked.append(stage.requests.reload_wanted)
        stage.requests.stop()

    stage.requests.reload()
    stage.source_thread.queue.put(NoAudio("opening", 0.0, 0.25))
    stage.loop.run(reload)
    assert asked == [False]


def test_others_see_a_state_that_is_half_a_second_old_at_most(stage: Stage) -> None:
    stage.sound(6)
    snapshot = stage.loop.snapshot
    assert snapshot is not None
    assert stage.now_s - 500.0 - snapshot.uptime_s <= 0.5
    assert (snapshot.source, snapshot.device) == ("nursery", "USB mic")
    assert (snapshot.overruns, snapshot.reopened) == (3, 2)
    assert snapshot.models == ("tone 1.0.0",)
    assert snapshot.hearing
    assert snapshot.told_utc_s == NOON_S + snapshot.uptime_s
    stage.sound(0.25)
    stage.sound(0.25)
    assert stage.loop.snapshot is not snapshot


# --- for those who ask why


def test_every_window_of_the_last_seconds_is_there_for_those_who_ask_why(stage: Stage) -> None:
    stage.sound(20)
    items = stage.loop.recent.items
    ends = [scores.end_s for item in items for scores in item.heard.scores]
    assert ends == pytest.approx(np.arange(ends[0], ends[-1] + 0.1, 0.5))
    assert 3.5 <= ends[-1] - ends[0] <= 4.5
    assert [decision.end_s for item in items for decision in item.heard.decisions] == ends
    assert {item.stream for item in items} == {"s"}
    assert items[-1].utc_of(ends[-1]) == pytest.approx(NOON_S + ends[-1])


def test_what_the_schedule_hides_is_not_there_for_those_who_ask_why(stage: Stage) -> None:
    stage.controller.schedule.configure([ScheduleSettings("tone", otherwise="off")])
    stage.sound(10, hz=1000.0)
    assert [item for item in stage.loop.recent.items if item.heard.scores or item.heard.decisions] == []
