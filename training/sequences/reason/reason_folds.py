"""What a linear layer on embeddings knows about the reason of a cry: cross-validation by recorder, and when it answers.

Each recording is one verdict, as on the device: the mean over its hops of the probabilities that the head gives. The
head abstains from every cry unless the interval of the cross-validation excludes chance. Knows no file and no network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from device.hearing.network.probabilities import softmax
from training.data.tasks import CRY_REASON
from training.evaluation.abstention import JudgedPart, abstain_threshold, cross_validated_figures
from training.networks.audioset.reason_network import Standard, crying_so_far
from training.splits.grouped_folds import grouped_folds, parts_of_fold
from training.train.linear_classifier import fit_classifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from training.evaluation.measured import Figure
    from training.sequences.reason.crying import NotedCry

    Float32 = npt.NDArray[np.float32]

RIDGE = 1.0
"""Penalty on squared weights; fixed, for there are fewer recorders than there are numbers in an embedding."""

NEVER = 0.999
"""Probability from which a head answers that is not to answer; a linear layer with this penalty stays far below it."""

CHANCE = 1 / len(CRY_REASON.labels)


class FittedHead(NamedTuple):
    """A linear layer on standardized embeddings: kernel (384, labels), bias (labels,)."""

    standard: Standard
    kernel: Float32
    bias: Float32

    def probabilities(self, cry: NotedCry) -> Float32:
        """At each hop of a cry (hops, labels)."""
        logits = crying_so_far(cry.embeddings, self.standard) @ self.kernel + self.bias
        return softmax(logits).astype(np.float32)

    def verdicts(self, cries: Sequence[NotedCry]) -> Float32:
        """Of each cry as a whole: (cries, labels)."""
        return np.stack([self.probabilities(cry).mean(axis=0) for cry in cries])

    def judged(self, cries: Sequence[NotedCry]) -> JudgedPart:
        """Subjects, targets and verdicts of cries."""
        subjects = np.array([cry.subject for cry in cries])
        return JudgedPart(subjects, np.array([cry.target for cry in cries]), self.verdicts(cries))


def fit_head(cries: Sequence[NotedCry]) -> FittedHead:
    """Fit to what the head keeps on average over each cry; both labels weigh the same."""
    heard = np.concatenate([cry.embeddings for cry in cries])
    standard = Standard(heard.mean(axis=0), heard.std(axis=0) + np.float32(1e-3))
    kept = np.stack([crying_so_far(cry.embeddings, standard).mean(axis=0) for cry in cries])
    fitted = fit_classifier(kept, np.array([cry.target[1] for cry in cries], np.float32), RIDGE)
    weights = fitted.weights / fitted.scale
    bias = fitted.bias - float(weights @ fitted.mean)
    sides = np.array([-0.5, 0.5], np.float32)  # softmax of these two is the sigmoid of their difference
    return FittedHead(standard, weights[:, None] * sides, np.float32(bias) * sides)


def cross_validation(
    cries: Sequence[NotedCry], *, folds: int, wanted: float, rng: np.random.Generator
) -> tuple[tuple[Figure, ...], JudgedPart]:
    """Each recorder is judged once, by a head that never heard it.

    Args:
        cries: of the development recorders.
        folds: how many.
        wanted: balanced accuracy that answers shall reach on the fold that validates.
        rng: draws folds and bootstrap.

    Returns:
        The figures with their intervals, the majority class beside them; and what each fold gave its tested recorders.

    Raises:
        ConfigError: there are fewer recorders than folds.
    """
    fold_of = grouped_folds([cry.subject for cry in cries], [cry.target for cry in cries], folds, rng)
    judged = []
    for fold in range(folds):
        part_of = parts_of_fold(fold_of, fold)
        train, val, test = ([cry for cry in cries if part_of[cry.subject] == part] for part in ("train", "val", "test"))
        head = fit_head(train)
        judged.append((head.judged(val), head.judged(test)))
    tested = [test for _, test in judged]
    together = JudgedPart(
        np.concatenate([one.subject for one in tested]),
        np.concatenate([one.target for one in tested]),
        np.concatenate([one.probability for one in tested]),
    )
    return cross_validated_figures("cry-reason", judged, wanted=wanted, rng=rng), together


def excludes_chance(figures: Sequence[Figure]) -> bool:
    """Whether the interval of the balanced accuracy of all answers lies above what a guess reaches."""
    figure = next(one for one in figures if (one.measure, one.of) == ("balanced accuracy", "all"))
    return figure.low is not None and figure.low > CHANCE


def answered_from(figures: Sequence[Figure], judged: JudgedPart, wanted: float) -> float:
    """The least probability at which the head answers; `NEVER` if it is not known to be better than a guess."""
    if not excludes_chance(figures):
        return NEVER
    return min(abstain_threshold(judged, wanted) or NEVER, NEVER)
