"""Whether a model says anything at all: balanced accuracy against the majority class, and what abstaining buys.

For exclusive labels that hardly can be told, such as the reason of a cry, where 81 of 100 recordings have one label and
saying that label always is right 81 times. Works on predictions of any model: arrays of targets and probabilities with
subjects. The threshold below which a model abstains is chosen on validation subjects. Knows no file and no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.measured import Figure
from training.statistics import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    Floats = npt.NDArray[np.floating]
    Ints = npt.NDArray[np.intp]

LEAST_ANSWERED = 0.1
"""A model that answers less often than this has no threshold: it always abstains."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedPart:
    """What a model gave for one part.

    Attributes:
        subject: whom each item belongs to (n,).
        target: one-hot (n, labels).
        probability: rows sum to 1 (n, labels).
    """

    subject: npt.NDArray[np.str_]
    target: Floats
    probability: Floats

    @property
    def truth(self) -> Ints:
        """Index of the right label (n,)."""
        return np.asarray(self.target.argmax(axis=1), np.intp)

    @property
    def answer(self) -> Ints:
        """Index of the most probable label (n,)."""
        return np.asarray(self.probability.argmax(axis=1), np.intp)

    @property
    def confidence(self) -> Floats:
        """Probability of the answer (n,)."""
        return np.asarray(self.probability.max(axis=1), np.float64)


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """Where a model abstains below a threshold: the share that it answers, and how well it does there."""

    threshold: float
    coverage: float
    balanced_accuracy: float


def balanced_accuracy(truth: Ints, answer: Ints) -> float:
    """Mean over the labels that occur of the share that was recognized; NaN for no item."""
    shares = [float(np.mean(answer[truth == label] == label)) for label in np.unique(truth)]
    return float(np.mean(shares)) if shares else float("nan")


def coverage_curve(part: JudgedPart) -> tuple[CoveragePoint, ...]:
    """One point for each confidence that occurs, from answering everything to answering once."""
    points = []
    for threshold in np.unique(part.confidence):
        answered = part.confidence >= threshold
        merit = balanced_accuracy(part.truth[answered], part.answer[answered])
        points.append(CoveragePoint(float(threshold), float(answered.mean()), merit))
    return tuple(points)


def abstain_threshold(validation: JudgedPart, wanted: float) -> float | None:
    """The lowest confidence from which the answers reach a balanced accuracy; None where none does.

    A stretch of the curve counts only where all labels are still answered for: a model that only ever says the most
    frequent one recognizes nothing.

    Args:
        validation: of subjects that neither train nor test.
        wanted: balanced accuracy of what is answered, 0 to 1.
    """
    labels = len(np.unique(validation.truth))
    for point in coverage_curve(validation):
        answered = validation.confidence >= point.threshold
        complete = len(np.unique(validation.truth[answered])) == labels
        if complete and point.coverage >= LEAST_ANSWERED and point.balanced_accuracy >= wanted:
            return point.threshold
    return None


def cross_validated_figures(
    system: str,
    folds: Sequence[tuple[JudgedPart, JudgedPart]],
    *,
    wanted: float,
    rng: np.random.Generator,
) -> tuple[Figure, ...]:
    """Figures over all tested subjects of a cross-validation by subject, and of the majority class beside them.

    Args:
        system: what was measured.
        folds: validation and test part of each fold; no subject is tested twice.
        wanted: balanced accuracy that the answers shall reach; each fold chooses its threshold on its validation part.
        rng: of the bootstrap over subjects.

    Raises:
        ValueError: a subject is tested in two folds, or there is no fold.
    """
    _refuse_twice([set(test.subject.tolist()) for _, test in folds])
    subjects = np.concatenate([test.subject for _, test in folds])
    truth = np.concatenate([test.truth for _, test in folds])
    answer = np.concatenate([test.answer for _, test in folds])
    common = np.concatenate([np.full(len(test.truth), _majority(validation)) for validation, test in folds])
    is_answered = np.concatenate([_answered(test, abstain_threshold(val, wanted)) for val, test in folds])
    rows = np.stack([truth, answer, common, is_answered], axis=1)

    def figure(name: str, measure: str, of: str, statistic: Callable[[Ints], float]) -> Figure:
        return _figure(name, measure, of, subjects, rows, statistic, rng)

    abstaining = f"answers, abstaining below {wanted:.2f} on validation"
    return (
        figure(system, "balanced accuracy", "all", lambda held: balanced_accuracy(held[:, 0], held[:, 1])),
        figure(system, "accuracy", "all", lambda held: float(np.mean(held[:, 0] == held[:, 1]))),
        figure("majority class", "balanced accuracy", "all", lambda held: balanced_accuracy(held[:, 0], held[:, 2])),
        figure("majority class", "accuracy", "all", lambda held: float(np.mean(held[:, 0] == held[:, 2]))),
        figure(system, "coverage", abstaining, lambda held: float(np.mean(held[:, 3]))),
        figure(system, "balanced accuracy", abstaining, _of_answered),
    )


def _of_answered(rows: Ints) -> float:
    """Balanced accuracy of what was answered; NaN where nothing was."""
    held = rows[rows[:, 3] == 1]
    return balanced_accuracy(held[:, 0], held[:, 1])


def _answered(test: JudgedPart, threshold: float | None) -> npt.NDArray[np.bool_]:
    if threshold is None:
        return np.zeros(len(test.truth), np.bool_)
    return np.asarray(test.confidence >= threshold, np.bool_)


def _majority(part: JudgedPart) -> int:
    """The most frequent label, as the validation part shows it."""
    return int(part.target.sum(axis=0).argmax())


def _refuse_twice(tested: Sequence[set[str]]) -> None:
    if not tested:
        raise ValueError("no folds: a cross-validation needs at least one")
    seen: set[str] = set()
    for subjects in tested:
        if twice := sorted(subjects & seen):
            raise ValueError(f'subject "{twice[0]}" is tested in two folds')
        seen |= subjects


def _figure(
    system: str,
    measure: str,
    of: str,
    subjects: npt.NDArray[np.str_],
    rows: Ints,
    statistic: Callable[[Ints], float],
    rng: np.random.Generator,
) -> Figure:
    """A statistic of all rows with its interval from a bootstrap over subjects; no value where it is not defined."""
    value = statistic(rows)
    held = {name: rows[subjects == name] for name in np.unique(subjects)}
    interval = bootstrap_interval(held, statistic, rng) if np.isfinite(value) else None
    return Figure(
        system=system,
        measure=measure,
        of=of,
        value=value if interval else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        unit="share",
        interval="bootstrap over subjects" if interval else "none",
        subjects=len(held),
        items=len(rows),
        hours=0.0,
    )
