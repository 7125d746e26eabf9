"""The heart of Auricle: blocks of sound go in; scores, decisions, events and faults come out.

Each block is cut into slices of 100 ms, or of 50 ms if it is resampled. Each slice is checked for deafness, given to
the loudness alarm, if there is one, filtered, and resampled to every rate that a model needs. When a window is
complete, its frames are computed (once for all models that share them), each model scores it, and each label's decider
decides. The live daemon and replay share this class. Everything after the slices sees slices of one size, so the size
of the blocks has no influence. A source that receives no sound says so with `NoAudio`, and that is a fault, not a quiet
night. Networks are behind the Protocol `Network`; knows no file, thread or clock.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from device.config.alerting.loudness_settings import LoudnessSettings
from device.config.settings import FilterSettings
from device.hearing.coverage import Coverage
from device.hearing.deafness.detector import DeafnessDetector
from device.hearing.events.event_verdict import EventVerdicts
from device.hearing.filters import FilterChain
from device.hearing.listening_model import ModelPipeline, shared_caches
from device.hearing.loudness_detector import LoudnessDetector, operating_point
from device.hearing.segment import Segment, window_formats
from device.messages import LOUD, LOUDNESS, AudioBlock, Fault, Heard, NoAudio

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from device.hearing.decision import OperatingPoint
    from device.hearing.listening_model import ListeningModel, Network
    from device.hearing.windows import WindowFormat
    from device.messages import Event, FaultKind, Window

    Float32 = npt.NDArray[np.float32]

NO_AUDIO_FAULT_S = 2.0
"""A source without sound for this long is a fault. Opening a device takes less; a fault is promised within 3 s."""

NO_AUDIO_END_S = 3.0
"""Open events end if a source has no sound for longer."""

LONG_SUSPICION_S = 4.0
"""Longer than any sign of deafness needs to become a fault or to vanish (3 s), but for a collapsed noise floor."""

_LASTED = "it lasted until the audio ended"
_UNFILTERED = FilterSettings()
_NO_LOUDNESS = LoudnessSettings()


class Listener:
    """Detects events and faults in one stream: `push` its blocks, then `finish`.

    Args:
        models: at least one; a model with `listens_while` comes after the model that it follows.
        stream_id: prefix of event ids; never used twice.
        hop_s: from one window to the next.
        gates_to_zero: this microphone outputs digital zeros below some loudness, which is no fault then.
        filters: applied to the sound after the check for deafness.
        loudness: the alarm for any loud sound, if there is one.

    Attributes:
        stream_id: as given.
        hop_s: the current hop.
        configured_hop_s: the hop as given.
        coverage: how much of the stream was scored.

    Raises:
        SpecError: a model cannot process a stream at this hop.
    """

    def __init__(
        self,
        models: Sequence[ListeningModel],
        *,
        stream_id: str,
        hop_s: float = 0.5,
        gates_to_zero: bool = False,
        filters: FilterSettings = _UNFILTERED,
        loudness: LoudnessSettings = _NO_LOUDNESS,
    ) -> None:
        self.stream_id = stream_id
        self.hop_s = self.configured_hop_s = hop_s
        self._gates_to_zero = gates_to_zero
        self._filters = filters
        self._frames = shared_caches(models)
        self._models = [ModelPipeline(model, stream_id, hop_s, self._frames) for model in models]
        point = operating_point(loudness)
        self._loudness = None if point is None else LoudnessDetector(point, stream_id)
        self._verdicts = EventVerdicts(models)
        self._formats = window_formats(models, hop_s)
        self._segment: Segment | None = None
        self._deafness: DeafnessDetector | None = None
        self._chain: FilterChain | None = None
        self._suspect: tuple[float, float] = (math.inf, -math.inf)
        self._segments = 0
        self._absence = _Absence()
        self._deaf: set[FaultKind] = set()
        self.coverage = Coverage(hop_s, self._models[0].window_samples / self._models[0].rate_hz)

    def __repr__(self) -> str:
        return f"Listener({', '.join(model.name for model in self._models)}; {self.gaps} gaps)"

    @property
    def gaps(self) -> int:
        """How many times samples were missing or the rate changed since the stream began."""
        return max(0, self._segments - 1)

    @property
    def widest_hop_s(self) -> float:
        """The shortest window of its models: a wider hop would skip sound between two windows."""
        return min(model.window_samples / model.rate_hz for model in self._models)

    @property
    def is_failing(self) -> bool:
        """Whether a model failed on its newest window."""
        return any(model.is_failing for model in self._models)

    @property
    def is_on(self) -> dict[tuple[str, str], bool]:
        """(model, label) -> whether an event is open, for every label that has a decider."""
        of_models = {
            (decider.model, decider.label): decider.is_on for model in self._models for decider in model.deciders
        }
        return of_models if self._loudness is None else {**of_models, (LOUDNESS, LOUD): self._loudness.is_on}

    def push(self, block: AudioBlock | NoAudio) -> Heard:
        """Process a block, or the news that there is no sound; a gap or a change of rate begins a new segment."""
        heard = Heard()
        if isinstance(block, NoAudio):
            self._miss(block, heard)
            return heard
        segment = self._segment
        if segment is None:
            segment = self._begin(block)
        elif block.after_gap or not segment.is_continued_by(block):
            self._cross_gap(segment, block, heard)
            segment = self._begin(block)
        # Sound that a hung server held back arrives late with early sample indices; the fault ends now all the same.
        heard.faults.extend(self._absence.end(max(self.coverage.now_s, block.start_sample / block.sample_rate_hz)))
        for samples, power in segment.push(block):
            self._process_slice(segment, samples, power, heard)
        return heard

    def change_hop(self, hop_s: float) -> None:
        """Use another hop from now on: wider if the machine cannot keep up, and back.

        Raises:
            SpecError: a model cannot process a stream at this hop.
        """
        self._formats = window_formats([model.model for model in self._models], hop_s)
        self.hop_s = hop_s
        for model in self._models:
            model.change_hop(hop_s)
        if self._segment is not None:
            for pipeline, window_format in zip(self._segment.pipelines, self._formats, strict=True):
                pipeline.change_hop(window_format)

    def change_point(self, model: str, label: str, point: OperatingPoint) -> None:
        """Decide about a label by other thresholds from the next window on; an open event stays open."""
        for pipeline in self._models:
            if pipeline.name == model:
                pipeline.change_point(label, point)

    def replace_networks(self, networks: Mapping[str, Network]) -> None:
        """Use these networks from now on: name of the model -> network."""
        for model in self._models:
            if model.name in networks:
                model.replace_network(networks[model.name])

    def finish(self, reason: str = "end_of_file") -> Heard:
        """End the stream and all open events, with this reason; the listener cannot be used afterwards.

        Only a file (`end_of_file`) has a tail that is scored to its end, and may be judged by fewer windows than
        confirmation needs.
        """
        heard = Heard()
        segment, self._segment = self._segment, None
        if segment is None:
            heard.faults.extend(self._end_faults(self.coverage.now_s))
            return heard
        self._drain(segment, heard)
        if reason == "end_of_file":
            self._finish_tail(segment, heard)
        heard.faults.extend(self._end_faults(self.coverage.now_s))
        for model in self._models:
            self._tell(model.finish(reason, segment.now_s), heard)
        if self._loudness is not None:
            heard.events.extend(self._loudness.close(reason, segment.now_s))
        return heard

    def _end_faults(self, at_s: float) -> Iterator[Fault]:
        """Open faults end with the stream."""
        if self._deafness is not None:
            yield from self._deafness.finish()
        lasting: list[tuple[FaultKind, str, float | None]] = [
            ("microphone", "", self._absence.since_s),
            ("coverage", "", self.coverage.fault_since_s),
            *(("classifier", model.name, model.failing_since_s) for model in self._models),
        ]
        for kind, model, since_s in lasting:
            if since_s is not None:
                yield Fault(kind, begins=False, since_s=since_s, at_s=at_s, detail=_LASTED, model=model)

    # --- segments

    def _begin(self, block: AudioBlock) -> Segment:
        rate_hz = block.sample_rate_hz
        if self._deafness is None or self._chain is None or self._segment is None or self._segment.rate_hz != rate_hz:
            self._deafness = DeafnessDetector(rate_hz, gates_to_zero=self._gates_to_zero)
            self._chain = FilterChain(self._filters, rate_hz)
        self._chain.reset()
        for cache in self._frames.values():
            cache.reset()
        self._suspect = (math.inf, -math.inf)
        self._segments += 1
        if self._loudness is not None:
            self._loudness.begin(rate_hz, block.start_sample)
        self._segment = Segment(rate_hz, block.start_sample, self._formats, self._chain)
        self.coverage.advance_to(block.start_sample / rate_hz)
        return self._segment

    def _miss(self, nothing: NoAudio, heard: Heard) -> None:
        self.coverage.advance_to(nothing.since_s)
        self.coverage.advance_to(nothing.at_s)
        heard.faults.extend(self._absence.miss(nothing))
        ends_s = nothing.since_s + NO_AUDIO_END_S  # however often the source reports it
        if nothing.at_s > ends_s:
            heard.events.extend(self._close("no_audio", ends_s))
        self._check_coverage(heard)

    def _close(self, reason: str, at_s: float) -> list[Event]:
        """End everything that is open."""
        ended = [self._verdicts.told(event) for model in self._models for event in model.close(reason, at_s)]
        return ended if self._loudness is None else [*ended, *self._loudness.close(reason, at_s)]

    def _check_coverage(self, heard: Heard) -> None:
        """Add a fault if too little was scored and no other fault explains it."""
        explained = self._absence.is_fault or bool(self._deaf) or self._is_long_suspected or self.is_failing
        fault = self.coverage.check(explained=explained)
        if fault is not None:
            heard.faults.append(fault)

    @property
    def _is_long_suspected(self) -> bool:
        """Whether a collapsed noise floor is suspected, the one sign that takes longer to become a fault."""
        since_s = None if self._deafness is None else self._deafness.suspect_since_s
        return since_s is not None and self.coverage.now_s - since_s > LONG_SUSPICION_S

    def _cross_gap(self, segment: Segment, block: AudioBlock, heard: Heard) -> None:
        self._drain(segment, heard)
        from_s, to_s = segment.now_s, block.start_sample / block.sample_rate_hz
        changed = block.sample_rate_hz != segment.rate_hz
        missing_s = max(0.0, to_s - from_s)
        detail = f"{missing_s:.3f} s of sound are missing" if missing_s else "the sound breaks off here and begins anew"
        heard.faults.append(Fault("gap", begins=True, since_s=from_s, at_s=max(from_s, to_s), detail=detail))
        if changed and self._deafness is not None:
            heard.faults.extend(self._deafness.finish())
            self._deaf.clear()
        reason = "rate" if changed else "gap" if missing_s > self.hop_s else None
        for model in self._models:
            self._tell(model.cross_gap(reason, from_s), heard)
        if self._loudness is not None:
            heard.events.extend(self._loudness.cross_gap(reason, from_s))

    def _drain(self, segment: Segment, heard: Heard) -> None:
        """Process the rest of a segment: less than a slice, and what the resamplers hold back."""
        rest, power = segment.finish()
        if len(rest):
            self._process_slice(segment, rest, power, heard)
        self._decide([window for pipeline in segment.pipelines for window in pipeline.drain()], heard)

    def _finish_tail(self, segment: Segment, heard: Heard) -> None:
        short_file = self._segments == 1
        tails = [tail for pipeline in segment.pipelines for tail in pipeline.finish(short_file=short_file)]
        self._decide(tails, heard)

    # --- one slice

    def _process_slice(self, segment: Segment, samples: Float32, power: Float32 | None, heard: Heard) -> None:
        """Process float32 (n,) at capture rate, with the independent power of a mix."""
        start_sample, after_gap = segment.next_slice_sample, segment.is_at_start
        block = AudioBlock(samples, segment.rate_hz, start_sample, after_gap, independent_power=power)
        segment.next_slice_sample = block.end_sample
        self._check_deafness(block, segment.now_s, heard)
        if self._loudness is not None:
            self._loudness.push(samples, self._is_trusted, heard)
        filtered = segment.filters.push(samples)
        self._decide([window for pipeline in segment.pipelines for window in pipeline.push(filtered)], heard)
        self.coverage.advance_to(segment.now_s)
        self._check_coverage(heard)

    def _check_deafness(self, block: AudioBlock, now_s: float, heard: Heard) -> None:
        if self._deafness is None:
            return
        for fault in self._deafness.push(block):
            heard.faults.append(fault)
            if fault.kind == "clipping":
                continue
            (self._deaf.add if fault.begins else self._deaf.discard)(fault.kind)
            for model in self._models:
                model.forget()
            if fault.begins:
                heard.events.extend(self._close("deaf", now_s))
        since_s = self._deafness.suspect_since_s
        if since_s is not None:
            self._suspect = (min(since_s, self._suspect[0]) if self._suspect[1] >= since_s else since_s, now_s)

    def _decide(self, windows: list[tuple[WindowFormat, Window]], heard: Heard) -> None:
        """Score and decide windows that were completed together, in stream order."""
        for window_format, window in sorted(windows, key=lambda pair: pair[1].end_s):
            trusted = self._is_trusted(window.start_s, window.end_s)
            accepting = [model for model in self._models if model.accepts(window_format)]
            succeeded = [self._run(model, window, trusted=trusted, heard=heard) for model in accepting]
            if all(succeeded) and window_format == self._formats[0]:  # the first model's, which always runs
                self.coverage.add_window(window.start_s, window.end_s, trusted=trusted)

    def _is_trusted(self, start_s: float, end_s: float) -> bool:
        """Whether nothing between these seconds is suspected to come from a deaf microphone."""
        return end_s <= self._suspect[0] or start_s >= self._suspect[1]

    def _run(self, model: ModelPipeline, window: Window, *, trusted: bool, heard: Heard) -> bool:
        """Run one model; whether it succeeded, as does a model that need not run now."""
        if not self._should_run(model):
            self._tell(model.close("stopped", window.start_s), heard)
            if model.is_failing:
                model.try_again(window, heard)
            return True
        scores = model.score(window, heard)
        if scores is None:
            return False
        heard.scores.append(scores)
        if trusted:
            self._verdicts.add(scores, self.hop_s)
        for decision, event in model.decide(scores, trusted=trusted):
            heard.decisions.append(decision)
            if event is not None:
                self._tell([event], heard)
        return True

    def _tell(self, events: Iterable[Event], heard: Heard) -> None:
        """Add events of a model, each end with its verdict."""
        heard.events.extend(map(self._verdicts.told, events))

    def _should_run(self, model: ModelPipeline) -> bool:
        """Whether the label that this model follows, if any, is on in an earlier model."""
        wanted = model.listens_while
        before = self._models[: self._models.index(model)]
        return wanted is None or any(d.label == wanted and d.is_on for other in before for d in other.deciders)


class _Absence:
    """Turns a source's reports of missing sound into a fault that begins and ends."""

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
