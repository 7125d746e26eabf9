"""One way to say how much computes at once."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from training.scaling.run_all import usable_cores
from training.scaling.scaling_options import add_scaling_options


def test_all_cores_compute_unless_a_number_is_given() -> None:
    parser = argparse.ArgumentParser()
    add_scaling_options(parser)
    assert parser.parse_args([]) == argparse.Namespace(
        workers=usable_cores(), scheduler=None, cache=Path("build/features")
    )
    assert parser.parse_args(["--workers", "3"]).workers == 3


@pytest.mark.parametrize("count", ["0", "-1", "two"])
def test_no_processes_are_refused(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_scaling_options(parser, has_cache=False)
    with pytest.raises(SystemExit):
        parser.parse_args([f"--workers={count}"])
    assert f'"{count}" is not a number of processes' in capsys.readouterr().err
