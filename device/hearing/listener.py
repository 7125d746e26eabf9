"""The sentence that describes the product: blocks of sound go in, what was heard comes out.

Each block is cut into slices of 100 ms; each slice is looked at for deafness, filtered, and resampled
to every rate a model wants; where a window is complete its frames are computed (once for all models
that share them), each model gives scores, each label's decider decides. Live and replay share this one
object, and because everything after the slices sees slices of one size, the size of the blocks
changes nothing. Where a source hears nothing it says so, and that is a fault, not a quiet night. What a
model is, a `Network` says; knows no file, thread or clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from device.config.settings import FilterSettings
from device.errors import ClassifierError, SpecError
from device.hearing.coverage import Coverage
from device.hearing.deafness import DeafnessDetector
from device.hearing.decision import Decider, OperatingPoint
from device.hearing.features import FrameCache, finish
from device.hearing.filters import FilterChain
from device.hearing.resample import Resampler
from device.hearing.windows import Slices, WindowCursor
from device.messages import AudioBlock, Fault, Heard, NoAudio, Scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec
    from device.messages import Decision, Event, FaultKind, Role, Window

    Float32 = npt.NDArray[np.float32]

SLICE_S = 0.1
"""Two rows of the deafness detector: finer costs twice its time, coarser delays a resampled window's last samples."""


NO_AUDIO_FAULT_S = 2.0
"""A source that gives nothing for this long is a fault: what opens late is not, and 3 s are promised."""

NO_AUDIO_END_S = 3.0
"""What is open ends where a source gives nothing for longer."""


_LASTED = "it lasted until the audio ended"


class Answer(Protocol):
    """What a network says of one window."""

    @property
    def probabilities(self) -> Float32:
        """float32 (labels,) in [0, 1]."""


class Network(Protocol):
    """What the listener needs of a classifier."""

    def classify(self, features: Sequence[Float32]) -> Answer:
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


_UNFILTERED = FilterSettings()


class Listener:
    """Hears one stream: `push` its blocks, `finish` where it ends.

    Args:
        models: at least one; a model that `listens_while` stands after the one it follows.
        stream_id: what event ids begin with; never used twice.
        hop_s: from one window to the next.
        gates_to_zero: this microphone gives digital zeros when nothing is loud enough.
        filters: what is done to the sound after it was looked at for deafness.

    Raises:
        SpecError: a model cannot listen to a stream at this hop.
    """

    def __init__(
        self,
        models: Sequence[ListeningModel],
        *,
        stream_id: str,
        hop_s: float = 0.5,
        gates_to_zero: bool = False,
        filters: FilterSettings = _UNFILTERED,
    ) -> None:
        self.stream_id = stream_id
        self.hop_s = self.configured_hop_s = hop_s
        self._gates_to_zero = gates_to_zero
        self._filters = filters
        self._frames = _shared_caches(models)
        self._models = [_ModelState(model, stream_id, hop_s, self._frames) for model in models]
        self._rates = _by_rate(models, hop_s)
        self._segment: _Segment | None = None
        self._deafness: DeafnessDetector | None = None
        self._chain: FilterChain | None = None
        self._suspect: tuple[float, float] = (math.inf, -math.inf)
        self._segments = 0
        self._absence = _Absence()
        self._deaf: set[FaultKind] = set()
        self.coverage = Coverage(hop_s)

    def __repr__(self) -> str:
        return f"Listener({', '.join(state.model.name for state in self._models)}; {self.gaps} gaps)"

    @property
    def gaps(self) -> int:
        """How often samples were missing, or the rate changed, since the stream began."""
        return max(0, self._segments - 1)

    @property
    def widest_hop_s(self) -> float:
        """The shortest window of its models: a wider hop would leave sound unheard between two."""
        return min(state.window_samples / state.rate_hz for state in self._models)

    @property
    def is_failing(self) -> bool:
        """Whether a model gave no scores when it was last asked."""
        return any(state.is_failing for state in self._models)

    @property
    def is_on(self) -> dict[tuple[str, str], bool]:
        """(model, label) -> whether an event is open, for every label that is decided about."""
        return {(decider.model, decider.label): decider.is_on for state in self._models for decider in state.deciders}

    def push(self, block: AudioBlock | NoAudio) -> Heard:
        """Hear a block, or that there is none; a gap before it, or a change of rate, begins a new segment."""
        heard = Heard()
        if isinstance(block, NoAudio):
            self._miss(block, heard)
            return heard
        segment = self._segment
        if segment is None:
            segment = self._begin(block)
        elif block.after_gap or block.start_sample != segment.next_sample or block.sample_rate_hz != segment.rate_hz:
            self._cross_gap(segment, block, heard)
            segment = self._begin(block)
        heard.faults.extend(self._absence.end(block.start_sample / block.sample_rate_hz))
        segment.next_sample = block.end_sample
        for piece in segment.slices.push(block.samples):
            self._hear(segment, piece, heard)
        return heard

    def rehop(self, hop_s: float) -> None:
        """From here on, another hop: wider where the machine cannot keep up, and back.

        Raises:
            SpecError: a model cannot listen at this hop.
        """
        self._rates = _by_rate([state.model for state in self._models], hop_s)
        self.hop_s = hop_s
        for state in self._models:
            for decider in state.deciders:
                decider.rehop(hop_s)
        if self._segment is not None:
            for lane, rate in zip(self._segment.lanes, self._rates, strict=True):
                lane.rehop(rate)

    def renew(self, networks: Mapping[str, Network]) -> None:
        """Ask these networks from here on, model -> network, in place of those that failed."""
        for state in self._models:
            if state.model.name in networks:
                state.model = replace(state.model, network=networks[state.model.name])

    def finish(self, reason: str = "end_of_file") -> Heard:
        """The stream ends: what is open ends with this reason; the listener is done.

        Only a file (`end_of_file`) has a tail that is heard to its end, and may be judged by fewer
        windows than confirmation wants.
        """
        heard = Heard()
        segment, self._segment = self._segment, None
        if segment is None:
            heard.faults.extend(self._end_faults(self.coverage.now_s))
            return heard
        self._drain(segment, heard)
        if reason == "end_of_file":
            self._finish_tail(segment, heard)
        heard.faults.extend(self._end_faults(segment.now_s))
        for state in self._models:
            heard.events.extend(state.finish(reason, segment.now_s))
        return heard

    def _end_faults(self, at_s: float) -> Iterator[Fault]:
        """What is still a fault where the stream ends, ends with it."""
        if self._deafness is not None:
            yield from self._deafness.finish()
        lasting: dict[FaultKind, float | None] = {
            "microphone": self._absence.since_s,
            "coverage": self.coverage.fault_since_s,
        }
        for kind, since_s in lasting.items():
            if since_s is not None:
                yield Fault(kind, begins=False, since_s=since_s, at_s=at_s, detail=_LASTED)

    # --- segments

    def _begin(self, block: AudioBlock) -> _Segment:
        rate_hz = block.sample_rate_hz
        if self._deafness is None or self._chain is None or self._segment is None or self._segment.rate_hz != rate_hz:
            self._deafness = DeafnessDetector(rate_hz, gates_to_zero=self._gates_to_zero)
            self._chain = FilterChain(self._filters, rate_hz)
        self._chain.reset()
        for cache in self._frames.values():
            cache.reset()
        self._suspect = (math.inf, -math.inf)
        self._segments += 1
        self._segment = _Segment(rate_hz, block.start_sample, self._rates, self._chain)
        self.coverage.pass_to(block.start_sample / rate_hz)
        return self._segment

    def _miss(self, nothing: NoAudio, heard: Heard) -> None:
        self.coverage.pass_to(nothing.since_s)
        self.coverage.pass_to(nothing.at_s)
        heard.faults.extend(self._absence.miss(nothing))
        if nothing.at_s - nothing.since_s > NO_AUDIO_END_S:
            heard.events.extend(event for state in self._models for event in state.close("no_audio", nothing.at_s))
        self._judge_coverage(heard)

    def _judge_coverage(self, heard: Heard) -> None:
        """Too little was heard, and no other fault says why."""
        explained = self._absence.is_fault or bool(self._deaf) or self.is_failing
        fault = self.coverage.judge(explained=explained)
        if fault is not None:
            heard.faults.append(fault)

    def _cross_gap(self, segment: _Segment, block: AudioBlock, heard: Heard) -> None:
        self._drain(segment, heard)
        from_s, to_s = segment.now_s, block.start_sample / block.sample_rate_hz
        changed = block.sample_rate_hz != segment.rate_hz
        missing_s = max(0.0, to_s - from_s)
        detail = f"{missing_s:.3f} s of sound are missing"
        heard.faults.append(Fault("gap", begins=True, since_s=from_s, at_s=max(from_s, to_s), detail=detail))
        if changed and self._deafness is not None:
            heard.faults.extend(self._deafness.finish())
            self._deaf.clear()
        reason = "rate" if changed else "gap" if missing_s > self.hop_s else None
        for state in self._models:
            heard.events.extend(state.cross_gap(reason, from_s))

    def _drain(self, segment: _Segment, heard: Heard) -> None:
        """Hear what is left of a segment: less than a slice, and what the resamplers hold."""
        rest = segment.slices.finish()
        if len(rest):
            self._hear(segment, rest, heard)
        self._judge([window for lane in segment.lanes for window in lane.drain()], heard)

    def _finish_tail(self, segment: _Segment, heard: Heard) -> None:
        short_file = self._segments == 1
        tails = [(lane.rate, w) for lane in segment.lanes for w in lane.cursor.finish(short_file=short_file)]
        self._judge(tails, heard)

    # --- one slice

    def _hear(self, segment: _Segment, samples: Float32, heard: Heard) -> None:
        """One slice: float32 (n,) at capture rate."""
        block = AudioBlock(samples, segment.rate_hz, segment.heard_sample, after_gap=segment.takes_gap())
        segment.heard_sample = block.end_sample
        self._look_for_deafness(block, segment.now_s, heard)
        filtered = segment.filters.push(samples)
        self._judge([window for lane in segment.lanes for window in lane.push(filtered)], heard)
        self.coverage.pass_to(segment.now_s)
        self._judge_coverage(heard)

    def _look_for_deafness(self, block: AudioBlock, now_s: float, heard: Heard) -> None:
        if self._deafness is None:
            return
        for fault in self._deafness.push(block):
            heard.faults.append(fault)
            if fault.kind == "clipping":
                continue
            (self._deaf.add if fault.begins else self._deaf.discard)(fault.kind)
            if fault.begins:
                heard.events.extend(event for state in self._models for event in state.close("deaf", now_s))
        since_s = self._deafness.suspect_since_s
        if since_s is not None:
            self._suspect = (min(since_s, self._suspect[0]) if self._suspect[1] >= since_s else since_s, now_s)

    def _judge(self, windows: list[tuple[_Rate, Window]], heard: Heard) -> None:
        """Windows that became whole together -> scores and decisions, in stream order."""
        for rate, window in sorted(windows, key=lambda pair: pair[1].end_s):
            trusted = window.end_s <= self._suspect[0] or window.start_s >= self._suspect[1]
            asked = [state for state in self._models if state.hears(rate)]
            answered = [self._ask(state, window, trusted=trusted, heard=heard) for state in asked]
            if all(answered) and self._models[0].hears(rate):  # the first model always listens
                self.coverage.score(window.start_s, window.end_s, trusted=trusted)

    def _ask(self, state: _ModelState, window: Window, *, trusted: bool, heard: Heard) -> bool:
        """Whether the model did its part: gave scores, or need not listen now."""
        if not self._may_listen(state):
            heard.events.extend(state.close("stopped", window.start_s))
            return True
        scores = state.scores(window, heard)
        if scores is None:
            return False
        heard.scores.append(scores)
        for decision, event in state.decide(scores, trusted=trusted):
            heard.decisions.append(decision)
            if event is not None:
                heard.events.append(event)
        return True

    def _may_listen(self, state: _ModelState) -> bool:
        """Whether the label that this model follows is on in a model before it."""
        wanted = state.model.listens_while
        before = self._models[: self._models.index(state)]
        return wanted is None or any(d.label == wanted and d.is_on for other in before for d in other.deciders)


@dataclass(frozen=True, slots=True)
class _Rate:
    """What models of one rate and window have in common."""

    rate_hz: int
    window_samples: int
    hop_samples: int
    grid_samples: int


class _Lane:
    """One rate's way through a segment: resampled, then cut into windows."""

    def __init__(self, rate: _Rate, capture_hz: int, start_s: float) -> None:
        self.rate = rate
        self._resampler = Resampler(capture_hz, rate.rate_hz)
        self.cursor = WindowCursor(
            sample_rate_hz=rate.rate_hz,
            window_samples=rate.window_samples,
            hop_samples=rate.hop_samples,
            grid_samples=rate.grid_samples,
            start_s=start_s,
        )

    def rehop(self, rate: _Rate) -> None:
        self.rate = rate
        self.cursor.rehop(rate.hop_samples)

    def push(self, samples: Float32) -> Iterator[tuple[_Rate, Window]]:
        return ((self.rate, window) for window in self.cursor.push(self._resampler.push(samples)))

    def drain(self) -> Iterator[tuple[_Rate, Window]]:
        return ((self.rate, window) for window in self.cursor.push(self._resampler.finish()))


class _Absence:
    """Turns what a source says of hearing nothing into a fault that begins and ends."""

    def __init__(self) -> None:
        self.since_s: float | None = None

    @property
    def is_fault(self) -> bool:
        return self.since_s is not None

    def miss(self, nothing: NoAudio) -> Iterator[Fault]:
        if self.since_s is None and nothing.at_s - nothing.since_s >= NO_AUDIO_FAULT_S:
            self.since_s = nothing.since_s
            yield Fault("microphone", begins=True, since_s=nothing.since_s, at_s=nothing.at_s, detail=nothing.reason)

    def end(self, at_s: float) -> Iterator[Fault]:
        if self.since_s is not None:
            detail = f"sound comes again after {at_s - self.since_s:.1f} s"
            yield Fault("microphone", begins=False, since_s=self.since_s, at_s=at_s, detail=detail)
            self.since_s = None


class _Segment:
    """The samples between two gaps."""

    def __init__(self, rate_hz: int, start_sample: int, rates: Sequence[_Rate], filters: FilterChain) -> None:
        self.rate_hz = rate_hz
        self.filters = filters
        self.next_sample = start_sample  # where the next block must start
        self.heard_sample = start_sample  # where the next slice starts
        self.slices = Slices(max(1, round(rate_hz * SLICE_S)))
        self.lanes = [_Lane(rate, rate_hz, start_sample / rate_hz) for rate in rates]
        self._fresh = True

    @property
    def now_s(self) -> float:
        """End of the last slice heard, in the stream."""
        return self.heard_sample / self.rate_hz

    def takes_gap(self) -> bool:
        """True once: for the first slice of a segment."""
        fresh, self._fresh = self._fresh, False
        return fresh


class _ModelState:
    """One model while it listens: its frames, its deciders, whether it fails."""

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
        self._failing_since_s: float | None = None

    @property
    def is_failing(self) -> bool:
        """Whether its network gave no scores when it was last asked."""
        return self._failing_since_s is not None

    def hears(self, rate: _Rate) -> bool:
        return (self.rate_hz, self.window_samples) == (rate.rate_hz, rate.window_samples)

    def scores(self, window: Window, heard: Heard) -> Scores | None:
        """Ask the network; a failure is a fault, told once where it begins and once where it ends."""
        features = [_features(spec, cache, window) for spec, cache in self._inputs]
        try:
            probabilities = self.model.network.classify(features).probabilities
        except ClassifierError as error:
            if self._failing_since_s is None:
                self._failing_since_s = window.start_s
                heard.faults.append(self._fault(window, begins=True, detail=str(error)))
            return None
        if self._failing_since_s is not None:
            heard.faults.append(self._fault(window, begins=False, detail=f"model {self.model.name} answers again"))
            self._failing_since_s = None
        names = (label.name for label in self.model.labels)
        by_label = {name: float(value) for name, value in zip(names, probabilities, strict=True)}
        return Scores(self.model.name, by_label, window.start_s, window.end_s)

    def decide(self, scores: Scores, *, trusted: bool) -> Iterator[tuple[Decision, Event | None]]:
        return (decider.push(scores, trusted=trusted) for decider in self.deciders)

    def cross_gap(self, reason: str | None, at_s: float) -> list[Event]:
        """Confirmation starts afresh; with a reason, what is open ends."""
        if reason is not None:
            return self.close(reason, at_s)
        for decider in self.deciders:
            decider.restart()
        return []

    def close(self, reason: str, at_s: float) -> list[Event]:
        return [event for decider in self.deciders if (event := decider.close(reason, at_s)) is not None]

    def finish(self, reason: str, at_s: float) -> list[Event]:
        if reason != "end_of_file":
            return self.close(reason, at_s)
        return [event for decider in self.deciders for event in decider.finish(at_s)]

    def _fault(self, window: Window, *, begins: bool, detail: str) -> Fault:
        since_s = window.start_s if self._failing_since_s is None else self._failing_since_s
        return Fault("classifier", begins, since_s, window.end_s, detail, model=self.model.name)


def _features(spec: FeatureSpec, cache: FrameCache, window: Window) -> Float32:
    """What one input of a network hears of a window: (frame_count, bins)."""
    first_frame = None if window.repeated else window.start_sample // spec.hop
    return finish(spec, cache.frames(window.samples, first_frame))


def _shared_caches(models: Sequence[ListeningModel]) -> dict[tuple[str, int], FrameCache]:
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


def _by_rate(models: Sequence[ListeningModel], hop_s: float) -> list[_Rate]:
    rates: dict[tuple[int, int], _Rate] = {}
    for model in models:
        _check(model, hop_s)
        key = model.specs[0].sample_rate_hz, model.specs[0].window_samples
        hops = [
            spec.hop for other in models for spec in other.specs if (spec.sample_rate_hz, spec.window_samples) == key
        ]
        rates[key] = _Rate(*key, hop_samples=round(hop_s * key[0]), grid_samples=math.lcm(*hops))
    return list(rates.values())


def _check(model: ListeningModel, hop_s: float) -> None:
    first = model.specs[0]
    for spec in model.specs:
        if (spec.sample_rate_hz, spec.window_samples) != (first.sample_rate_hz, first.window_samples):
            raise SpecError(f"model {model.name}: its inputs have different rates or windows; they must agree")
        if not spec.streamable:
            raise SpecError(f"model {model.name}: its frames are centred and cannot be streamed; train it uncentred")
        hop_samples = hop_s * spec.sample_rate_hz
        frames = hop_samples / spec.hop
        if not math.isclose(frames, round(frames), abs_tol=1e-9) or round(hop_samples) > spec.window_samples:
            step_s = spec.hop / spec.sample_rate_hz
            raise SpecError(
                f"model {model.name}: hop_s is {hop_s}, must be a multiple of {step_s:g} s up to the window's "
                f"{spec.window_samples / spec.sample_rate_hz:g} s"
            )
