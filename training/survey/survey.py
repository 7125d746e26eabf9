"""All that `describe` finds in a collection, as one value: gathered here, printed elsewhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from training.data.datasets.annotation_checks import UNUSABLE
from training.scaling.run_all import run_all
from training.splits.collection.shared_sound import shared_sounds
from training.survey.recording_facts import measure
from training.survey.suspicious_labels import PlacedStretch, suspicious_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.dataset import Dataset
    from training.splits.near_duplicates import NearDuplicate
    from training.survey.levels import Levels
    from training.survey.suspicious_labels import Suspicion


@dataclass(frozen=True, slots=True)
class LabelCount:
    """How much of a label there is: whole recordings called so, events, their seconds, whose they are."""

    recordings: int
    events: int
    seconds: float
    subjects: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What a collection holds.

    Attributes:
        name: of the collection.
        rates_hz: sample rate -> recordings.
        lengths_s: of each recording, by file.
        levels: of each recording that could be decoded, by file.
        labels: label -> how much of it.
        subjects: subject -> recordings; the empty one is unknown.
        subject_of: file -> subject.
        official_parts: the publishers' part -> recordings; the empty one is none.
        problems: file, line and sentence of each problem.
        judged: stretches whose label was judged.
        suspicious: labels to listen to again.
        near_duplicates: recordings that share a sound; None if nobody compared.
    """

    name: str
    rates_hz: Mapping[int, int]
    lengths_s: Mapping[str, float]
    levels: Mapping[str, Levels]
    labels: Mapping[str, LabelCount]
    subjects: Mapping[str, int]
    subject_of: Mapping[str, str]
    official_parts: Mapping[str, int]
    problems: tuple[tuple[str, int | None, str], ...]
    judged: int
    suspicious: tuple[Suspicion, ...]
    near_duplicates: tuple[NearDuplicate, ...] | None

    def as_json(self) -> dict[str, Any]:
        """The same as JSON types."""
        return asdict(self)


def survey(
    dataset: Dataset,
    subjects: Mapping[str, str],
    *,
    compare_sounds: bool = True,
    workers: int = 1,
    scheduler: str | None = None,
) -> Survey:
    """Listen to a whole collection.

    Args:
        dataset: the collection.
        subjects: file name in a split -> subject.
        compare_sounds: whether to search for near duplicates, of one subject too.
        workers: processes that measure; their number changes no result.
        scheduler: of a Dask cluster that measures instead.
    """
    names = [dataset.file_name(one) for one in dataset.recordings]
    facts = run_all(measure, dataset.recordings, workers=workers, scheduler=scheduler, progress="recordings")
    placed = [
        PlacedStretch(name, subjects[name], stretch)
        for name, fact in zip(names, facts, strict=True)
        for stretch in fact.stretches
    ]
    undecoded = [(name, None, fact.problem) for name, fact in zip(names, facts, strict=True) if fact.problem]
    told = [(str(one.file), one.line, one.sentence) for one in dataset.problems]
    return Survey(
        name=dataset.name,
        rates_hz=dict(sorted(Counter(one.sample_rate_hz for one in dataset.recordings).items())),
        lengths_s={name: one.duration_s for name, one in zip(names, dataset.recordings, strict=True)},
        levels={name: fact.levels for name, fact in zip(names, facts, strict=True) if fact.levels},
        labels=_labels(dataset.recordings, [subjects[name] for name in names]),
        subjects=dict(Counter(subjects.values()).most_common()),
        subject_of=dict(subjects),
        official_parts=dict(sorted(Counter(one.official_split for one in dataset.recordings).items())),
        problems=(*told, *undecoded),
        judged=len(placed),
        suspicious=suspicious_labels(placed),
        near_duplicates=shared_sounds(dataset, {name: name for name in names}) if compare_sounds else None,
    )


def _labels(recordings: tuple[AnnotatedRecording, ...], subjects: list[str]) -> dict[str, LabelCount]:
    """Label -> count, the most frequent first."""
    files, events = Counter[str](), Counter[str]()
    seconds, whose = Counter[str](), dict[str, set[str]]()
    for one, subject in zip(recordings, subjects, strict=True):
        files.update(label for label in set(one.labels) if label != UNUSABLE)
        for span in one.events:
            events[span.label] += 1
            seconds[span.label] += span.end_s - span.start_s  # type: ignore[assignment]
        for label in {*one.labels, *(span.label for span in one.events)}:
            whose.setdefault(label, set()).add(subject)
    return {
        label: LabelCount(files[label], events[label], float(seconds[label]), len(whose[label] - {""}))
        for label in sorted(whose, key=lambda label: (-max(files[label], events[label]), label))
    }
