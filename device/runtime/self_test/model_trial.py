"""Plays one model its known sound through a fresh listener, and records whether it detected it."""

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
    """One model with its known sound, played a slice at a time.

    Args:
        sound: the model's known sound.
        model: whose network classifies it.
        settings: hop, filters and deafness settings, as of the daemon.
        capture_hz: rate of the microphone; None for the model's own.

    Attributes:
        network: the network under test.
        best: highest score so far, of the sound's label or of any if it has none.
        windows: windows scored so far.
        event: the onset that was detected, if any.
        fault: the first fault that the listener found, if any.
    """

    def __init__(self, sound: KnownSound, model: ListeningModel, settings: Settings, capture_hz: int | None) -> None:
        self.sound = sound
        self.network = model.network
        self.best = 0.0
        self.windows = 0
        self.event: Event | None = None
        self.fault: Fault | None = None
        self._blocks = known_sound_blocks(sound, capture_hz or sound.sample_rate_hz)
        self._listener = Listener(
            [replace(model, listens_while=None)],  # a model that follows another is tested by itself
            stream_id="self-test",
            hop_s=settings.listen.hop_s,
            gates_to_zero=settings.deafness.gates_to_zero,
            filters=settings.filters,
        )

    def step(self) -> bool:
        """Play one slice; returns whether the trial is over."""
        block = next(self._blocks, None)
        if block is None:
            return True
        self._record(self._listener.push(block))
        return self.event is not None or self.fault is not None

    def _record(self, heard: Heard) -> None:
        self.windows += len(heard.scores)
        for scores in heard.scores:
            labels = [self.sound.label] if self.sound.label else scores.probabilities
            self.best = max(self.best, *(scores.probabilities[label] for label in labels))
        onsets = (event for event in heard.events if event.label == self.sound.label and event.phase == "begin")
        self.event = self.event or next(onsets, None)
        faults = (fault for fault in heard.faults if fault.begins and fault.kind != "clipping")
        self.fault = self.fault or next(faults, None)

    def errors(self) -> tuple[str, str]:
        """(what failed in scoring, what failed in detection); each empty if nothing did."""
        name, label = self.sound.model, self.sound.label
        if self.fault is not None:
            return f"model {name} cannot hear the known sound: {self.fault.detail}", ""
        if not self.windows:
            return f"model {name} gave no score for {self.sound.duration_s:g} s of sound", ""
        if label and self.event is None:
            return "", f"model {name} raised no {label} at the known sound, its highest score was {self.best:.2f}"
        return "", ""
