"""The content of a page, and the recorder that collects it while a recording is replayed.

It fits in a few megabytes however long the recording is. The sound itself is read again at the end, and only as
much of it as the page embeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import AuricleError
from device.messages import DECIDED_ROLES
from device.report.attention_veil import AttentionCollector, AttentionVeil
from device.report.curves import CurveCollector, ScoreCurve
from device.report.sound import read_clips, stretches
from device.report.spans import FaultSpan, Span, fold, fold_faults
from device.report.spectrogram import Spectrogram, SpectrogramCollector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.messages import AudioBlock, Event, Fault, Heard, Priority, Role
    from device.report.sound import ClipReader, PageClip


@dataclass(frozen=True, slots=True)
class ListedLabel:
    """A label of a model: its name, role, priority, and its on and off thresholds."""

    name: str
    role: Role
    priority: Priority
    on: float
    off: float


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as a page lists it.

    Attributes:
        name: as in scores and events.
        version: its version.
        sample_rate_hz: its input rate.
        window_s: seconds of one window.
        terms: headline of its licence terms.
        sha256: of its bundle.
        labels: its labels.
    """

    name: str
    version: str
    sample_rate_hz: int
    window_s: float
    terms: str
    sha256: str
    labels: tuple[ListedLabel, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PageContent:
    """The content of the page of one recording.

    Attributes:
        source: path of the recording as given.
        duration_s: seconds that were listened to.
        sample_rate_hz: rate of the recording; 0 if nothing could be read.
        picture: its spectrogram; None if it is too short for one frame.
        labels: what was decided about, with the name of its model.
        curves: scores, in the order of the labels.
        events: by start.
        faults: by start.
        priorities: (model, label) -> priority.
        clips: the embedded sound, in time order.
        events_without_sound: number of events of a long recording whose sound was left out.
        models: those that scored the recording.
        notes: sentences about the recording that a reader must know, such as a file that ends early.
        veils: what models attended to during events, one for each model that says so and had some.
    """

    source: str
    duration_s: float
    sample_rate_hz: int
    picture: Spectrogram | None
    labels: Sequence[tuple[str, ListedLabel]]
    curves: Sequence[ScoreCurve]
    events: Sequence[Span]
    faults: Sequence[FaultSpan]
    priorities: dict[tuple[str, str], Priority]
    clips: Sequence[PageClip]
    events_without_sound: int
    models: Sequence[ListedModel]
    notes: Sequence[str]
    veils: Sequence[AttentionVeil] = ()

    def priority_of(self, span: Span) -> Priority:
        """The priority of a span's label; low if its model does not list the label."""
        return self.priorities.get((span.model, span.label), "low")


class PageRecorder:
    """Collects from a replay what its page will show.

    Args:
        source: path of the recording as given.
        models: those that score it; scores of labels that are not listed are left out.
        beside: what is decided about beside the models: the name in place of a model's, and the label.
    """

    def __init__(
        self, source: str, models: Sequence[ListedModel], beside: Sequence[tuple[str, ListedLabel]] = ()
    ) -> None:
        self._source = source
        self._models = tuple(models)
        self._labels = (*((model.name, label) for model in models for label in model.labels), *beside)
        self._curves = {(model, label.name): CurveCollector() for model, label in self._labels}
        self._picture: SpectrogramCollector | None = None
        self._attention: dict[str, AttentionCollector] = {}
        self._events: list[Event] = []
        self._faults: list[Fault] = []
        self._sample_rate_hz = 0
        self._end_sample = 0

    def __repr__(self) -> str:
        return f"PageRecorder({self._source!r}, {self.duration_s:.3f} s)"

    @property
    def duration_s(self) -> float:
        """Seconds of sound so far, gaps included."""
        return self._end_sample / self._sample_rate_hz if self._sample_rate_hz else 0.0

    def block(self, block: AudioBlock) -> None:
        """Add a block of the recording, in stream order."""
        if self._picture is None:
            self._sample_rate_hz = block.sample_rate_hz
            self._picture = SpectrogramCollector(block.sample_rate_hz)
        self._end_sample = block.end_sample
        self._picture.push(block)

    def heard(self, heard: Heard) -> None:
        """Add the results of one push, in stream order."""
        for scores in heard.scores:
            for label, probability in scores.probabilities.items():
                curve = self._curves.get((scores.model, label))
                if curve is not None:
                    curve.add(scores.start_s, scores.end_s, probability)
        for attended in heard.attention:
            if attended.model not in self._attention:
                self._attention[attended.model] = AttentionCollector(attended)
            self._attention[attended.model].push(attended)
        self._events.extend(heard.events)
        self._faults.extend(heard.faults)

    def finish(self, clip_reader: ClipReader | None = None, *, notes: Sequence[str] = ()) -> PageContent:
        """Return the page's content.

        Args:
            clip_reader: reads a stretch of the recording again; None leaves the sound out. If it
                raises AuricleError or OSError, the page notes that and has no sound.
            notes: sentences to print at the top of the page.

        Raises:
            MissingExtraError: pillow or soundfile is not installed.
        """
        events = fold(self._events, self.duration_s)
        wanted, without_sound = stretches(events, self.duration_s) if clip_reader else ([], 0)
        clips, problems = _clips(wanted, clip_reader)
        picture = self._picture.finish() if self._picture else None
        veils = [] if picture is None else [each.finish(picture, events) for each in self._attention.values()]
        return PageContent(
            source=self._source,
            duration_s=self.duration_s,
            sample_rate_hz=self._sample_rate_hz,
            picture=picture,
            labels=self._labels,
            curves=tuple(self._score_curve(model, label) for model, label in self._labels),
            events=events,
            faults=fold_faults(self._faults, self.duration_s),
            priorities={(model, label.name): label.priority for model, label in self._labels},
            clips=clips,
            events_without_sound=without_sound,
            models=self._models,
            notes=(*notes, *problems),
            veils=tuple(veil for veil in veils if veil is not None),
        )

    def _score_curve(self, model: str, label: ListedLabel) -> ScoreCurve:
        points = self._curves[model, label.name].points()
        return ScoreCurve(model, label.name, label.on, label.off, label.role in DECIDED_ROLES, *points)


def _clips(wanted: Sequence[tuple[float, float]], reader: ClipReader | None) -> tuple[list[PageClip], list[str]]:
    if reader is None:
        return [], []
    try:
        return read_clips(wanted, reader), []
    except ImportError:
        raise
    except (AuricleError, OSError) as error:
        return [], [f"The sound could not be read again for this page: {error}"]
