"""The page of results: published claims beside what runs reached. The same inputs always give the same text.

Every figure on it comes from run folders, evaluation files or the leak experiment; what was published stands in
`claims`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from training.evaluation.abstention import JudgedPart, cross_validated_figures
from training.networks.catalog import all_forms
from training.results.claims import CLAIMS, REFERENCES, SMALL_TEST_CLIPS, SMALL_TEST_HITS
from training.results.converted_runs import int8_cell
from training.results.leak_section import leak_section
from training.results.markdown_tables import hours, million, parameters, signed_with_interval, table, with_interval
from training.results.run_measures import difference, measures_of
from training.statistics import wilson
from training.train.judging.label_figures import CRITERIA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from training.evaluation.measured import Figure, Measured
    from training.results.claims import Claim
    from training.results.converted_runs import ConvertedRun
    from training.results.run_folder import TrainedRun
    from training.results.run_groups import RunGroup
    from training.results.run_measures import RunMeasure

_AVERAGES = ("micro", "macro", "weighted", "samples")
_WANTED_WHEN_ANSWERING = 0.6
_ABSTENTION_SEED = 2026


@dataclass(frozen=True, slots=True, eq=False)
class ReportInputs:
    """What a page is made of.

    Attributes:
        groups: runs by system and task.
        evaluations: path and figures of each `evaluate --json`.
        leak: what `python -m training leak` found; None if it has not run.
        picture: path of its picture, as the page links it.
        command: that made the page.
        left_out: sentences on runs that are not on it.
        converted: runs in INT8, by their names.
    """

    groups: Sequence[RunGroup]
    evaluations: Sequence[tuple[str, Measured]]
    leak: Mapping[str, Any] | None
    picture: str
    command: str
    left_out: Sequence[str]
    converted: Mapping[str, ConvertedRun] = field(default_factory=dict)


def results_page(inputs: ReportInputs) -> str:
    """The page as Markdown."""
    measured = [(group, measures_of(group)) for group in inputs.groups]
    lines = [*_head(inputs), "", "## All systems", "", *_overview(measured, inputs.converted), *_left_out(inputs)]
    for claim in CLAIMS:
        lines += ["", f"## {claim.system}", "", *_claim(claim), *_of_system(claim.system, measured)]
    for system, what in REFERENCES.items():
        lines += ["", f"## {system}", "", f"A reference: {what}.", *_of_system(system, measured)]
    lines += ["", "## The leak", "", *leak_section(inputs.leak, inputs.picture)]
    lines += ["", "## Through the device's listener", "", *_evaluations(inputs.evaluations)]
    lines += ["", "## Not measurable here", "", *_elsewhere(inputs), ""]
    lines += ["## The runs", "", *_runs(inputs.groups)]
    return "\n".join(lines) + "\n"


def _head(inputs: ReportInputs) -> list[str]:
    return [
        "# Five published systems on one bench",
        "",
        f"Made by `{inputs.command}` from run folders. Change the runs, not this page.",
        "",
        "The protocol, the same for all:",
        "",
        "- Splits are by subject, before anything is augmented; only the training part is augmented and balanced.",
        "- Validation subjects choose checkpoint, temperature and thresholds. Test subjects choose nothing.",
        "- A figure is the mean over a system's seeds. Its 95 % interval is from a bootstrap over the test subjects.",
        "  It says how far other subjects may differ; other collections, microphones and rooms may differ more.",
        "- INT8 is the same measure of the converted networks on the same test windows. Refused are those that the",
        "  converter's gate does not let pass; `converter/REPORT.md` says why.",
        "- MACs are multiplications for one window. Core-hours are processor time of training, all seeds together.",
        "- A run ends `finished`, by `early stopping`, or by its `budget`: the last could have gone further.",
    ]


def _overview(
    measured: Sequence[tuple[RunGroup, Sequence[RunMeasure]]], converted: Mapping[str, ConvertedRun]
) -> list[str]:
    columns = ("system", "task", "published", "here", "INT8", "seeds", "parameters", "MACs", "core-hours", "ended")
    published = {claim.system: claim.published for claim in CLAIMS}
    rows = []
    for name in _systems_in_order(group.first for group, _ in measured):
        for group, figures in measured:
            if group.first.system == name:
                claimed = published.get(name.partition("/")[0], "-")
                rows.append(_overview_row(group, figures[0], claimed, int8_cell(group, converted)))
    missing = [
        claim.system
        for claim in CLAIMS
        if not any(group.first.record["system"] == claim.system for group, _ in measured)
    ]
    rows += [(name, "-", published[name], f"not trained yet: `{_train_command(name)}`", *["-"] * 6) for name in missing]
    return table(columns, rows)


def _overview_row(group: RunGroup, measure: RunMeasure, published: str, int8: str) -> tuple[str, ...]:
    one = group.first
    official = " (official split, subjects shared)" if one.official else ""
    folds = f", {group.folds} folds" if group.folds > 1 else ""
    return (
        f"`{one.system}`",
        one.task + official,
        published if one.record["form"].startswith("published") else "-",
        f"{measure.name} {with_interval(measure.value, measure.low, measure.high)}",
        int8,
        f"{len(group.seeds)}{folds}",
        parameters(one.record["parameters"]),
        million(one.record["macs"]),
        hours(sum(run.core_hours for run in group.runs)),
        _ended(group.runs),
    )


def _ended(runs: Sequence[TrainedRun]) -> str:
    """`early stopping`, or `2 early stopping, 1 budget`."""
    words = [str(run.record["ended"]) for run in runs]
    counts = {word: words.count(word) for word in sorted(set(words))}
    return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{count} {word}" for word, count in counts.items())


def _systems_in_order(runs: Iterable[TrainedRun]) -> list[str]:
    """Names of systems and forms, as the catalogue orders them, others last."""
    known = list(all_forms())
    return sorted(
        {run.system for run in runs}, key=lambda name: (known.index(name) if name in known else len(known), name)
    )


def _train_command(system: str) -> str:
    return f"python -m training train --system {system} --data ../shared/data --out runs/{system}-1 --seed 1"


def _left_out(inputs: ReportInputs) -> list[str]:
    return ["", *(f"Left out: {sentence}." for sentence in inputs.left_out)] if inputs.left_out else []


def _claim(claim: Claim) -> list[str]:
    interval = wilson(SMALL_TEST_HITS, SMALL_TEST_CLIPS)
    small = (
        f"{SMALL_TEST_HITS} of {SMALL_TEST_CLIPS} clips have a 95 % interval of {100 * interval.low:.0f} to "
        f"{100 * interval.high:.0f} % (Wilson)."
    )
    return [
        f"{claim.what[0].upper()}{claim.what[1:]}.",
        "",
        f"- Published: {'' if claim.published == '-' else f'{claim.published}, '}{claim.terms} ({claim.source}).",
        f"- Why: {claim.why.format(small_test=small)}",
    ]


def _of_system(system: str, measured: Sequence[tuple[RunGroup, Sequence[RunMeasure]]]) -> list[str]:
    found = [(group, figures) for group, figures in measured if group.first.record["system"] == system]
    if not found:
        return ["", f"Not trained yet: `{_train_command(system)}`."]
    order = _systems_in_order(group.first for group, _ in found)
    found.sort(key=lambda pair: order.index(pair[0].first.system))
    lines = [line for group, figures in found for line in ("", *_group(group, figures))]
    return [*lines, *_differences([group for group, _ in found])]


def _group(group: RunGroup, figures: Sequence[RunMeasure]) -> list[str]:
    one = group.first
    subjects = len(group.rows_by_subject())
    windows = sum(len(run.test.target) for run in next(iter(group.seeds.values())))
    start = one.record.get("start", "")
    begins = f", from {start}" if start and start != "random weights" else ""
    lines = [f"`{one.system}` for {one.task}{begins}: {windows} test windows of {subjects} subjects."]
    if any(figure.name.startswith("samples") for figure in figures):
        return [*lines, "", *_averages(figures), "", *_criteria(figures)]
    rows = [(figure.name, with_interval(figure.value, figure.low, figure.high)) for figure in figures]
    lines += ["", *table(("measure", "mean of seeds (95 % interval)"), rows)]
    return [*lines, *_abstention(group)]


def _averages(figures: Sequence[RunMeasure]) -> list[str]:
    """Precision, recall and F1 of several labels by each kind of average."""
    by_name = {figure.name: figure for figure in figures}
    rows = []
    for kind in _AVERAGES:
        cells = [by_name[f"{kind} {name}"] for name in ("precision", "recall", "F1")]
        rows.append((kind, *(with_interval(cell.value, cell.low, cell.high) for cell in cells)))
    return table(("average", "precision", "recall", "F1"), rows)


def _criteria(figures: Sequence[RunMeasure]) -> list[str]:
    by_name = {figure.name: figure.value for figure in figures}
    words = []
    for name, least in CRITERIA.items():
        value = by_name[f"macro {'F1' if name == 'f1' else name}"]
        words.append(
            f"{'F1' if name == 'f1' else name} of {least:.2f}: {'yes' if value >= least else 'no'} ({value:.3f})"
        )
    return [f"The published criteria, on macro averages: {'; '.join(words)}."]


def _abstention(group: RunGroup) -> list[str]:
    """Exclusive labels without a normal one: the majority class beside the model, and what abstaining buys."""
    one = group.first
    if one.record["activation"] != "softmax" or any(label.casefold() == "normal" for label in one.labels):
        return []
    rows = []
    for seed, runs in group.seeds.items():
        folds = [(_judged(run, "val"), _judged(run, "test")) for run in runs]
        rng = np.random.default_rng(_ABSTENTION_SEED)
        found = cross_validated_figures("model", folds, wanted=_WANTED_WHEN_ANSWERING, rng=rng)
        cells = [with_interval(figure.value, figure.low, figure.high) for figure in found]
        rows.append((str(seed), cells[0], cells[2], cells[3], cells[4], cells[5]))
    columns = (
        "seed",
        "balanced accuracy",
        "majority class",
        "its accuracy",
        "answered, if it may abstain",
        "balanced accuracy of answers",
    )
    sentence = (
        "It may abstain below the confidence from which validation reaches a balanced accuracy of "
        f"{_WANTED_WHEN_ANSWERING}; where none does, it never answers."
    )
    return ["", *table(columns, rows), "", sentence]


def _judged(run: TrainedRun, part: str) -> JudgedPart:
    found = getattr(run, part)
    return JudgedPart(found.subject, found.target, found.probability)


def _differences(groups: Sequence[RunGroup]) -> list[str]:
    """Each form less the first one of its task, where the same windows judged both."""
    lines = []
    for index, other in enumerate(groups):
        for first in groups[:index]:
            found = difference(other, first)
            if found is not None:
                words = signed_with_interval(found.value, found.low, found.high)
                lines.append(f"- `{other.first.system}` less `{first.first.system}`: {found.name} {words}")
                break
    return ["", "Paired differences, on the same test subjects:", "", *lines] if lines else []


def _evaluations(evaluations: Sequence[tuple[str, Measured]]) -> list[str]:
    if not evaluations:
        command = "python -m training evaluate --model RUN/model.keras --data DIR --json RUN/evaluation.json"
        return [f"No evaluation is among the runs: `{command}`."]
    lines: list[str] = []
    for path, one in evaluations:
        split = f"{one.split}, the publishers' parts, which may share subjects" if one.official_split else one.split
        lines += [f"`{one.model}` for {one.task}, part {one.part} of {split} ({path}):", ""]
        rows = [_figure_row(figure) for figure in one.figures]
        lines += [*table(("system", "of", "measure", "figure", "subjects", "items", "hours"), rows), ""]
        lines += [*(f"- {note}" for note in one.notes), *([""] if one.notes else [])]
    return lines[:-1]


def _figure_row(figure: Figure) -> tuple[str, ...]:
    words = f"{with_interval(figure.value, figure.low, figure.high)} {_unit(figure.unit)}".strip()
    hours_of_sound = f"{figure.hours:.1f}" if figure.hours else "-"
    counts = (str(figure.subjects), str(figure.items), hours_of_sound)
    return (figure.system, figure.of, figure.measure, words, *counts)


def _unit(unit: str) -> str:
    return "" if unit in {"share", "count"} else unit


def _elsewhere(inputs: ReportInputs) -> list[str]:
    rows = [
        (missing.of, missing.reason, "<br>".join(f"`{command}`" for command in missing.commands))
        for claim in CLAIMS
        for missing in claim.elsewhere
    ]
    seen = {row[0] for row in rows}
    for _, one in inputs.evaluations:
        for left in one.not_measured:
            if left.of not in seen:
                seen.add(left.of)
                rows.append((left.of, left.reason, f"`{left.command}`"))
    return table(("what", "why not", "what measures it where it can be"), rows)


def _runs(groups: Sequence[RunGroup]) -> list[str]:
    rows = [
        (
            run.name,
            str(run.seed),
            str(run.record["epochs"]),
            str(run.record["ended"]),
            hours(run.core_hours),
            str(run.record.get("commit", ""))[:10] or "-",
            f"`{run.record.get('command', '-')}`",
        )
        for group in groups
        for run in group.runs
    ]
    return table(("run", "seed", "epochs", "ended", "core-hours", "commit", "command"), rows)
