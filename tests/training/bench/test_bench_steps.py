"""The table of the bench: complete, in an order that works, and made of commands that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.__main__ import _parser
from training.bench.bench_steps import FOLDS, ROWS, BenchPlaces, bench_steps, breath_list
from training.networks.catalog import find_form
from training.results.claims import CLAIMS, REFERENCES

PLACES = BenchPlaces(Path("data"), Path("weights.npz"), Path("runs"))
STEPS = list(bench_steps(PLACES))


def test_every_published_system_and_reference_is_trained() -> None:
    trained = {row.form.partition("/")[0] for row in ROWS}
    assert trained >= {claim.system for claim in CLAIMS} | set(REFERENCES)


def test_every_row_is_a_form_of_the_catalogue_and_stands_there_once() -> None:
    names = [row.form for row in ROWS]
    assert [find_form(name).name for name in names] == names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "form", ["baseline/lung", "baseline/cry", "baseline/scream", "cnn_bilstm/published", "residual_dual/published"]
)
def test_what_is_cheap_or_may_be_shipped_has_three_seeds(form: str) -> None:
    (row,) = (row for row in ROWS if row.form == form)
    assert row.seeds == 3


def test_every_command_is_understood() -> None:
    for step in STEPS:
        assert _parser(step.arguments).parse_args(step.arguments).verb == step.arguments[0]


def test_no_two_commands_make_the_same_file() -> None:
    made = [step.made for step in STEPS]
    assert len(set(made)) == len(made)


def test_what_a_command_reads_of_the_bench_an_earlier_one_has_made() -> None:
    there = {breath_list(PLACES), *(PLACES.runs / "splits" / "folds" / f"fold-{fold}.csv" for fold in range(FOLDS))}
    for step in STEPS:
        read = [Path(step.arguments[at + 1]) for at, one in enumerate(step.arguments) if one in ("--split", "--model")]
        assert all(path in there or path / "run.json" in there for path in read), step
        there.add(step.made)


def test_the_reason_of_a_cry_is_cross_validated() -> None:
    names = {step.name for step in STEPS if step.name.startswith("residual_dual-published-2")}
    assert names == {f"residual_dual-published-2-fold-{fold}" for fold in range(FOLDS)}


def test_only_what_starts_from_audioset_reads_its_weights() -> None:
    with_weights = {step.name for step in STEPS if "--weights" in step.arguments}
    assert with_weights == {step.name for step in STEPS if "audioset/" in " ".join(step.arguments)}
