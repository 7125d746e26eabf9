"""The sentence that describes the product: blocks of sound go in, what was heard comes out.

Each block is cut into slices of 100 ms, or of 50 where it is resampled; each slice is looked at for
deafness, filtered, and resampled to every rate a model wants; where a window is complete its frames are
computed (once for all models that share them), each model gives scores, each label's decider decides. Live
and replay share this one object, and because everything after the slices sees slices of one size, the size
of the blocks changes nothing. Where a source hears nothing it says so, and that is a fault, not a quiet night. What a
model is, a `Network` says; knows no file, thread or clock.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from device.config.settings import FilterSettings
from device.hearing.coverage import Coverage
from device.hearing.deafness.detector import DeafnessDetector
from device.hearing.filters import FilterChain
from device.hearing.listening_model import ModelPipeline, shared_caches
from device.hearing.segment import Segment, window_formats
from device.messages import AudioBlock, Fault, Heard, NoAudio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from device.hearing.listening_model import ListeningModel, Network
    from device.hearing.segment import WindowFormat
    from device.messages import FaultKind, Window

    Float32 = npt.NDArray[np.float32]

NO_AUDIO_FAULT_S = 2.0
"""A source that gives nothing for this long is a fault: what opens late is not, and 3 s are promised."""

NO_AUDIO_END_S = 3.0
"""What is open ends where a source gives nothing for longer."""


LONG_SUSPICION_S = 4.0
"""Every other sign of deafness is told within 3 s, or was none."""

_LASTED = "it lasted until the audio ended"


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
        self._frames = shared_caches(models)
        self._models = [ModelPipeline(model, stream_id, hop_s, self._frames) for model in models]
        self._rates = window_formats(models, hop_s)
        self._segment: Segment | None = None
        self._deafness: DeafnessDetector | None = None
        self._chain: FilterChain | None = None
        self._suspect: tuple[float, float] = (math.inf, -math.inf)
        self._segments = 0
        self._absence = _Absence()
        self._deaf: set[FaultKind] = set()
        self.coverage = Coverage(hop_s, self._models[0].window_samples / self._models[0].rate_hz)

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
        # What a server held back while it hung comes late, and is no earlier for that.
        heard.faults.extend(self._absence.end(max(self.coverage.now_s, block.start_sample / block.sample_rate_hz)))
        segment.next_sample = block.end_sample
        for piece in segment.slices.push(block.samples):
            self._hear(segment, piece, heard)
        return heard

    def change_hop(self, hop_s: float) -> None:
        """From here on, another hop: wider where the machine cannot keep up, and back.

        Raises:
            SpecError: a model cannot listen at this hop.
        """
        self._rates = window_formats([state.model for state in self._models], hop_s)
        self.hop_s = hop_s
        for state in self._models:
            for decider in state.deciders:
                decider.change_hop(hop_s)
        if self._segment is not None:
            for pipeline, rate in zip(self._segment.pipelines, self._rates, strict=True):
                pipeline.change_hop(rate)

    def replace_networks(self, networks: Mapping[str, Network]) -> None:
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
        heard.faults.extend(self._end_faults(self.coverage.now_s))
        for state in self._models:
            heard.events.extend(state.finish(reason, segment.now_s))
        return heard

    def _end_faults(self, at_s: float) -> Iterator[Fault]:
        """What is still a fault where the stream ends, ends with it."""
        if self._deafness is not None:
            yield from self._deafness.finish()
        lasting: list[tuple[FaultKind, str, float | None]] = [
            ("microphone", "", self._absence.since_s),
            ("coverage", "", self.coverage.fault_since_s),
            *(("classifier", state.model.name, state.failing_since_s) for state in self._models),
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
        self._segment = Segment(rate_hz, block.start_sample, self._rates, self._chain)
        self.coverage.advance_to(block.start_sample / rate_hz)
        return self._segment

    def _miss(self, nothing: NoAudio, heard: Heard) -> None:
        self.coverage.advance_to(nothing.since_s)
        self.coverage.advance_to(nothing.at_s)
        heard.faults.extend(self._absence.miss(nothing))
        ends_s = nothing.since_s + NO_AUDIO_END_S  # however often a source says that it hears nothing
        if nothing.at_s > ends_s:
            heard.events.extend(event for state in self._models for event in state.close("no_audio", ends_s))
        self._judge_coverage(heard)

    def _judge_coverage(self, heard: Heard) -> None:
        """Too little was heard, and no other fault says why."""
        explained = self._absence.is_fault or bool(self._deaf) or self._is_long_suspected or self.is_failing
        fault = self.coverage.judge(explained=explained)
        if fault is not None:
            heard.faults.append(fault)

    @property
    def _is_long_suspected(self) -> bool:
        """Whether a collapsed floor is being looked at, the one sign that takes longer; if it is one, it is told."""
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
        for state in self._models:
            heard.events.extend(state.cross_gap(reason, from_s))

    def _drain(self, segment: Segment, heard: Heard) -> None:
        """Hear what is left of a segment: less than a slice, and what the resamplers hold."""
        rest = segment.slices.finish()
        if len(rest):
            self._hear(segment, rest, heard)
        self._judge([window for pipeline in segment.pipelines for window in pipeline.drain()], heard)

    def _finish_tail(self, segment: Segment, heard: Heard) -> None:
        short_file = self._segments == 1
        tails = [
            (pipeline.rate, w) for pipeline in segment.pipelines for w in pipeline.cursor.finish(short_file=short_file)
        ]
        self._judge(tails, heard)

    # --- one slice

    def _hear(self, segment: Segment, samples: Float32, heard: Heard) -> None:
        """One slice: float32 (n,) at capture rate."""
        block = AudioBlock(samples, segment.rate_hz, segment.heard_sample, after_gap=segment.takes_gap())
        segment.heard_sample = block.end_sample
        self._look_for_deafness(block, segment.now_s, heard)
        filtered = segment.filters.push(samples)
        self._judge([window for pipeline in segment.pipelines for window in pipeline.push(filtered)], heard)
        self.coverage.advance_to(segment.now_s)
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

    def _judge(self, windows: list[tuple[WindowFormat, Window]], heard: Heard) -> None:
        """Windows that became whole together -> scores and decisions, in stream order."""
        for rate, window in sorted(windows, key=lambda pair: pair[1].end_s):
            trusted = window.end_s <= self._suspect[0] or window.start_s >= self._suspect[1]
            asked = [state for state in self._models if state.hears(rate.rate_hz, rate.window_samples)]
            answered = [self._ask(state, window, trusted=trusted, heard=heard) for state in asked]
            if all(answered) and rate == self._rates[0]:  # the first model's, which always listens
                self.coverage.score(window.start_s, window.end_s, trusted=trusted)

    def _ask(self, state: ModelPipeline, window: Window, *, trusted: bool, heard: Heard) -> bool:
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

    def _may_listen(self, state: ModelPipeline) -> bool:
        """Whether the label that this model follows is on in a model before it."""
        wanted = state.model.listens_while
        before = self._models[: self._models.index(state)]
        return wanted is None or any(d.label == wanted and d.is_on for other in before for d in other.deciders)


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
