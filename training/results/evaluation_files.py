"""Finds what `python -m training evaluate --json` wrote below a folder of runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from training.evaluation.measured import Measured, read_measured

if TYPE_CHECKING:
    from pathlib import Path


def find_evaluations(folder: Path) -> list[tuple[str, Measured]]:
    """Path below the folder, and what was measured, by path; JSON files of other kinds are passed over.

    Raises:
        ConfigError: a file holds measured figures that this version cannot read.
    """
    paths = [path for path in sorted(folder.rglob("*.json")) if _holds_figures(path)]
    return [(path.relative_to(folder).as_posix(), read_measured(path)) for path in paths]


def _holds_figures(path: Path) -> bool:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(value, dict) and "measured" in value
