"""Folds divide no subject and hold each class in about equal shares."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError
from training.data.datasets.manifest_csv import read_manifest
from training.data.tasks import CRY_REASON
from training.splits.grouped_folds import grouped_folds, parts_of_fold

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

_ITEMS = st.lists(st.tuples(st.integers(0, 11).map(str), st.sampled_from("ab")), min_size=30, max_size=80)


@given(_ITEMS, st.integers(2, 5), st.integers(0, 9))
def test_every_known_subject_has_one_fold_and_the_seed_decides(
    items: list[tuple[str, str]], folds: int, seed: int
) -> None:
    subjects, classes = [one for one, _ in items], [kind for _, kind in items]
    if len(set(subjects)) < folds:
        return
    found = grouped_folds([*subjects, ""], [*classes, "a"], folds, np.random.default_rng(seed))
    assert found.keys() == set(subjects)
    assert set(found.values()) == set(range(folds))
    assert found == grouped_folds([*subjects, ""], [*classes, "a"], folds, np.random.default_rng(seed))


def test_rare_classes_are_spread_over_all_folds() -> None:
    subjects = [f"s{number}" for number in range(100)]
    classes = ["rare" if number % 10 == 0 else "usual" for number in range(100)]
    fold_of = grouped_folds(subjects, classes, 5, np.random.default_rng(0))
    counts = Counter((fold_of[one], kind) for one, kind in zip(subjects, classes, strict=True))
    assert {counts[fold, "rare"] for fold in range(5)} == {2}
    assert {counts[fold, "usual"] for fold in range(5)} == {18}


def test_each_fold_is_tested_by_what_it_did_not_teach() -> None:
    fold_of = {f"s{number}": number % 4 for number in range(12)}
    tested = [parts_of_fold(fold_of, fold) for fold in range(4)]
    for subject in fold_of:
        assert Counter(parts[subject] for parts in tested) == {"test": 1, "val": 1, "train": 2}


@pytest.mark.parametrize(("subjects", "folds"), [(["a", "b"], 3), (["a", "b"], 1), (["", ""], 2)])
def test_too_few_subjects_or_folds_are_refused(subjects: list[str], folds: int) -> None:
    with pytest.raises(ConfigError, match=f"{folds} folds of "):
        grouped_folds(subjects, ["x"] * len(subjects), folds, np.random.default_rng(0))


@pytest.mark.parametrize(("fold_of", "tested"), [({"a": 0, "b": 1}, 0), ({"a": 0, "b": 1, "c": 2}, 3)])
def test_a_fold_that_leaves_nothing_to_train_is_refused(fold_of: dict[str, int], tested: int) -> None:
    with pytest.raises(ConfigError, match="needs three folds or more"):
        parts_of_fold(fold_of, tested)


@pytest.mark.real_audio
def test_reasons_of_cries_are_spread_by_recorder() -> None:
    """173 installations, one of which made 23 recordings: each fold has a fifth of both classes, give or take."""
    recordings = read_manifest(DATA / "donateacry")
    targets = [CRY_REASON.target_of(one.labels) for one in recordings]
    subjects = [one.subject for one in recordings]
    fold_of = grouped_folds(subjects, targets, 5, np.random.default_rng(1))
    for kind in ((1.0, 0.0), (0.0, 1.0)):
        counts = Counter(fold_of[one] for one, target in zip(subjects, targets, strict=True) if target == kind)
        assert max(counts.values()) - min(counts.values()) <= 2
