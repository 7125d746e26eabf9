"""The measures are those of their definitions, whatever way they are summed; intervals are of subjects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.results.run_folder import read_run
from training.results.run_groups import grouped
from training.results.run_measures import difference, main_measure, measures_of
from training.statistics import roc_auc
from training.train.judging.label_figures import figures
from training.train.judging.task_measures import average_score, balanced_accuracy

if TYPE_CHECKING:
    from tests.training.results.conftest import MakeRun

CLASSES = ["normal", "wheeze", "crackle", "both"]


def test_averages_over_labels_are_those_of_the_run_folder(make_run: MakeRun) -> None:
    run = read_run(make_run("one", skill=0.6))
    (group,) = grouped([run])
    wanted = figures(run.test.target > 0.5, run.found(run.test), run.labels)["averages"]
    found = {one.name: one.value for one in measures_of(group)}
    assert found == {
        f"{kind} {name.replace('f1', 'F1')}": pytest.approx(value)
        for kind, held in wanted.items()
        for name, value in held.items()
    }
    assert next(iter(found)) == "macro F1"


def test_classes_with_a_normal_one_have_icbhis_measures(make_run: MakeRun) -> None:
    run = read_run(make_run("han", skill=0.5, labels=CLASSES, activation="softmax", task="breath_classes"))
    (group,) = grouped([run])
    found = {one.name: one.value for one in measures_of(group)}
    truth, answer = run.test.target.argmax(axis=1), run.test.probability.argmax(axis=1)
    assert found["AS"] == pytest.approx(average_score(truth, answer, 0))
    assert found["SP"] == pytest.approx((answer[truth == 0] == 0).mean())
    assert found["SE"] == pytest.approx((answer == truth)[truth != 0].mean())
    assert found["HS"] == pytest.approx(2 * found["SE"] * found["SP"] / (found["SE"] + found["SP"]))


def test_other_classes_have_balanced_accuracy_and_one_label_its_roc_curve(make_run: MakeRun) -> None:
    reason = read_run(make_run("reason", labels=["hungry", "other"], activation="softmax", task="cry_reason"))
    cry = read_run(make_run("cry", skill=0.4, labels=["cry"], task="cry"))
    truth, answer = reason.test.target.argmax(axis=1), reason.test.probability.argmax(axis=1)
    assert main_measure(grouped([reason])[0]).value == pytest.approx(balanced_accuracy(truth, answer))
    held, scores = cry.test.target[:, 0] > 0.5, cry.test.probability[:, 0]
    found = {one.name: one for one in measures_of(grouped([cry])[0])}
    assert found["ROC AUC"].value == pytest.approx(roc_auc(scores[held], scores[~held]))
    assert found["sensitivity"].value == pytest.approx((scores[held] >= 0.5).mean())
    assert found["specificity"].value == pytest.approx((scores[~held] < 0.5).mean())
    assert all(one.low <= one.value <= one.high for one in found.values())


def test_a_figure_is_the_mean_over_seeds(make_run: MakeRun) -> None:
    runs = [read_run(make_run(f"seed-{seed}", seed=seed, skill=0.3 + 0.2 * seed)) for seed in (1, 2, 3)]
    (together,) = grouped(runs)
    alone = [main_measure(grouped([run])[0]).value for run in runs]
    assert len(set(alone)) == 3
    assert main_measure(together).value == pytest.approx(np.mean(alone))


def test_a_difference_is_paired_and_a_better_system_is_told(make_run: MakeRun) -> None:
    good, bad = (read_run(make_run(name, skill=skill, form=name)) for name, skill in (("mlp", 0.95), ("cnn", 0.1)))
    (one,), (other,) = grouped([good]), grouped([bad])
    found = difference(one, other)
    assert found is not None
    assert found.value == pytest.approx(main_measure(one).value - main_measure(other).value)
    assert 0 < found.low <= found.value <= found.high
    assert difference(one, one) == type(found)("macro F1", 0.0, 0.0, 0.0)


def test_no_difference_is_stated_where_other_windows_judged(make_run: MakeRun) -> None:
    (one,) = grouped([read_run(make_run("one"))])
    (other,) = grouped([read_run(make_run("other", subjects=["x", "y"]))])
    assert difference(one, other) is None
