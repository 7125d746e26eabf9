"""One model's trial: whether it still hears its known sound."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from device.hearing.listener import Listener
from device.runtime.self_test.known_sound import known_sound_blocks

if TYPE_CHECKING:
    from device.config.settings import Settings
    from device.hearing.listening_model import ListeningModel
    from device.messages import Event, Fault, Heard
    from device.runtime.self_test.known_sound import KnownSound


class ModelTrial:
    """One model hears its known sound, a slice at a time, through a fresh listener."""

    def __init__(self, sound: KnownSound, model: ListeningModel, settings: Settings, capture_hz: int | None) -> None:
        self.sound = sound
        self.network = model.network
        self.best = 0.0
        self.windows = 0
        self.event: Event | None = None
        self.fault: Fault | None = None
        self._blocks = known_sound_blocks(sound, capture_hz or sound.sample_rate_hz)
        self._listener = Listener(
            [replace(model, listens_while=None)],  # what it follows is tried by itself
            stream_id="self-test",
            hop_s=settings.listen.hop_s,
            gates_to_zero=settings.deafness.gates_to_zero,
            filters=settings.filters,
        )

    def step(self) -> bool:
        """Hear one slice; whether it is over."""
        block = next(self._blocks, None)
        if block is None:
            return True
        self._note(self._listener.push(block))
        return self.event is not None or self.fault is not None

    def _note(self, heard: Heard) -> None:
        self.windows += len(heard.scores)
        for scores in heard.scores:
            wanted = [self.sound.label] if self.sound.label else scores.probabilities
            self.best = max(self.best, *(scores.probabilities[label] for label in wanted))
        begun = (event for event in heard.events if event.label == self.sound.label and event.phase == "begin")
        self.event = self.event or next(begun, None)
        failing = (fault for fault in heard.faults if fault.begins and fault.kind != "clipping")
        self.fault = self.fault or next(failing, None)

    def judge(self) -> tuple[str, str]:
        """What it did wrong in hearing, and in deciding; each empty where nothing."""
        name, label = self.sound.model, self.sound.label
        if self.fault is not None:
            return f"model {name} cannot hear the known sound: {self.fault.detail}", ""
        if not self.windows:
            return f"model {name} gave no score for {self.sound.lasts_s:g} s of sound", ""
        if label and self.event is None:
            return "", f"model {name} raised no {label} at the known sound, its highest score was {self.best:.2f}"
        return "", ""
