"""`run.json`, and its line in the `RUNS.csv` beside the run folder: what was trained, by which code, at which cost."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.train.system.durable_files import append_row, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_COLUMNS = ("system", "form", "task", "seed", "ended", "epochs", "best_epoch", "measure", "seconds", "commit")


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `run.json`, and add a line to `RUNS.csv` beside the folder."""
    write_json(folder / "run.json", record)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    line = {"ended_utc": now, "run": folder.name, **{name: record[name] for name in _COLUMNS}}
    values = {f"{part}_measure": record[part]["measure"] for part in ("val", "test")}
    append_row(folder.parent / "RUNS.csv", line | values)


def code_version() -> dict[str, Any]:
    """The commit of this code, `-changed` where files differ from it, and the versions of what computes."""
    import keras

    names = ("auricle", "keras", keras.backend.backend(), "numpy", "tensorflow-cpu")
    versions = {name: found for name in names if (found := _installed(name))}
    return {"commit": _commit(), "versions": {"python": platform.python_version(), **versions}}


def thread_count() -> int:
    """How many threads one product of matrices may take."""
    allowed = len(os.sched_getaffinity(0))
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").isdigit():
            return min(allowed, int(os.environ[name]) or allowed)
    return allowed


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    """Empty where the code is no git checkout."""
    here = Path(__file__).parent
    try:
        found = [
            subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603, S607
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        ]
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found[0] + ("-changed" if found[1] else "")
