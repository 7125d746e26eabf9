"""Reads what `python -m converter report` left of each run: its INT8 predictions, and what its gate said."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from device.errors import ConfigError
from training.results.markdown_tables import with_interval
from training.results.run_groups import RunGroup
from training.results.run_measures import main_measure
from training.train.judging.prediction_file import load_predictions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from training.results.run_folder import TrainedRun
    from training.train.judging.prediction_file import Predictions


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedRun:
    """A run's network in INT8.

    Attributes:
        test: its predictions of the test part; None if it does not convert.
        refused: why it makes no bundle; None if it does.
    """

    test: Predictions | None
    refused: str | None


def find_converted(folder: Path) -> dict[str, ConvertedRun]:
    """By the name of the run; the folder is what `python -m converter report --work` wrote.

    Raises:
        ConfigError: there is no such folder, or a file in it is damaged.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: name the one that `python -m converter report --work` wrote")
    return {path.parent.name: _read(path) for path in sorted(folder.glob("*/conversion.json"))}


def int8_cell(group: RunGroup, converted: Mapping[str, ConvertedRun]) -> str:
    """The task's measure of the converted networks, over those seeds of which all runs are converted."""
    seeds = {seed: [_with_test(run, converted.get(run.name)) for run in runs] for seed, runs in group.seeds.items()}
    whole = {seed: [run for run in runs if run is not None] for seed, runs in seeds.items() if None not in runs}
    known = [converted[run.name] for run in group.runs if run.name in converted]
    refused = sum(one.refused is not None for one in known)
    if not known:
        return "-"
    if not whole:
        return "does not convert" if refused == len(known) else "-"
    measure = main_measure(RunGroup(whole))
    words = [with_interval(measure.value, measure.low, measure.high)]
    words += [f"{len(whole)} of {len(seeds)} seeds"] if len(whole) < len(seeds) else []
    words += [f"{refused} of {len(known)} refused"] if refused else []
    return ", ".join(words)


def _with_test(run: TrainedRun, converted: ConvertedRun | None) -> TrainedRun | None:
    """The run as its converted network predicts its test part.

    Raises:
        ConfigError: those are other windows than the run was judged by.
    """
    if converted is None or converted.test is None:
        return None
    if converted.test.file.tolist() != run.test.file.tolist():
        raise ConfigError(f"{run.name} was converted with other test windows; run `python -m converter report` again")
    return replace(run, test=converted.test)


def _read(path: Path) -> ConvertedRun:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        refused, has_test = value["refused"], "test" in value
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not what the converter writes ({error}): make it again") from error
    test = load_predictions(path.parent / "predictions-test.npz") if has_test else None
    return ConvertedRun(test, None if refused is None else str(refused))
