"""Verdicts on events and records from the scores of windows, by one documented aggregation.

*Distribution.* A model whose labels exclude each other says how probable each is. Of one that tells wheeze and crackle
independently, the probabilities of normal, wheeze, crackle and both follow by multiplying. A model may tell both and,
beside them, each type of them (`BREATH_FINDINGS`): then the types answer task 1-2, and the two all others.

*Event.* Its probabilities are the mean of those of all windows that touch it, weighted by their overlap with it to a
power: with power 1 by what they hold of it, with 4 nearly by the window that holds most. It is abnormal if 1 -
P(normal) reaches a threshold; then the most probable abnormal class is the verdict.

*Record.* Evidence of something (abnormal, continuous, discontinuous sounds) is the mean over the share of the windows
in which it is highest: a crackle in one breath makes the record. It is of poor quality if the mean P(poor quality)
reaches a threshold; a model without that label is taken to be as uncertain as its mean entropy over its labels (of 1).
Else it is abnormal if the evidence of that reaches a threshold; then both continuous and discontinuous if the weaker
evidence is at least a ratio of the stronger one, else the stronger.

All four parameters are chosen on validation subjects by the task's own Score (`choose`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.data.tasks import SIBILANT
from training.evaluation.lung_measures import ADVENTITIOUS, NORMAL, POOR, LungTask, lung_scores

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import numpy.typing as npt

    from training.evaluation.breath.record_scores import RecordScores

    Float64 = npt.NDArray[np.float64]
    Indices = npt.NDArray[np.intp]

_NORMAL, _POOR = "normal", "poor_quality"
_GROUPS = ("wheeze", "crackle")
_CONTINUOUS = frozenset({"wheeze", "rhonchi", "stridor", "cas"})
_DISCONTINUOUS = frozenset({"crackle", "fine_crackle", "coarse_crackle", "das"})
_BOTH = frozenset({"both", "wheeze_crackle", "cas_das"})

NEVER = 2.0
"""A threshold that no probability reaches."""

_THRESHOLDS = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())
_POWERS, _SHARES, _RATIOS = (1.0, 4.0), (0.25, 0.5, 1.0), (0.2, 0.4, 0.6, 0.8)
_POOR_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, NEVER)


@dataclass(frozen=True, slots=True)
class Aggregation:
    """The parameters; see the module.

    Attributes:
        abnormal_from: probability of something abnormal from which an event or record is.
        power: of a window's overlap with an event.
        share: of a record's windows that are averaged, in (0, 1].
        poor_from: probability of poor quality from which a record is; `NEVER` for none.
        both_ratio: weaker over stronger evidence from which a record holds both.
    """

    abnormal_from: float = 0.5
    power: float = 1.0
    share: float = 0.5
    poor_from: float = NEVER
    both_ratio: float = 0.5

    @property
    def distance(self) -> float:
        """From the defaults: of parameters that serve equally, the nearest are taken."""
        usual = _USUAL
        return (
            abs(self.abnormal_from - usual.abnormal_from)
            + abs(self.power - usual.power) / 10
            + abs(self.share - usual.share)
            + abs(self.poor_from - usual.poor_from)
            + abs(self.both_ratio - usual.both_ratio)
        )


_USUAL = Aggregation()


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Truth and verdict of each event or record that belongs to a task, as places of the task's classes.

    Attributes:
        truth: (n,).
        verdicts: (n,).
        abnormal: the evidence that it is not normal (n,).
        subjects: whom each is of.
        hours: of sound in the events or records.
    """

    truth: Indices
    verdicts: Indices
    abnormal: Float64
    subjects: tuple[str, ...]
    hours: float


def can_tell(labels: Sequence[str], task: LungTask) -> bool:
    """Whether a model of these labels (as bundles name them) can tell a task's classes apart.

    Poor quality is always told, by its label or by uncertainty.
    """
    names = set(labels)
    if _tells_types(task):
        return {_identifier(one) for one in task.classes} <= {*_types(labels)}
    return bool(names & _CONTINUOUS) and bool(names & _DISCONTINUOUS)


def distribution(
    labels: Sequence[str], probabilities: npt.ArrayLike, *, by_type: bool = False
) -> tuple[tuple[str, ...], Float64]:
    """Labels that exclude each other and their probabilities: (n, labels) -> (n, classes), rows of sum 1.

    Args:
        labels: of the model.
        probabilities: its scores.
        by_type: of a model that tells wheeze, crackle and their types, the types are meant.
    """
    scores = np.asarray(probabilities, np.float64).reshape(-1, len(labels))
    if by_type and SIBILANT in labels:
        kept = [place for place, name in enumerate(labels) if name not in {*_GROUPS, _POOR}]
        return _types(labels), _shares(scores[:, kept])
    if _NORMAL in labels and SIBILANT not in labels:
        return tuple(labels), _shares(scores)
    groups = (_GROUPS[:1], _GROUPS[1:]) if SIBILANT in labels else (_CONTINUOUS, _DISCONTINUOUS)
    wheeze, crackle = (1 - np.prod(1 - _of(labels, scores, kinds), axis=1) for kinds in groups)
    columns = ((1 - wheeze) * (1 - crackle), wheeze * (1 - crackle), (1 - wheeze) * crackle, wheeze * crackle)
    return (_NORMAL, "wheeze", "crackle", "both"), np.stack(columns, axis=1)


def _tells_types(task: LungTask) -> bool:
    return "Rhonchi" in task.classes


def _types(labels: Sequence[str]) -> tuple[str, ...]:
    """Normal and the types among a model's labels, as the collection calls them."""
    if SIBILANT not in labels:
        return tuple(labels)
    kept = (name for name in labels if name not in {*_GROUPS, _POOR})
    return tuple("wheeze" if name == SIBILANT else name for name in kept)


def _shares(scores: Float64) -> Float64:
    shares: Float64 = scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-12)
    return shares


def judge(records: Sequence[RecordScores], labels: Sequence[str], task: LungTask, by: Aggregation) -> Judged:
    """The verdicts on all events, or records, that belong to a task."""
    return _decided(_gathered(records, labels, task, by), task, by)


def counts(judged: Judged, task: LungTask) -> npt.NDArray[np.int64]:
    """The confusion matrix: rows are truth."""
    size = len(task.classes)
    return np.bincount(judged.truth * size + judged.verdicts, minlength=size**2).reshape(size, size)


def choose(records: Sequence[RecordScores], labels: Sequence[str], task: LungTask) -> Aggregation | None:
    """The parameters with the highest Score on validation records; of equals those nearest to the defaults.

    None if a class that the Score needs does not occur there.
    """
    best: tuple[float, float, Aggregation] | None = None
    held: dict[tuple[float, float], _Gathered] = {}  # what windows say does not depend on thresholds
    for candidate in _candidates(task):
        key = candidate.power, candidate.share
        if key not in held:
            held[key] = _gathered(records, labels, task, candidate)
        score = lung_scores(counts(_decided(held[key], task, candidate), task)).score
        if score is None:
            return None
        rank = (round(score, 6), -candidate.distance, candidate)
        if best is None or rank[:2] > best[:2]:
            best = rank
    return best[2] if best else None


def _candidates(task: LungTask) -> Iterator[Aggregation]:
    if task.unit == "event":
        for on, power in itertools.product(_THRESHOLDS, _POWERS):
            yield Aggregation(abnormal_from=on, power=power)
        return
    ratios = _RATIOS if "CAS & DAS" in task.classes else (_USUAL.both_ratio,)
    for on, share, poor, ratio in itertools.product(_THRESHOLDS, _SHARES, _POOR_THRESHOLDS, ratios):
        yield Aggregation(abnormal_from=on, share=share, poor_from=poor, both_ratio=ratio)


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """What is known of each event or record before thresholds decide: its truth, and what the windows say.

    `found` is (events, classes) or, of records, (records, 4): see `evidence`.
    """

    truth: Indices
    found: Float64
    subjects: tuple[str, ...]
    hours: float


def _gathered(records: Sequence[RecordScores], labels: Sequence[str], task: LungTask, by: Aggregation) -> _Gathered:
    return (_gathered_events if task.unit == "event" else _gathered_records)(records, labels, task, by)


def _decided(gathered: _Gathered, task: LungTask, by: Aggregation) -> Judged:
    if task.unit == "event":
        abnormal = 1 - gathered.found[:, 0]
        verdicts = np.where(abnormal >= by.abnormal_from, 1 + gathered.found[:, 1:].argmax(axis=1), 0)
    else:
        abnormal, verdicts = gathered.found[:, 0], _record_verdicts(gathered.found, task, by)
    return Judged(gathered.truth, verdicts, abnormal, gathered.subjects, gathered.hours)


# --- events -------------------------------------------------------------------------------------


def _gathered_events(
    records: Sequence[RecordScores], labels: Sequence[str], task: LungTask, by: Aggregation
) -> _Gathered:
    truth, rows, subjects, seconds = [], [], [], 0.0
    for record in records:
        for index, event in enumerate(record.events):
            actual = task.class_of(event.label)
            if actual is not None:
                truth.append(task.classes.index(actual))
                rows.append(_event_probabilities(record, index, by.power))
                subjects.append(record.subject)
                seconds += event.end_s - event.start_s
    by_type = _tells_types(task)
    names, found = distribution(labels, rows, by_type=by_type) if rows else (tuple(labels), np.zeros((0, len(labels))))
    return _Gathered(np.array(truth, np.intp), _by_class(names, found, task), tuple(subjects), seconds / 3600)


def _event_probabilities(record: RecordScores, index: int, power: float) -> Float64:
    """Of one event: (labels,)."""
    if record.event_probabilities is not None:
        alone: Float64 = record.event_probabilities[index].astype(np.float64)
        return alone
    event = record.events[index]
    overlap_s = np.minimum(record.ends_s, event.end_s) - np.maximum(record.starts_s, event.start_s)
    if overlap_s.max() <= 0:  # an event of no length: the nearest window
        weights = (overlap_s == overlap_s.max()).astype(np.float64)
    else:
        weights = (np.maximum(overlap_s, 0.0) / overlap_s.max()) ** power
    averaged: Float64 = np.average(record.probabilities, axis=0, weights=weights).astype(np.float64)
    return averaged


def _by_class(names: Sequence[str], probabilities: Float64, task: LungTask) -> Float64:
    """(n, model's labels) -> (n, task's classes), of the labels that mean one of them, rows of sum 1."""
    summed = np.zeros((len(probabilities), len(task.classes)))
    for column, name in enumerate(names):
        found = _class_of_identifier(name, task)
        if found is not None:
            summed[:, task.classes.index(found)] += probabilities[:, column]
    return _shares(summed)


def _class_of_identifier(name: str, task: LungTask) -> str | None:
    """The class that a label of a model, as bundles name it, means."""
    if name == _NORMAL:
        return NORMAL
    if name == _POOR:
        return None
    if ADVENTITIOUS in task.classes:
        return ADVENTITIOUS
    exact = next((one for one in task.classes if _identifier(one) == name), None)
    kind = "Wheeze" if name in _CONTINUOUS else "Crackle" if name in _DISCONTINUOUS else "Both"
    return exact or (kind if kind in task.classes else None)


def _identifier(name: str) -> str:
    """A class as bundles name it: `Wheeze+Crackle` is `wheeze_crackle`."""
    return "_".join(word for word in "".join(c if c.isalnum() else " " for c in name.lower()).split())


# --- records ------------------------------------------------------------------------------------


def _gathered_records(
    records: Sequence[RecordScores], labels: Sequence[str], task: LungTask, by: Aggregation
) -> _Gathered:
    held = [
        (record, actual)
        for record in records
        if (actual := next(filter(None, map(task.class_of, record.record_labels)), None)) is not None
    ]
    return _Gathered(
        truth=np.array([task.classes.index(actual) for _, actual in held], np.intp),
        found=np.array([evidence(record, labels, by.share) for record, _ in held]).reshape(-1, 4),
        subjects=tuple(record.subject for record, _ in held),
        hours=sum(record.duration_s for record, _ in held) / 3600,
    )


def _record_verdicts(evidence: Float64, task: LungTask, by: Aggregation) -> Indices:
    """(records, 4) -> (records,): places of the task's classes."""
    abnormal, continuous, discontinuous, poor = evidence.T
    place = task.classes.index
    if ADVENTITIOUS in task.classes:
        kind = np.full(len(evidence), place(ADVENTITIOUS))
    else:
        weaker, stronger = np.minimum(continuous, discontinuous), np.maximum(continuous, discontinuous)
        kind = np.where(continuous >= discontinuous, place("CAS"), place("DAS"))
        kind = np.where(weaker >= by.both_ratio * np.maximum(stronger, 1e-12), place("CAS & DAS"), kind)
    verdicts = np.where(abnormal >= by.abnormal_from, kind, place(NORMAL))
    return np.where(poor >= by.poor_from, place(POOR), verdicts)


def evidence(record: RecordScores, labels: Sequence[str], share: float) -> tuple[float, float, float, float]:
    """Of abnormal, continuous and discontinuous sounds, and of poor quality, each 0 to 1; see the module.

    Args:
        record: scores of its windows.
        labels: of the model.
        share: of the windows that are averaged, in (0, 1].
    """
    names, found = distribution(labels, record.probabilities)
    both = _of(names, found, _BOTH).sum(axis=1)
    abnormal = 1 - _of(names, found, {_NORMAL, _POOR}).sum(axis=1)
    tracks = (
        abnormal,
        _of(names, found, _CONTINUOUS).sum(axis=1) + both,
        _of(names, found, _DISCONTINUOUS).sum(axis=1) + both,
    )
    top = max(1, round(share * len(found)))
    highest = (float(np.sort(track)[-top:].mean()) for track in tracks)
    if _POOR in labels:
        poor = float(_of(labels, record.probabilities.astype(np.float64), {_POOR}).mean())
    else:
        entropy = -(found * np.log(np.maximum(found, 1e-12))).sum(axis=1) / np.log(len(names))
        poor = float(entropy.mean())
    first, second, third = highest
    return first, second, third, poor


def _of(labels: Sequence[str], scores: Float64, kinds: Collection[str]) -> Float64:
    """The columns of some labels: (n, labels) -> (n, some)."""
    return scores[:, [index for index, name in enumerate(labels) if name in kinds]]
