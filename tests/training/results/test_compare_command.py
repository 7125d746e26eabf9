"""Runs side by side, in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.training.results.conftest import MakeRun


def test_runs_are_compared_with_their_cost_and_their_difference(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = make_run("good", skill=0.95), make_run("bad", skill=0.1, form="mlp", ended="budget")
    assert main(["compare", str(good), str(bad)]) == 0
    header, first, second, empty, difference = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["run", "system", "task", "seed"]
    assert header.split()[-3:] == ["MACs", "core-h", "ended"]
    assert "cnn_bilstm/published" in first
    assert "74 k" in first
    assert "2.1 M" in first
    assert "0.20" in first
    assert second.endswith("budget, 17 epochs")
    assert empty == ""
    assert difference.startswith("bad less good: macro F1 -0.")
    assert not difference.endswith("chance")


def test_equal_runs_may_differ_by_chance_and_others_do_not_compare(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    one, same, other = make_run("one"), make_run("same"), make_run("other", subjects=["x", "y"])
    assert main(["compare", str(one), str(same), str(other)]) == 0
    printed = capsys.readouterr().out
    assert "same less one: macro F1 +0.000 (+0.000 to +0.000): may be chance" in printed
    assert "other and one were judged by other windows" in printed


def test_a_folder_without_a_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
