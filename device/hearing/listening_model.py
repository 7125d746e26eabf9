"""A model as the listener uses it, and the pipeline that turns its windows into scores and decisions.

To the listener a model is a network behind a Protocol, labels with their operating points, and the specs of its
features. A network may carry its past from window to window: it is kept here, and forgotten wherever the windows do
not follow one another. Knows no file and no inference runtime.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from device.errors import ClassifierError, SpecError
from device.hearing.decision import Decider, OperatingPoint
from device.hearing.events.event_times import EventTimes
from device.hearing.features import FrameCache, finish
from device.messages import DECIDED_ROLES, Fault, Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import numpy.typing as npt

    from device.hearing.network.attention import AttentionReader
    from device.hearing.spec import FeatureSpec
    from device.hearing.windows import WindowFormat
    from device.messages import Decision, Event, Heard, Role, Window

    Float32 = npt.NDArray[np.float32]


class NetworkOutput(Protocol):
    """The result of a network for one window."""

    @property
    def probabilities(self) -> Float32:
        """float32 (labels,) in [0, 1]."""


class Network(Protocol):
    """A network as the listener needs it; `classifier.Classifier` is one."""

    def classify(self, features: Sequence[Float32]) -> NetworkOutput:
        """One feature array (frames, bins) per spec -> a probability per label.

        Raises:
            ClassifierError: the network failed, or a score is not finite.
        """


@runtime_checkable
class OutputWithExtras(NetworkOutput, Protocol):
    """The result of a network that has outputs beside its scores."""

    @property
    def extras(self) -> dict[str, Float32]:
        """The further outputs by name."""


class OutputWithPast(NetworkOutput, Protocol):
    """The result of a network that carries its past."""

    @property
    def next_past(self) -> Float32 | None:
        """What the network is given with the window after this one."""


@runtime_checkable
class NetworkWithPast(Network, Protocol):
    """A network that may carry its past; `classifier.Classifier` is one."""

    def classify_after(self, features: Sequence[Float32], past: Float32 | None) -> OutputWithPast:
        """As `classify`, with what the window before left; None if there was none.

        Raises:
            ClassifierError: the network failed, or a score or a number of its past is not finite.
        """


@dataclass(frozen=True, slots=True)
class ListeningLabel:
    """One label of a model: its role, and its operating point as configured."""

    name: str
    role: Role
    point: OperatingPoint


@dataclass(frozen=True, slots=True, eq=False)
class ListeningModel:
    """One model as the listener uses it.

    Attributes:
        name: unique among the models of a listener.
        labels: in the order of the network's outputs.
        specs: one for each input of the network, all of one rate and window.
        network: computes the scores.
        listens_while: run only while this label of an earlier model is on; None for always.
        hop_s: the only hop at which it may be configured, for a network that carries its past; None for any.
        attention: reads what the network attends to, for `Heard.attention`; None where nobody asks, or it has none.
    """

    name: str
    labels: tuple[ListeningLabel, ...]
    specs: tuple[FeatureSpec, ...]
    network: Network
    listens_while: str | None = None
    hop_s: float | None = None
    attention: AttentionReader | None = None

    @property
    def gives_verdicts(self) -> bool:
        """Whether it says what the sound of another model's event is."""
        return any(label.role == "verdict" for label in self.labels)


class ModelPipeline:
    """Features, network and deciders of one model, applied window by window.

    Attributes:
        model: the model.
        rate_hz: sample rate of its windows.
        window_samples: length of its windows.
        deciders: one for each label that has events of its own.
        failing_since_s: start of the first window since which the network has failed; None while it works.

    Raises:
        SpecError: its network carries a past, and was trained at another hop.
    """

    def __init__(
        self, model: ListeningModel, stream_id: str, hop_s: float, frames: dict[tuple[str, int], FrameCache]
    ) -> None:
        check_hop(model.name, model.hop_s, hop_s)
        self.model = model
        self._past: Float32 | None = None
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
            if label.role in DECIDED_ROLES
        ]
        points = [decider.point for decider in self.deciders]
        self._times = EventTimes(self.rate_hz, window_s=self.window_samples / self.rate_hz, points=points)
        caches = (frames[spec.frame_hash, spec.window_samples] for spec in model.specs)
        self._inputs = list(zip(model.specs, caches, strict=True))  # hashed once, not for every window
        self.failing_since_s: float | None = None

    @property
    def is_failing(self) -> bool:
        """Whether its network failed on the newest window."""
        return self.failing_since_s is not None

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    @property
    def listens_while(self) -> str | None:
        """The label that the model follows; None if it always runs."""
        return self.model.listens_while

    def replace_network(self, network: Network) -> None:
        """Use another network from now on; it begins without a past."""
        self.model = replace(self.model, network=network)
        self.forget()

    def forget(self) -> None:
        """The next window does not follow the last one: the network begins without a past."""
        self._past = None

    def change_point(self, label: str, point: OperatingPoint) -> None:
        """Decide about a label by other thresholds from the next window on; its times must not differ."""
        for decider in self.deciders:
            if decider.label == label:
                decider.point = point

    def change_hop(self, hop_s: float) -> None:
        """Windows come at another hop from now on; see `Decider.change_hop`."""
        for decider in self.deciders:
            decider.change_hop(hop_s)

    def accepts(self, window_format: WindowFormat) -> bool:
        """Whether windows of this format are the model's."""
        return (self.rate_hz, self.window_samples) == (window_format.rate_hz, window_format.window_samples)

    def score(self, window: Window, heard: Heard) -> Scores | None:
        """Run the network; None if it fails, which adds a fault to `heard` when it begins and when it is over."""
        if self.deciders:
            self._times.push(window)
        features = [_features(spec, cache, window) for spec, cache in self._inputs]
        try:
            output = self._classified(features)
        except ClassifierError as error:
            self.forget()  # what the network keeps may be what made it fail
            if self.failing_since_s is None:
                self.failing_since_s = window.start_s
                heard.faults.append(self._fault(window, begins=True, detail=str(error)))
            return None
        if self.failing_since_s is not None:
            heard.faults.append(self._fault(window, begins=False, detail=f"model {self.model.name} answers again"))
            self.failing_since_s = None
        names = (label.name for label in self.model.labels)
        by_label = {name: float(value) for name, value in zip(names, output.probabilities, strict=True)}
        if self.model.attention is not None and isinstance(output, OutputWithExtras):
            heard.attention.append(self.model.attention.read(output.extras, window.start_s))
        return Scores(self.model.name, by_label, window.start_s, window.end_s)

    def try_again(self, window: Window, heard: Heard) -> None:
        """Run a failing network on a window that nobody needs, so that its fault ends as soon as it answers."""
        self.score(window, heard)
        self.forget()

    def _classified(self, features: Sequence[Float32]) -> NetworkOutput:
        """The result of the window that follows the last one."""
        network = self.model.network
        if not isinstance(network, NetworkWithPast):
            return network.classify(features)
        output = network.classify_after(features, self._past)
        self._past = output.next_past
        return output

    def decide(self, scores: Scores, *, trusted: bool) -> Iterator[tuple[Decision, Event | None]]:
        """Decide about each label; see `Decider.push`."""
        for decider in self.deciders:
            decision, event = decider.push(scores, trusted=trusted)
            yield decision, None if event is None else self._times.timed(event)

    def cross_gap(self, reason: str | None, at_s: float) -> list[Event]:
        """Restart confirmation and forget the past; if there is a reason, open events end with it."""
        self.forget()
        if reason is not None:
            return self.close(reason, at_s)
        for decider in self.deciders:
            decider.restart()
        return []

    def close(self, reason: str, at_s: float) -> list[Event]:
        """End open events and forget the past; see `Decider.close`."""
        self.forget()
        ended = (decider.close(reason, at_s) for decider in self.deciders)
        return [self._times.timed(event) for event in ended if event is not None]

    def finish(self, reason: str, at_s: float) -> list[Event]:
        """End open events at the end of the stream; a short file is judged by all the windows that it has."""
        if reason != "end_of_file":
            return self.close(reason, at_s)
        return [self._times.timed(event) for decider in self.deciders for event in decider.finish(at_s)]

    def _fault(self, window: Window, *, begins: bool, detail: str) -> Fault:
        since_s = window.start_s if self.failing_since_s is None else self.failing_since_s
        return Fault("classifier", begins, since_s, window.end_s, detail, model=self.model.name)


def check_hop(name: str, trained_hop_s: float | None, hop_s: float) -> None:
    """Refuse a hop at which a model's network, which carries its past, was not trained; None is one that carries none.

    Raises:
        SpecError: that is so.
    """
    if trained_hop_s is not None and not math.isclose(trained_hop_s, hop_s, abs_tol=1e-9):
        raise SpecError(
            f"model {name}: hop_s is {hop_s:g}, must be {trained_hop_s:g}: its network knows windows so far apart"
        )


def _features(spec: FeatureSpec, cache: FrameCache, window: Window) -> Float32:
    """The features of a window for one input of a network: (frame_count, bins)."""
    first_frame = None if window.repeated else window.start_sample // spec.hop
    return finish(spec, cache.frames(window.samples, first_frame))


def shared_caches(models: Sequence[ListeningModel]) -> dict[tuple[str, int], FrameCache]:
    """(frame hash, window) -> frame cache, shared by all models; caches of cepstra use the frames of log-mel caches."""
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
