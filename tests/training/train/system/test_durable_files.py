"""Files appear whole, or not at all."""

from __future__ import annotations

import csv
import multiprocessing
from typing import TYPE_CHECKING

import pytest

from training.train.system.durable_files import append_row, replacing, write_json

if TYPE_CHECKING:
    from pathlib import Path


def test_a_failed_write_leaves_what_was_there_and_no_rest(tmp_path: Path) -> None:
    write_json(tmp_path / "run.json", {"epoch": 1})

    def fail() -> None:
        with replacing(tmp_path / "run.json") as partial:
            partial.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert (tmp_path / "run.json").read_text() == '{\n "epoch": 1\n}\n'
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def _append(path: Path, number: int) -> None:
    for line in range(20):
        append_row(path, {"process": number, "line": line})


def test_processes_that_append_at_once_lose_no_line_and_write_one_header(tmp_path: Path) -> None:
    processes = [
        multiprocessing.get_context("fork").Process(target=_append, args=(tmp_path / "RUNS.csv", k)) for k in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    rows = list(csv.DictReader((tmp_path / "RUNS.csv").read_text().splitlines()))
    assert sorted((row["process"], int(row["line"])) for row in rows) == sorted(
        (str(k), line) for k in range(3) for line in range(20)
    )
