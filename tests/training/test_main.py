"""The command line: chooses, and says in one line what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from training.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


def test_describe_prints_the_size_of_the_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks"]) == 0
    assert "133,633 parameters, 106.5 million multiplications" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["splits", "teach", "distill", "mine", "operate", "export", "networks", "describe"])
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    assert verb in capsys.readouterr().out


def test_a_missing_folder_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["splits", "--data", str(tmp_path / "nowhere")]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("training splits: ")
    assert printed.count("\n") == 1
