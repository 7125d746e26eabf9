"""Seeds are averaged, folds are joined, and nothing else is mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.results.run_folder import read_run
from training.results.run_groups import TRUTH, grouped

if TYPE_CHECKING:
    from tests.training.results.conftest import MakeRun


def test_runs_of_one_system_and_task_that_differ_in_the_seed_are_one_group(make_run: MakeRun) -> None:
    runs = [read_run(make_run(f"a{seed}", seed=seed)) for seed in (2, 1)]
    other = read_run(make_run("b", form="cnn"))
    groups = grouped([*runs, other])
    assert [(group.first.system, sorted(group.seeds)) for group in groups] == [
        ("cnn_bilstm/cnn", [1]),
        ("cnn_bilstm/published", [1, 2]),
    ]
    rows = groups[1].rows_by_subject()
    assert len(rows) == 12
    assert rows["s0"].shape == (8, 2, 3, 2)
    assert np.array_equal(rows["s0"][:, 0, TRUTH], rows["s0"][:, 1, TRUTH])


def test_folds_are_joined_if_every_seed_has_all_of_them(make_run: MakeRun) -> None:
    folds = {"x": ["a", "b"], "y": ["c", "d"]}
    runs = [
        read_run(make_run(f"{fold}{seed}", seed=seed, subjects=subjects))
        for seed in (1, 2)
        for fold, subjects in folds.items()
    ]
    (group,) = grouped(runs)
    assert group.folds == 2
    assert sorted(group.rows_by_subject()) == ["a", "b", "c", "d"]
    assert [one.folds for one in grouped(runs[:3])] == [1, 1]  # a fold is missing


def test_splits_that_test_some_subjects_twice_stay_apart(make_run: MakeRun) -> None:
    runs = [read_run(make_run(name, subjects=subjects)) for name, subjects in (("x", ["a", "b"]), ("y", ["b", "c"]))]
    assert [one.folds for one in grouped(runs)] == [1, 1]


def test_the_publishers_split_is_never_averaged_with_another(make_run: MakeRun) -> None:
    runs = [read_run(make_run("x")), read_run(make_run("y", seed=2, official_split=True))]
    assert [one.first.official for one in grouped(runs)] == [False, True]
