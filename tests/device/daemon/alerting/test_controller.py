"""What is heard reaches pins, journal and broker, whatever becomes of disk, broker, clock and daemon."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.alarms.journal.salvage import Salvage
from device.alarms.machine import FOUND_AGAIN_S, Machine
from device.commands import Acknowledge, Pause, Resume, SelfTest
from device.config.settings import AlarmSettings, MqttSettings
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.daemon.alerting.controller import AlarmController, OperationReport
from device.daemon.alerting.delivery_faults import BROKER_RAISE_AFTER_S, RESTART_AFTER_S
from device.daemon.alerting.restore import PAUSED_UNTIL
from device.daemon.delivery.alarm_publisher import AlarmPublisher
from device.daemon.delivery.channels import Channels
from device.daemon.delivery.journal_messages import JournalFailure, JournalSalvaged
from device.daemon.delivery.reply_queue import ReplyQueue
from device.daemon.delivery.state_publisher import StatePublisher
from device.messages import AudioBlock, Decision, Event, Fault, Heard
from device.sinks.payloads import Topics
from tests.device.daemon.scripted import DOWN, NOON_S, UP, FakePins, ManualClocks, ScriptedBroker, ScriptedJournal

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.messages import FaultKind, Phase

TOPICS = Topics("auricle", "anna")
LABELS = AlarmLabels(priorities={("cry", "cry"): "high"}, hold_s={("cry", "cry"): 2.0})
BLOCK = AudioBlock(np.zeros(800, np.float32), 16000, 0)
CRY = "auricle/anna/alarm/sound/cry/cry"


class KeptClips:
    """Remembers what it was to keep."""

    def __init__(self) -> None:
        self.blocks = 0
        self.kept: list[tuple[str, float]] = []
        self.finished = 0
        self.dropped = 0
        self.failure: str | None = None

    def push(self, block: AudioBlock) -> None:
        self.blocks += len(block.samples) > 0

    def keep(self, event: Event, *, utc_s: float) -> None:
        assert self.blocks  # the sound itself came first
        self.kept.append((event.event_id, utc_s))

    def finish(self) -> None:
        self.finished += 1

    def close(self, deadline_s: float) -> bool:  # noqa: ARG002 - as of any
        return True


class Stage:
    """AlarmController on scripted parts, and the stream's clock, which runs with the others."""

    def __init__(
        self,
        *,
        broker: bool = True,
        settings: AlarmSettings | None = None,
        clocks: ManualClocks | None = None,
        boot: str = "b",
    ) -> None:
        self.clocks = clocks or ManualClocks()
        self.replies = ReplyQueue()
        self.journal = ScriptedJournal(self.clocks, self.replies, owes=broker)
        self.broker = ScriptedBroker(self.replies)
        self.pins = FakePins()
        self.clips = KeptClips()
        self.tested: list[SelfTest] = []
        channels = Channels(self.journal, self.pins, clips=self.clips)
        if broker:
            channels.broker, channels.alarm_publisher = self.broker, AlarmPublisher(TOPICS, self.clocks.timekeeper)
            channels.state_publisher = self.state_publisher()
        machine = Machine(
            settings or AlarmSettings(),
            boot_id=boot,
            holds=LABELS.hold_s,
            local_minute=self.clocks.timekeeper.local_minute,
        )
        self.controller = AlarmController(
            machine,
            labels=LABELS,
            channels=channels,
            replies=self.replies,
            timekeeper=self.clocks.timekeeper,
            instance="anna",
            self_test=self.tested.append,
        )
        self._began_s = self.clocks.now_s

    def state_publisher(self) -> StatePublisher:
        return StatePublisher(
            TOPICS,
            MqttSettings(host="h"),
            labels=tuple(LABELS.priorities),
            publish=self.broker.publish,
            save_note=lambda text: self.journal.set_note("announced", text),
        )

    @property
    def stream_s(self) -> float:
        return self.clocks.now_s - self._began_s

    def turn(self, seconds: float = 0.05) -> OperationReport:
        self.clocks.advance(seconds)
        return self.controller.poll(self.stream_s)

    def hear(self, heard: Heard) -> None:
        self.controller.process(BLOCK, heard, self.stream_s)

    def cry(
        self, phase: Phase = "begin", *, reason: str = "3 of 4 windows", number: int = 0, label: str = "cry"
    ) -> None:
        """Decided 0.2 s ago; it began 3 s before."""
        decided_s = self.stream_s - 0.2
        event = Event(f"s-cry-{label}-{number}", 0, "cry", label, phase, 0.9, decided_s - 3.0, None, decided_s, reason)
        self.hear(Heard(events=[event]))

    def fault(self, kind: FaultKind, *, begins: bool = True) -> Fault:
        return Fault(kind, begins, self.stream_s - 2.0, self.stream_s, f"it is {kind}")

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Bodies of what the journal keeps."""
        return [json.loads(entry.body) for entry in self.journal.kept]

    def settled(self) -> None:
        """The disk and the broker take all there is."""
        for _ in range(4):
            self.journal.commit()
            self.turn()
            self.broker.acknowledge()
            self.turn()

    def state(self) -> dict[str, Any]:
        """As it was last told the broker."""
        told: dict[str, Any] = json.loads(self.broker.published[TOPICS.state].payload)
        return told


@pytest.fixture
def stage() -> Stage:
    return Stage()


# --- from sound to people


def test_a_cry_is_shown_at_once_kept_next_and_told_when_it_is_kept(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    assert [signal.priority for signal in stage.pins.shown] == [None, "high"]
    stage.turn()
    assert stage.broker.sent == []
    stage.journal.commit()
    stage.turn()
    (told,) = stage.broker.sent
    assert (told["topic"], told["change"], told["not_durable"], told["late"]) == (CRY, "raised", False, False)
    assert stage.journal.confirmed == []
    stage.broker.acknowledge()
    stage.turn()
    assert stage.journal.confirmed == [("s-cry-cry-0", 0)]
    assert stage.controller.summary.owed == 0


def test_it_says_when_it_began_when_it_was_decided_and_how_long_each_step_took(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    decided_utc_s = stage.clocks.utc_s
    stage.clocks.advance(0.5)
    stage.journal.commit()
    stage.turn()
    (told,) = stage.broker.sent
    assert told["captured_to_decided_s"] == pytest.approx(0.2)
    assert told["decided_to_told_s"] == pytest.approx(0.55)
    assert stage.journal.kept[0].utc_s == decided_utc_s
    assert (told["decided_utc"], told["start_utc"]) == ("2023-11-14T22:13:30.000Z", "2023-11-14T22:13:26.800Z")
    stage.turn(60.0)
    stage.cry("end", reason="quiet")
    stage.journal.commit()
    assert stage.entries[-1]["start_utc"] == told["start_utc"]


def test_a_disk_that_takes_longer_than_a_second_holds_nobody_up(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.turn(0.9)
    assert stage.broker.sent == []
    stage.turn(0.2)
    (told,) = stage.broker.sent
    assert told["not_durable"]
    stage.broker.acknowledge()
    stage.turn()
    stage.journal.commit()
    stage.turn()
    assert len(stage.broker.sent) == 1
    assert stage.journal.confirmed == [("s-cry-cry-0", 0)]


def test_without_a_broker_whatever_is_kept_is_told() -> None:
    stage = Stage(broker=False)
    stage.turn(10.0)
    stage.cry()
    stage.journal.commit()
    stage.turn()
    assert stage.journal.confirmed == [("s-cry-cry-0", 0)]
    assert stage.controller.summary.owed is None
    assert [signal.priority for signal in stage.pins.shown] == [None, "high"]


def test_a_label_that_is_no_alarm_raises_none(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry(label="babble")
    stage.turn()
    assert stage.controller.machine.alarms == ()


def test_decisions_end_what_was_lost_from_sight(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.cry("end", reason="gap")
    assert stage.controller.machine.alarms[0].state == "latched"
    for _ in range(8):
        stage.turn(0.5)
        end_s = stage.stream_s
        stage.hear(Heard(decisions=[Decision("cry", "cry", "off", "", 0.1, end_s - 2.0, end_s)]))
    assert stage.controller.machine.alarms == ()


def test_the_sound_of_each_alarm_is_kept_and_dated_back_to_its_decision(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.cry("end", reason="quiet")
    ((event_id, utc_s),) = stage.clips.kept
    assert event_id == "s-cry-cry-0"
    assert utc_s == pytest.approx(NOON_S + 10.0 - 0.2)
    stage.clips.dropped, stage.clips.failure = 2, "the disk is full"
    (note,) = stage.turn().notes
    assert (note.kind, note.detail) == ("dropped", "2 clips could not be kept: the disk is full")


# --- what is wrong with itself


def test_a_disk_that_refuses_is_a_technical_alarm_which_is_told_from_memory(stage: Stage) -> None:
    stage.journal.current_failure = JournalFailure(stage.clocks.now_s, "the disk is full")
    (fault,) = stage.turn().faults
    assert (fault.kind, fault.begins, fault.detail) == ("journal", True, "the disk is full")
    stage.turn(1.5)
    assert [(told["name"], told["not_durable"]) for told in stage.broker.sent] == [("journal", True)]
    assert stage.controller.summary.journal == "the disk is full"
    assert stage.pins.shown[-1].priority == "low"
    stage.journal.current_failure = None
    stage.turn()
    said = [fault for _ in range(20) for fault in stage.turn(1.0).faults]
    assert [(fault.kind, fault.begins) for fault in said] == [("journal", False)]


def test_a_broker_out_of_reach_is_a_technical_alarm_that_arrives_when_it_is_back(stage: Stage) -> None:
    stage.broker.link = replace(DOWN, since_s=stage.clocks.now_s)
    faults = [fault for _ in range(40) for fault in stage.turn(1.0).faults]
    assert [(fault.kind, fault.begins) for fault in faults] == [("broker", True)]
    assert faults[0].at_s - faults[0].since_s == pytest.approx(BROKER_RAISE_AFTER_S, abs=1.1)
    stage.journal.commit()
    stage.broker.reconnect()
    again = stage.journal.redeliveries
    stage.turn()
    assert stage.journal.redeliveries == again + 1
    stage.journal.hand_out()
    stage.turn()
    assert [told["name"] for told in stage.broker.sent] == ["broker"]


def test_a_thread_that_hangs_for_good_leaves_the_watchdog_to_starve(stage: Stage) -> None:
    stage.broker.stuck_s = RESTART_AFTER_S - 1
    assert not stage.controller.is_hung
    stage.broker.stuck_s = RESTART_AFTER_S + 1
    assert stage.controller.is_hung


def test_a_journal_that_was_damaged_is_told_in_words_and_as_an_alarm(stage: Stage) -> None:
    stage.replies.put(JournalSalvaged(Salvage("its log is", 17, 3, None)))
    said = stage.turn()
    assert "17 rows were salvaged" in said.notes[0].detail
    assert [fault.detail for fault in said.faults] == [said.notes[0].detail]


def test_pins_that_do_nothing_are_told_once(stage: Stage) -> None:
    stage.pins.problem = "no GPIO here"
    said = [note for _ in range(5) for note in stage.turn().notes]
    assert [(note.kind, note.detail) for note in said] == [("pins", "no GPIO here")]


# --- a clock that is wrong


def test_a_clock_that_jumps_by_an_hour_loses_and_sticks_nothing_and_is_told(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.clocks.utc_s += 3600.0
    stage.turn(60.0)
    stage.cry("end", reason="quiet")
    stage.settled()
    stage.cry(number=1)
    stage.settled()
    told = [(body["change"], body["time_quality"]) for body in stage.entries]
    assert told == [("raised", "synchronized"), ("ended", "stepped"), ("raised", "synchronized")]
    assert [said["late"] for said in stage.broker.sent] == [True, False, False]
    assert len(stage.broker.sent) == 3


# --- what people ask for


def test_an_acknowledgement_silences_and_is_kept_and_told(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.replies.commanded(Acknowledge("s-cry-cry-0", "mqtt"))
    (note,) = stage.turn().notes
    assert (note.kind, note.detail) == ("asked", "mqtt acknowledges s-cry-cry-0")
    assert stage.pins.shown[-1].silent
    stage.journal.commit()
    assert [body["cause"] for body in stage.entries[1:]] == ["acknowledged by mqtt"]
    assert stage.state()["alarms"][0]["acknowledged"]


def test_a_pause_is_kept_for_the_next_start_and_its_end_is_told(stage: Stage) -> None:
    stage.replies.commanded(Pause(60.0, "mqtt"))
    stage.turn()
    assert stage.state()["paused"]
    assert float(stage.journal.notes[PAUSED_UNTIL]) == pytest.approx(stage.clocks.utc_s + 60.0)
    stage.replies.commanded(Resume("mqtt"))
    stage.turn()
    assert not stage.controller.summary.paused
    assert float(stage.journal.notes[PAUSED_UNTIL]) == 0.0
    assert not stage.state()["paused"]


def test_a_self_test_is_handed_on(stage: Stage) -> None:
    stage.replies.commanded(SelfTest("mqtt"))
    stage.turn()
    assert stage.tested == [SelfTest("mqtt")]


# --- ends, and starts


def test_a_stop_ends_no_alarm_and_the_next_start_takes_up_what_was_open(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.hear(Heard(faults=[stage.fault("microphone")]))
    stage.controller.finish_stream(Heard(faults=[stage.fault("microphone", begins=False)]))
    stage.cry("end", reason="stopped")
    stage.settled()
    assert {alarm.state for alarm in stage.controller.machine.alarms} == {"active", "latched"}
    last = {entry.alarm_id: (entry.alarm, entry.seq) for entry in stage.journal.kept}

    stage.clocks.advance(30.0)
    after = Stage(clocks=stage.clocks, boot="c")
    until_utc_s = stage.clocks.utc_s + 100.0
    after.journal.open(list(last.values()), {PAUSED_UNTIL: repr(until_utc_s)}, owed=4)
    after.turn()
    assert after.controller.summary.paused
    assert after.controller.summary.owed == 6
    after.journal.commit()
    told = {body["name"]: (body["change"], body["cause"], body["seq"]) for body in after.entries}
    assert told["cry"][:2] == ("reminded", "interrupted")
    assert told["microphone"][:2] == ("latched", "interrupted")
    assert told["cry"][2] >= 1001
    assert told["microphone"][2] >= 1000 + last["b-microphone-0"][1]
    starts = {body["name"]: body["start_utc"] for body in (*stage.entries, *after.entries)}
    assert after.entries[0]["start_utc"] == starts["cry"] == stage.entries[0]["start_utc"]


def test_numbers_never_come_again_though_no_disk_kept_what_the_last_start_told(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.settled()
    kept = [(entry.alarm, entry.seq) for entry in stage.journal.kept]
    told: list[int] = []
    for boot in "cdef":  # each finds what the first left, since the disk has taken nothing since
        stage.clocks.advance(2.0)
        after = Stage(clocks=stage.clocks, boot=boot)
        after.journal.open(kept)
        after.turn()
        after.journal.commit()
        told += [body["seq"] for body in after.entries if body["name"] == "cry"]
    assert len(told) == 4
    assert told == sorted(set(told))


def test_a_pause_that_is_over_by_now_is_over_and_a_note_that_is_none_is_none(stage: Stage) -> None:
    for note in (repr(NOON_S - 5.0), "nonsense", ""):
        stage.journal.open(notes={PAUSED_UNTIL: note})
        stage.turn()
        assert not stage.controller.summary.paused


def test_an_alarm_that_cannot_be_read_hinders_no_other(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.journal.commit()
    (entry,) = stage.journal.kept
    after = Stage(boot="c")
    after.journal.open([("{}", 3), (entry.alarm, entry.seq)])
    (note,) = after.turn().notes
    assert "cannot be taken up" in note.detail
    assert [alarm.alarm_id for alarm in after.controller.machine.alarms] == ["s-cry-cry-0"]


def test_a_fault_that_a_reload_hides_goes_on_and_is_over_where_it_is_not_found_again(stage: Stage) -> None:
    stage.turn(10.0)
    stage.hear(Heard(faults=[stage.fault("silence")]))
    for found_again in (True, False):
        stage.controller.finish_stream(Heard(faults=[stage.fault("silence", begins=False)]))
        stage.turn(5.0)
        if found_again:
            stage.hear(Heard(faults=[stage.fault("silence")]))
        stage.turn(FOUND_AGAIN_S - 6.0)
        assert [alarm.state for alarm in stage.controller.machine.alarms] == ["active"]
    stage.turn(6.0)
    assert stage.controller.machine.alarms == ()
    stage.journal.commit()
    assert [body["change"] for body in stage.entries if body["change"] != "reminded"] == ["raised", "ended"]


def test_at_the_end_what_was_just_decided_is_kept_and_told_if_that_is_possible(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        stage.clocks.advance(seconds)
        stage.journal.commit()
        stage.broker.acknowledge()

    stage.replies.wait = wait  # type: ignore[method-assign]
    stage.controller.flush(5.0)
    assert stage.journal.confirmed == [("s-cry-cry-0", 0)]
    assert len(waits) < 10


def test_at_the_end_nobody_waits_for_a_disk_that_refuses_or_longer_than_is_allowed(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.replies.wait = stage.clocks.advance  # type: ignore[method-assign]
    began_s = stage.clocks.now_s
    stage.controller.flush(0.5)
    assert stage.clocks.now_s - began_s == pytest.approx(0.5, abs=0.1)
    stage.journal.current_failure = JournalFailure(0.0, "the disk is full")
    stage.broker.link = DOWN
    began_s = stage.clocks.now_s
    stage.controller.flush(0.5)
    assert stage.clocks.now_s == began_s


def test_at_the_end_what_no_disk_takes_is_told_from_memory_at_once(stage: Stage) -> None:
    """There was less time left than a disk is given otherwise, and so nobody was told at all."""
    stage.turn(10.0)
    stage.journal.current_failure = JournalFailure(stage.clocks.now_s, "the disk is full")
    stage.cry()

    def wait(seconds: float) -> None:
        stage.clocks.advance(seconds)
        stage.broker.acknowledge()

    stage.replies.wait = wait  # type: ignore[method-assign]
    stage.controller.flush(0.5)
    assert [(told["name"], told["not_durable"]) for told in stage.broker.sent] == [("cry", True)]


def test_other_labels_and_ways_take_over_what_is_open(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.broker.link = UP
    pins = FakePins()
    channels = Channels(stage.journal, pins)
    stage.controller.reconfigure(AlarmSettings(latch="all"), AlarmLabels({}, {}), channels)
    stage.turn()
    assert [signal.priority for signal in pins.shown] == ["high"]
    assert stage.controller.summary.broker is None


def test_whatever_comes_in_nothing_is_told_that_was_not_kept_or_said_not_to_be(stage: Stage) -> None:
    journal, broker = stage.journal, stage.broker
    acts: list[Callable[[], object]] = [
        journal.commit, stage.turn, broker.acknowledge, broker.reconnect, lambda: stage.turn(2.0)
    ]  # fmt: skip
    rng = np.random.default_rng(11)
    stage.turn(10.0)
    for number in range(300):
        stage.cry(number=number) if rng.random() < 0.3 else acts[rng.integers(len(acts))]()
        for told in stage.broker.sent:
            kept = any((told["alarm_id"], told["seq"]) == entry.key for entry in stage.journal.kept)
            assert kept or told["not_durable"]
    stage.settled()
    keys = {(told["alarm_id"], told["seq"]) for told in stage.broker.sent}
    stage.journal.hand_out()
    stage.settled()
    assert {entry.key for entry in stage.journal.kept} <= keys | {
        (told["alarm_id"], told["seq"]) for told in stage.broker.sent
    }
