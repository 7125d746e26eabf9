"""What an evaluation of breath sounds found: the figures of every task that can be measured, and why others cannot."""

from __future__ import annotations

import functools
import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import RecordingError
from training.data.datasets.layouts import read_dataset
from training.data.split_list import LUNG_LIST
from training.evaluation.breath.breath_events import chosen_event_points, event_figures
from training.evaluation.breath.patient_figures import MEASURE as PATIENT_AUC
from training.evaluation.breath.patient_figures import patient_figures
from training.evaluation.breath.record_scores import JudgedRecording, RecordScores, score_recording
from training.evaluation.breath.verdicts import Aggregation, can_tell, choose, counts, judge
from training.evaluation.detectors import is_streamable
from training.evaluation.lung_measures import ICBHI_TASKS, SPRSOUND_TASKS, LungTask, lung_scores
from training.evaluation.measured import Figure, Measured, NotMeasured
from training.evaluation.model_file import open_network, read_model
from training.scaling.run_all import run_all
from training.splits.subject_split import Assignment, check_subjects, load_assignments
from training.statistics import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle
    from training.data.datasets.dataset import Dataset
    from training.evaluation.breath.verdicts import Judged

ICBHI_RECORDINGS = 920
"""Of the whole database."""

_MEASURES = ("Score", "SE", "SP", "AS", "HS")


@dataclass(frozen=True, slots=True)
class BreathSettings:
    """What is evaluated, on what.

    Attributes:
        model: a bundle, a run folder or a `.keras` file.
        data: a collection, or the folder that holds those that the list names.
        part: "val" or "test"; a publishers' part with `official_split`.
        split: who is in which part; not read with `official_split`.
        official_split: the parts are the publishers'.
        task: what the model was trained for.
        seed: of the bootstraps.
        most_false_an_hour: false events an hour that operating points may raise, if they are to be chosen.
    """

    model: Path
    data: Path
    part: str
    split: Path
    official_split: bool
    task: str
    seed: int
    most_false_an_hour: float | None = None


@dataclass(frozen=True, slots=True)
class BreathReport:
    """What an evaluation of breath sounds found.

    Attributes:
        measured: all figures.
        headline: the scores in a sentence.
        chosen: operating points that serve the model best on these recordings, as JSON types; empty if none were asked
            for.
    """

    measured: Measured
    headline: str
    chosen: dict[str, Any]


def evaluate_breath(settings: BreathSettings, *, workers: int = 1, scheduler: str | None = None) -> BreathReport:
    """All figures, a headline, and operating points if they are to be chosen.

    The aggregation is chosen on the part "val" of the same split; with the publishers' parts it keeps its defaults.

    Raises:
        AuricleError: the model is not valid, the split divides a patient, or a recording cannot be read.
    """
    model = read_model(settings.model)
    dataset = read_dataset(settings.data)
    parts = _parts(settings, dataset)
    wanted = [*parts.get(settings.part, ()), *(parts.get("val", ()) if settings.part != "val" else ())]
    if not parts.get(settings.part):
        raise RecordingError(
            f"{settings.part} holds no recordings; the parts are {', '.join(sorted(parts)) or 'none'}."
        )
    scored = run_all(
        functools.partial(_score, settings.model), wanted, workers=workers, scheduler=scheduler, progress="recordings"
    )
    judged = scored[: len(parts[settings.part])]
    choosing = judged if settings.part == "val" else scored[len(judged) :]
    measured = _measured(settings, model, dataset, judged, choosing)
    most = settings.most_false_an_hour
    chosen = {} if most is None else chosen_event_points(judged, model, most_false_an_hour=most)
    return BreathReport(measured, _headline(measured), chosen)


@functools.cache
def _opened(path: Path) -> tuple[Bundle, Any]:
    model = read_model(path)
    return model, open_network(path, model)


def _score(path: Path, judged: JudgedRecording) -> RecordScores:
    model, network = _opened(path)
    return score_recording(model, network, judged)


def _parts(settings: BreathSettings, dataset: Dataset) -> dict[str, list[JudgedRecording]]:
    """Part -> its recordings, in the order of the collection."""
    known = {dataset.file_name(one): one for one in dataset.recordings}
    if settings.official_split:
        assigned = [(name, one.subject, one.official_split) for name, one in known.items() if one.official_split]
    else:
        lines = _assignments(settings.split)
        check_subjects(lines)
        assigned = [(one.file, one.subject, one.part) for one in lines if one.file in known]
    parts: dict[str, list[JudgedRecording]] = {}
    for name, subject, part in assigned:
        parts.setdefault(part, []).append(JudgedRecording(known[name], name, subject))
    return parts


def _assignments(path: Path) -> list[Assignment]:
    return [one for one in load_assignments(path) if one.part in {"val", "test"}]


def _measured(
    settings: BreathSettings,
    model: Bundle,
    dataset: Dataset,
    judged: Sequence[RecordScores],
    choosing: Sequence[RecordScores],
) -> Measured:
    labels = model.label_names
    figures: list[Figure] = []
    missing: list[NotMeasured] = []
    notes: list[str] = []
    for task in (*SPRSOUND_TASKS, *ICBHI_TASKS):
        held = _of_task(judged, task)
        reason = (
            "" if can_tell(labels, task) else f"{model.name} tells {', '.join(labels)}, not the classes of the task"
        )
        if reason or not held:
            missing.append(
                NotMeasured(task.name, reason or "no recording of this part belongs to it", _elsewhere(task, settings))
            )
            continue
        aggregation, told = _aggregation(_of_task(choosing, task), labels, task, settings)
        notes.append(f"{task.name}: {told}")
        of = _named(task, held)
        figures += _figures(judge(held, labels, task, aggregation), task, of, settings.seed)
        if of != task.name:
            missing.append(NotMeasured(task.name, f"only {of.partition(', ')[2]} are here", _elsewhere(task, settings)))
    if can_tell(labels, ICBHI_TASKS[0]):
        figures += patient_figures(judged, labels, seed=settings.seed)
    streamable = is_streamable(model)
    if streamable:
        figures += event_figures(judged, model, seed=settings.seed)
    else:
        notes.append("This form cannot be streamed: each event was scored by itself, as a batch, on no device.")
    if settings.part == "val" and not settings.official_split:
        notes.append("The same patients chose the aggregation: these figures are too good.")
    if dataset.problems:
        notes.append(
            f"{len(dataset.problems)} annotations or recordings cannot be used; the first: {dataset.problems[0]}"
        )
    return Measured(
        task=settings.task,
        model=model.name,
        model_sha256=model.sha256,
        part=settings.part,
        split="official" if settings.official_split else settings.split.name,
        official_split=settings.official_split,
        heard="listener" if streamable else "batch",
        chosen_on="" if settings.official_split else "val",
        seed=settings.seed,
        command=command(settings),
        figures=tuple(figures),
        not_measured=tuple(missing),
        notes=tuple(notes),
    )


def _of_task(records: Iterable[RecordScores], task: LungTask) -> list[RecordScores]:
    """The recordings of the collection that a task is of."""
    prefix = "sprsound" if task in SPRSOUND_TASKS else "icbhi"
    return [one for one in records if one.set.startswith(prefix)]


def _named(task: LungTask, held: Sequence[RecordScores]) -> str:
    """The task, and for ICBHI how much of it is here."""
    if task in SPRSOUND_TASKS or len(held) >= ICBHI_RECORDINGS // 3:
        return task.name
    return f"{task.name}, {len(held)} of {ICBHI_RECORDINGS} recordings"


def _aggregation(
    choosing: Sequence[RecordScores], labels: Sequence[str], task: LungTask, settings: BreathSettings
) -> tuple[Aggregation, str]:
    """The parameters for a task, and a sentence that says where they are from."""
    chosen = None if settings.official_split else choose(choosing, labels, task)
    if chosen is None:
        return Aggregation(), f"default aggregation {_told(Aggregation())}: no validation subjects could choose it"
    return chosen, f"aggregation {_told(chosen)}, chosen on {len({one.subject for one in choosing})} subjects of val"


def _told(by: Aggregation) -> str:
    return (
        f"abnormal from {by.abnormal_from:g}, power {by.power:g}, share {by.share:g}, poor from {by.poor_from:g}, "
        f"both from {by.both_ratio:g}"
    )


def _figures(judged: Judged, task: LungTask, of: str, seed: int) -> Iterator[Figure]:
    """Each measure with its interval: patients are drawn anew."""
    size = len(task.classes)
    cells = judged.truth * size + judged.verdicts
    by_subject = {
        subject: np.bincount(cells[[one == subject for one in judged.subjects]], minlength=size**2)[None]
        for subject in dict.fromkeys(judged.subjects)
    }
    found = lung_scores(counts(judged, task)).named()
    for measure in _MEASURES:
        value = found[measure]
        low = high = None
        if value is not None:
            interval = bootstrap_interval(
                by_subject, functools.partial(_measure, name=measure, size=size), np.random.default_rng(seed)
            )
            low, high = round(interval.low, 5), round(interval.high, 5)
        yield Figure(
            system="model",
            measure=measure,
            of=of,
            value=None if value is None else round(value, 5),
            low=low,
            high=high,
            unit="share",
            interval="none" if value is None else "bootstrap over subjects",
            subjects=len(by_subject),
            items=len(judged.truth),
            hours=round(judged.hours, 5),
        )


def _measure(rows: Any, *, name: str, size: int) -> float:
    """A measure of summed confusion matrices (subjects, classes * classes); NaN where it is not defined."""
    value = lung_scores(rows.sum(axis=0).reshape(size, size)).named()[name]
    return float("nan") if value is None else value


def _headline(measured: Measured) -> str:
    scores = [one for one in measured.figures if one.measure == "Score" and one.value is not None]
    told = "; ".join(f"{one.of}: Score {one.value:.3f} ({one.low:.3f} to {one.high:.3f})" for one in scores)
    told = "; ".join(filter(None, [told, *_told_patients(measured), *_told_events(measured)]))
    missing = Counter(one.of for one in measured.not_measured)
    official = ", the publishers' parts" if measured.official_split else ""
    return (
        f"{measured.model} on {measured.part}{official}, 95 % intervals in brackets: {told or 'nothing measured'}."
        f" Not measurable here: {', '.join(missing) or 'nothing'}."
    )


def _told_patients(measured: Measured) -> Iterator[str]:
    for one in measured.figures:
        if one.measure == PATIENT_AUC:
            yield f"{one.subjects} patients of {one.of}: ROC AUC {one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


def _told_events(measured: Measured) -> Iterator[str]:
    """What the device's own events are worth, label by label."""
    for recall in (one for one in measured.figures if one.measure == "event recall"):
        label = recall.of.rpartition(" ")[2]
        false = measured.find("false alarms an hour", f"recordings without {label}")
        if recall.value is not None and false and false.value is not None:
            yield (
                f"{label} heard in {recall.value:.0%} ({recall.low:.0%} to {recall.high:.0%}) of recordings with it, "
                f"{false.value:.1f} ({false.low:.1f} to {false.high:.1f}) false ones an hour"
            )


def command(settings: BreathSettings) -> str:
    """The command line that reproduces the figures."""
    words = ["--model", str(settings.model), "--data", str(settings.data), "--split", settings.part]
    words += ["--official-split"] if settings.official_split else []
    words += ["--split-list", str(settings.split)] if settings.split != LUNG_LIST else []
    return shlex.join(["python", "-m", "training", "evaluate", *words, "--json", "report.json"])


def _elsewhere(task: LungTask, settings: BreathSettings) -> str:
    """The command that would measure a task where its official audio lies."""
    folder, part = ("SPRSound", "test_inter") if task in SPRSOUND_TASKS else ("ICBHI_final_database", "test")
    words = ["--model", str(settings.model), "--data", folder, "--split", part, "--official-split"]
    return shlex.join(["python", "-m", "training", "evaluate", *words, "--json", "report.json"])
