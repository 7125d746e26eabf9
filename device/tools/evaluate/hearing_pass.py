"""Hears a recording once, and decides about its scores at every sensitivity.

The sound goes through the listener that the daemon has. Its scores are kept, and deciders of other operating points
repeat the decisions, with the same ends where the microphone went deaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.calibration.decision_sweep import SENSITIVITIES, KeptDecisions, LabelKey, repeat_decisions
from device.errors import RecordingError
from device.hearing.decision import Decider
from device.report.spans import FaultSpan, Span, fold, fold_faults
from device.sources.recording import Recording

if TYPE_CHECKING:
    from device.config.settings import Settings
    from device.messages import Decision, Event, Fault
    from device.runtime.model_loader import ConfiguredPoint, OpenModels

_BLOCK_S = 0.05
"""At most one slice of the listener, so that it is known which windows a fault came before."""


@dataclass(frozen=True, slots=True)
class HeardRecording:
    """What was heard in one recording.

    Attributes:
        source: path as given.
        duration_s: seconds that were heard.
        spans: (model, label) -> what was found as configured, with estimated times.
        swept: (model, label) -> sensitivity -> what would have been found; not of a model that follows another one.
        faults: what kept Auricle from hearing.
        notes: what is odd in the file although its sound is whole.
        error: why it could not be heard to its end; None if it was.
    """

    source: str
    duration_s: float
    spans: dict[LabelKey, tuple[Span, ...]]
    swept: dict[LabelKey, dict[int, tuple[Span, ...]]]
    faults: tuple[FaultSpan, ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None


def hear_recording(
    settings: Settings, models: OpenModels, source: str, stream_id: str, channel: int | None
) -> HeardRecording:
    """Hear one recording.

    Args:
        settings: of the listener.
        models: that listen.
        source: the recording's path.
        stream_id: of the listener.
        channel: to listen to, from 0; None for the mix.
    """
    kept, duration_s, error = KeptDecisions(), 0.0, None
    notes: tuple[str, ...] = ()
    listener = models.listener(settings, stream_id)
    try:
        with Recording(source, channel=channel) as recording:
            block_samples = max(1, round(recording.sample_rate_hz * _BLOCK_S))
        with Recording(source, channel=channel, block_samples=block_samples) as recording:
            for block in recording.blocks():
                kept.add(listener.push(block))
                duration_s = block.end_sample / block.sample_rate_hz
            notes = recording.notes
    except RecordingError as broken:
        error = str(broken)
    kept.add(listener.finish("end_of_file"))
    followers = {model.name for model in models.listening if model.listens_while is not None}
    return HeardRecording(
        source,
        duration_s,
        spans={key: _of(key, kept.events, duration_s) for key in models.configured},
        swept={
            key: _sweep(key, point, kept.steps, settings.listen.hop_s, duration_s)
            for key, point in models.configured.items()
            if key[0] not in followers
        },
        faults=tuple(fold_faults(kept.faults, duration_s)),
        notes=notes,
        error=error,
    )


def _of(key: LabelKey, events: list[Event], duration_s: float) -> tuple[Span, ...]:
    return tuple(fold([event for event in events if (event.model, event.label) == key], duration_s))


def _sweep(
    key: LabelKey, point: ConfiguredPoint, steps: list[Decision | Fault], hop_s: float, duration_s: float
) -> dict[int, tuple[Span, ...]]:
    """Sensitivity -> what would have been found."""
    deciders = {
        sensitivity: Decider(
            event_prefix=f"at{sensitivity}", model=key[0], label=key[1], point=point.at(sensitivity), hop_s=hop_s
        )
        for sensitivity in SENSITIVITIES
    }
    return {
        sensitivity: tuple(fold(repeat_decisions(decider, steps, duration_s), duration_s))
        for sensitivity, decider in deciders.items()
    }
