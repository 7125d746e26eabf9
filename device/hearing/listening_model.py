"""One model while it listens: its frames, its deciders, and whether it fails.

What a model is to a listener stands here too: a network behind a Protocol, labels with their operating
points, and the specs of what it hears. Knows no file and no runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from device.errors import ClassifierError
from device.hearing.decision import Decider, OperatingPoint
from device.hearing.features import FrameCache, finish
from device.messages import Fault, Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec
    from device.messages import Decision, Event, Heard, Role, Window

    Float32 = npt.NDArray[np.float32]


class NetworkOutput(Protocol):
    """What a network says of one window."""

    @property
    def probabilities(self) -> Float32:
        """float32 (labels,) in [0, 1]."""


class Network(Protocol):
    """What the listener needs of a classifier."""

    def classify(self, features: Sequence[Float32]) -> NetworkOutput:
        """One feature array (frames, bins) per spec -> a probability per label.

        Raises:
            ClassifierError: the network failed, or a score is not finite.
        """


@dataclass(frozen=True, slots=True)
class ListeningLabel:
    """One label as it is listened for: its role, and its operating point after the configuration."""

    name: str
    role: Role
    point: OperatingPoint


@dataclass(frozen=True, slots=True, eq=False)
class ListeningModel:
    """One model as it listens.

    Attributes:
        name: unique among the models of a listener.
        labels: in the order of the network's outputs.
        specs: one for each input of the network, all of one rate and window.
        network: answers.
        listens_while: run only while this label, of a model before it, is on; None for always.
    """

    name: str
    labels: tuple[ListeningLabel, ...]
    specs: tuple[FeatureSpec, ...]
    network: Network
    listens_while: str | None = None


class ModelPipeline:
    """One model while it listens: its frames, its deciders, whether it fails.

    Attributes:
        failing_since_s: start of the first of the windows, up to the newest, for which it gave no scores.
    """

    def __init__(
        self, model: ListeningModel, stream_id: str, hop_s: float, frames: dict[tuple[str, int], FrameCache]
    ) -> None:
        self.model = model
        self.rate_hz = model.specs[0].sample_rate_hz
        self.window_samples = model.specs[0].window_samples
        self.deciders = [
            Decider(
                event_prefix=f"{stream_id}-{model.name}-{label.name}",
                model=model.name,
                label=label.name,
                point=label.point,
                hop_s=hop_s,
            )
            for label in model.labels
            if label.role != "reject"
        ]
        caches = (frames[spec.frame_hash, spec.window_samples] for spec in model.specs)
        self._inputs = list(zip(model.specs, caches, strict=True))  # hashed once, not for every window
        self.failing_since_s: float | None = None

    @property
    def is_failing(self) -> bool:
        """Whether its network gave no scores when it was last asked."""
        return self.failing_since_s is not None

    def hears(self, rate_hz: int, window_samples: int) -> bool:
        """Whether windows of this rate and length are its own."""
        return (self.rate_hz, self.window_samples) == (rate_hz, window_samples)

    def scores(self, window: Window, heard: Heard) -> Scores | None:
        """Ask the network; a failure is a fault, told once where it begins and once where it ends."""
        features = [_features(spec, cache, window) for spec, cache in self._inputs]
        try:
            probabilities = self.model.network.classify(features).probabilities
        except ClassifierError as error:
            if self.failing_since_s is None:
                self.failing_since_s = window.start_s
                heard.faults.append(self._fault(window, begins=True, detail=str(error)))
            return None
        if self.failing_since_s is not None:
            heard.faults.append(self._fault(window, begins=False, detail=f"model {self.model.name} answers again"))
            self.failing_since_s = None
        names = (label.name for label in self.model.labels)
        by_label = {name: float(value) for name, value in zip(names, probabilities, strict=True)}
        return Scores(self.model.name, by_label, window.start_s, window.end_s)

    def decide(self, scores: Scores, *, trusted: bool) -> Iterator[tuple[Decision, Event | None]]:
        """What is decided about each label; see `Decider.push`."""
        return (decider.push(scores, trusted=trusted) for decider in self.deciders)

    def cross_gap(self, reason: str | None, at_s: float) -> list[Event]:
        """Confirmation starts afresh; with a reason, what is open ends."""
        if reason is not None:
            return self.close(reason, at_s)
        for decider in self.deciders:
            decider.restart()
        return []

    def close(self, reason: str, at_s: float) -> list[Event]:
        """End what is open; see `Decider.close`."""
        return [event for decider in self.deciders if (event := decider.close(reason, at_s)) is not None]

    def finish(self, reason: str, at_s: float) -> list[Event]:
        """The stream ends here; a file's end may judge by fewer windows than confirmation wants."""
        if reason != "end_of_file":
            return self.close(reason, at_s)
        return [event for decider in self.deciders for event in decider.finish(at_s)]

    def _fault(self, window: Window, *, begins: bool, detail: str) -> Fault:
        since_s = window.start_s if self.failing_since_s is None else self.failing_since_s
        return Fault("classifier", begins, since_s, window.end_s, detail, model=self.model.name)


def _features(spec: FeatureSpec, cache: FrameCache, window: Window) -> Float32:
    """What one input of a network hears of a window: (frame_count, bins)."""
    first_frame = None if window.repeated else window.start_sample // spec.hop
    return finish(spec, cache.frames(window.samples, first_frame))


def shared_caches(models: Sequence[ListeningModel]) -> dict[tuple[str, int], FrameCache]:
    """One cache for each frame stage and window; cepstra take their log-mel frames from the log-mel's."""
    by_mel: dict[tuple[str, int], FrameCache] = {}
    caches: dict[tuple[str, int], FrameCache] = {}
    for spec in sorted((spec for model in models for spec in model.specs), key=lambda spec: spec.n_mfcc > 0):
        key = spec.frame_hash, spec.window_samples
        if key in caches:
            continue
        mel_key = spec.mel_hash, spec.window_samples
        caches[key] = FrameCache(spec, mel=by_mel.get(mel_key))
        if spec.n_mfcc == 0:
            by_mel[mel_key] = caches[key]
    return caches
