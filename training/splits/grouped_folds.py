"""Cross-validation by subject: folds that divide no subject and hold each class in about equal shares.

For collections too small for one test part, such as the reasons of cries: every subject is tested once, by a model
that never heard it. Pure functions; the lists that they make are written by `fold_lists`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from device.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy.typing as npt


def grouped_folds(
    subjects: Sequence[str], classes: Sequence[Hashable], folds: int, rng: np.random.Generator
) -> dict[str, int]:
    """The fold of each subject, 0 to `folds` - 1.

    Subjects with most items choose first, in an order that is drawn among equals; each goes where the counts of its
    classes stay most even.

    Args:
        subjects: of each item; an empty one is unknown and has no fold.
        classes: of each item.
        folds: how many.
        rng: draws the order.

    Raises:
        ConfigError: fewer than two folds, or fewer subjects than folds.
    """
    names, counts = _class_counts(subjects, classes)
    if folds < 2 or len(names) < folds:
        raise ConfigError(f"{folds} folds of {len(names)} subjects: give 2 to {len(names)} folds")
    order = rng.permutation(len(names))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    held = np.zeros((folds, counts.shape[1]))
    share = np.maximum(counts.sum(axis=0), 1)
    fold_of = {}
    for index in order:
        spread = [_unevenness(held, counts[index], fold, share) for fold in range(folds)]
        fold = int(np.argmin(spread))
        held[fold] += counts[index]
        fold_of[names[index]] = fold
    return dict(sorted(fold_of.items()))


def parts_of_fold(fold_of: Mapping[str, int], tested: int) -> dict[str, str]:
    """The part of each subject where one fold is tested: the next one validates, all others train.

    Raises:
        ConfigError: there are fewer than three folds, so nothing is left to train on, or no such fold.
    """
    folds = max(fold_of.values()) + 1
    if folds < 3 or not 0 <= tested < folds:
        raise ConfigError(f"fold {tested} of {folds}: needs three folds or more, and one of 0 to {folds - 1}")
    part = {tested: "test", (tested + 1) % folds: "val"}
    return {subject: part.get(fold, "train") for subject, fold in fold_of.items()}


def _class_counts(subjects: Sequence[str], classes: Sequence[Hashable]) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Subjects by name, and how many items of each class each has: (subjects, classes)."""
    names = sorted({subject for subject in subjects if subject})
    kinds = sorted(set(classes), key=repr)
    counts = np.zeros((len(names), max(1, len(kinds))))
    for subject, kind in zip(subjects, classes, strict=True):
        if subject:
            counts[names.index(subject), kinds.index(kind)] += 1
    return names, counts


def _unevenness(
    held: npt.NDArray[np.float64], added: npt.NDArray[np.float64], fold: int, share: npt.NDArray[np.float64]
) -> float:
    """Spread of the folds' shares of each class if a subject went to `fold`; then of their sizes, to break ties."""
    tried = held.copy()
    tried[fold] += added
    return float((tried / share).std(axis=0).sum() + 1e-6 * tried.sum(axis=1).std())
