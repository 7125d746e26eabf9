"""Plays one model its known sound through a fresh listener, and records whether it detected it.

A model that follows a label of it and has no sound of its own hears that one too, as it would live: the sound of a cry
proves the network that listens only while one lasts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from device.hearing.listener import Listener
from device.runtime.self_test.known_sound import known_sound_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from device.config.settings import Settings
    from device.hearing.listening_model import ListeningModel
    from device.messages import Event, Fault, Heard
    from device.runtime.self_test.known_sound import KnownSound


def hearing_together(
    models: Sequence[ListeningModel], sounds: Mapping[str, KnownSound]
) -> list[tuple[ListeningModel, ...]]:
    """The models of each trial, in order: each with those that follow it and have no sound of their own.

    Args:
        models: that listen; one that follows another comes after it.
        sounds: name of the model -> its known sound.
    """
    together: list[list[ListeningModel]] = []
    for model in models:
        followed = [one for one in together if _is_proved_by(one[0], model)]
        if followed and not sounds[model.name].label:
            followed[0].append(model)
        else:
            together.append([model])
    return [tuple(one) for one in together]


def _is_proved_by(first: ListeningModel, follower: ListeningModel) -> bool:
    """Whether a model follows a label of another, whose windows are as long as its own."""
    follows = any(label.name == follower.listens_while for label in first.labels)
    return follows and _window(first) == _window(follower)


def _window(model: ListeningModel) -> tuple[int, int]:
    return model.specs[0].sample_rate_hz, model.specs[0].window_samples


class ModelTrial:
    """One model with its known sound, played a slice at a time; and models without one, which hear the same.

    Args:
        sound: the first model's known sound.
        models: whose networks classify it.
        settings: hop, filters and deafness settings, as of the daemon.
        capture_hz: rate of the microphone; None for the model's own.

    Attributes:
        networks: under test.
        best: highest score so far, of the sound's label or of any if it has none.
        windows: name of the model -> windows scored so far.
        event: the onset that was detected, if any.
        fault: the first fault that the listener found, if any.
    """

    def __init__(
        self, sound: KnownSound, models: Sequence[ListeningModel], settings: Settings, capture_hz: int | None
    ) -> None:
        self.sound = sound
        self.networks = [model.network for model in models]
        self.best = 0.0
        self.windows = {model.name: 0 for model in models}
        self.event: Event | None = None
        self.fault: Fault | None = None
        self._blocks = known_sound_blocks(sound, capture_hz or sound.sample_rate_hz)
        self._listener = Listener(
            [replace(model, listens_while=None) for model in models],  # whatever the one that it follows decides
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
        heard_all = all(self.windows.values())
        return self.fault is not None or (self.event is not None and heard_all)

    def _record(self, heard: Heard) -> None:
        for scores in heard.scores:
            self.windows[scores.model] += 1
            if scores.model == self.sound.model:
                labels = [self.sound.label] if self.sound.label else scores.probabilities
                self.best = max(self.best, *(scores.probabilities[label] for label in labels))
        onsets = (event for event in heard.events if self._is_wanted(event))
        self.event = self.event or next(onsets, None)
        faults = (fault for fault in heard.faults if fault.begins and fault.kind != "clipping")
        self.fault = self.fault or next(faults, None)

    def _is_wanted(self, event: Event) -> bool:
        return (event.model, event.label, event.phase) == (self.sound.model, self.sound.label, "begin")

    def errors(self) -> tuple[str, str]:
        """(what failed in scoring, what failed in detection); each empty if nothing did."""
        name, label = self.sound.model, self.sound.label
        if self.fault is not None:
            return f"model {self.fault.model or name} cannot hear the known sound: {self.fault.detail}", ""
        silent = next((model for model, windows in self.windows.items() if not windows), None)
        if silent is not None:
            return f"model {silent} gave no score for {self.sound.duration_s:g} s of sound", ""
        if label and self.event is None:
            return "", f"model {name} raised no {label} at the known sound, its highest score was {self.best:.2f}"
        return "", ""
