"""An alarm controller on scripted parts, with clocks that a test advances."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from device.alarms.machine import Machine
from device.config.settings import AlarmSettings, MqttSettings
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.daemon.alerting.controller import AlarmController, OperationReport
from device.daemon.alerting.epoch import Epoch
from device.daemon.alerting.sensitivities import Sensitivities
from device.daemon.delivery.alarm_publisher import AlarmPublisher
from device.daemon.delivery.channels import Channels
from device.daemon.delivery.reply_queue import ReplyQueue
from device.daemon.publishing.announcer import Announcer
from device.daemon.publishing.state_publisher import StatePublisher
from device.messages import AudioBlock, Event, Fault, Heard
from device.sinks.payloads import Topics
from tests.device.daemon.scripted import NOON_S, FakePins, ManualClocks, ScriptedBroker, ScriptedJournal, ScriptedModels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.alarms.label_gate import Sifted
    from device.commands import SelfTest
    from device.config.alerting.schedule_settings import ScheduleSettings
    from device.messages import FaultKind, Phase

TOPICS = Topics("auricle", "anna")
LABELS = AlarmLabels(priorities={("cry", "cry"): "high"}, hold_s={("cry", "cry"): 2.0})
BLOCK = AudioBlock(np.zeros(800, np.float32), 16000, 0)
CRY = "auricle/anna/alarm/sound/cry/cry"


class RecordedClips:
    """Remembers which clips it was to keep."""

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
        epoch: Epoch | None = None,
        schedule: Sequence[ScheduleSettings] = (),
    ) -> None:
        self.clocks = clocks or ManualClocks()
        self.replies = ReplyQueue()
        self.journal = ScriptedJournal(self.clocks, self.replies, window=20 if broker else 0)
        self.broker = ScriptedBroker(self.replies)
        self.pins = FakePins()
        self.clips = RecordedClips()
        self.tested: list[SelfTest] = []
        self.reloads: list[str] = []
        self.models = ScriptedModels(cry=0)
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
            sensitivities=Sensitivities(self.models),
            epoch=epoch or Epoch(int(self.clocks.utc_s - NOON_S), int(self.clocks.now_s)),
            schedule=schedule,
            self_test=self.tested.append,
            reload=lambda: self.reloads.append("reload"),
        )
        self._began_s = self.clocks.now_s

    def state_publisher(self) -> StatePublisher:
        settings = MqttSettings(host="h")
        announcer = Announcer(
            TOPICS,
            settings,
            labels=tuple(LABELS.priorities),
            fresh_id="auricle_anna_1",
            machine_id="auricle_anna_0",
            version="0.1.0",
            publish=self.broker.publish,
            save_note=lambda text: self.journal.set_note("announced", text),
        )
        return StatePublisher(TOPICS, settings, holds=LABELS.hold_s, publish=self.broker.publish, announcer=announcer)

    @property
    def stream_s(self) -> float:
        return self.clocks.now_s - self._began_s

    def turn(self, seconds: float = 0.05) -> OperationReport:
        self.clocks.advance(seconds)
        return self.controller.poll(self.stream_s)

    def hear(self, heard: Heard) -> Sifted:
        return self.controller.process(BLOCK, heard, self.stream_s)

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
        """Bodies of the committed entries."""
        return [json.loads(entry.body) for entry in self.journal.committed]

    def settle(self) -> None:
        """Let the journal commit and the broker acknowledge all there is."""
        for _ in range(4):
            self.journal.commit()
            self.turn()
            self.broker.acknowledge()
            self.turn()

    def state(self) -> dict[str, Any]:
        """As it was last published."""
        state: dict[str, Any] = json.loads(self.broker.published[TOPICS.state].payload)
        return state
