"""Converts all finished runs in a folder and writes the page about them; what was converted before is kept.

Each run's figures lie in WORK/RUN/conversion.json, and predictions of its INT8 network beside them, from which
`python -m training report --converted WORK` computes its INT8 column.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter import toolchain
from converter.report.conversion_page import conversion_page
from converter.report.run_conversion import failed_run
from converter.report.run_files import content_hash
from device.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TIMEOUT_S = 3600


def report_runs(runs: Path, windows: Path, work: Path, out: Path, tell: Callable[[str], None]) -> None:
    """Convert, measure and write.

    Args:
        runs: folder that holds run folders.
        windows: folder that holds the windows of each, by its name.
        work: folder for graphs, bundles and figures of each.
        out: the page to write.
        tell: is given a line for each run.

    Raises:
        ConfigError: there is no finished run.
        OSError: a file cannot be written.
    """
    found = []
    for run in _finished(runs):
        one = _kept(run, windows / run.name, work / run.name) or _converted(run, windows / run.name, work / run.name)
        tell(f"{run.name}: {one['refused'] or 'passes'}{_otherwise(one)}")
        found.append(one)
    if not found:
        raise ConfigError(f"{runs} holds no finished run: name the folder that holds the folders of runs")
    page = conversion_page(found, _command(out), toolchain.versions(), _processor())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")


def _otherwise(one: dict[str, Any]) -> str:
    return f"; {one['passes']['form']}, it passes" if one["refused"] and "passes" in one else ""


def _finished(runs: Path) -> Iterator[Path]:
    """Folders of runs with a network, by name."""
    for path in sorted(runs.rglob("run.json")):
        if (path.parent / "model.keras").is_file():
            yield path.parent


def _kept(run: Path, windows: Path, out: Path) -> dict[str, Any] | None:
    """The figures of an earlier call, if nothing that they depend on has changed."""
    try:
        value = json.loads((out / "conversion.json").read_text(encoding="utf-8"))
        is_same = value["content"] == content_hash(run, windows)
    except (OSError, ValueError, KeyError, TypeError, BundleError):
        return None
    return dict(value) if is_same else None


def _converted(run: Path, windows: Path, out: Path) -> dict[str, Any]:
    """The figures of a conversion in a process of its own."""
    (out / "conversion.json").unlink(missing_ok=True)
    words = [sys.executable, "-m", "converter.report.run_conversion", *map(os.fspath, (run, windows, out))]
    try:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return failed_run(run, f"its conversion took more than {_TIMEOUT_S // 60} minutes")
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or ["nothing"])[-1]
        how = f"signal {-ended.returncode}, after" if ended.returncode < 0 else ""
        return failed_run(run, f"it was not converted: {how} {last}".replace(":  ", ": "))
    return dict(json.loads((out / "conversion.json").read_text(encoding="utf-8")))


def _command(out: Path) -> str:
    """As the page quotes it: where somebody's folders lie is nobody else's business."""
    shown = out.name if out.is_absolute() else os.fspath(out)
    return shlex.join(["python", "-m", "converter", "report", "RUNS", "--windows", "WINDOWS", "--out", shown])


def _processor() -> str:
    """What the figures were measured on: its model and cores."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    return f"{named[0] if named else 'an unnamed processor'}, {os.cpu_count()} cores"
