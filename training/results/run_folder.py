"""Reads what `python -m training train` left: `run.json` and the predictions of a run.

Knows no measure and no table.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from training.train.judging.label_figures import CRITERIA
from training.train.judging.prediction_file import load_predictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from training.train.judging.prediction_file import Predictions

__all__ = ["CRITERIA", "TrainedRun", "find_runs", "read_run"]

_NUMBERS = ("seed", "parameters", "epochs", "core_seconds", "threads")
_WORDS = ("system", "form", "task", "activation", "ended")


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRun:
    """One finished run.

    Attributes:
        name: of its folder.
        record: `run.json`.
        val: predictions of the part that chose.
        test: predictions of the part that chose nothing.
    """

    name: str
    record: Mapping[str, Any]
    val: Predictions
    test: Predictions

    @property
    def system(self) -> str:
        """System and form, such as `han/published`."""
        return f"{self.record['system']}/{self.record['form']}"

    @property
    def task(self) -> str:
        """Name of the task."""
        return str(self.record["task"])

    @property
    def labels(self) -> tuple[str, ...]:
        """One for each column of the predictions."""
        return tuple(self.record["labels"])

    @property
    def seed(self) -> int:
        """Of all random choices."""
        return int(self.record["seed"])

    @property
    def official(self) -> bool:
        """Whether the publishers' parts were taken, which may share subjects."""
        return bool(self.record.get("official_split", False))

    @property
    def core_hours(self) -> float:
        """Processor time of its training."""
        return float(self.record["core_seconds"]) / 3600

    def found(self, part: Predictions) -> npt.NDArray[np.bool_]:
        """Which labels hold by the thresholds that validation chose, or the most probable one: (n, labels)."""
        if self.record["activation"] == "softmax":
            chosen: npt.NDArray[np.bool_] = (
                np.arange(part.probability.shape[1]) == part.probability.argmax(axis=1)[:, None]
            )
            return chosen
        thresholds = self.record.get("thresholds") or {}
        # As float32, like the probabilities: a score that equals its threshold is found, whichever way it was rounded.
        limits = np.array([thresholds.get(label, 0.5) for label in self.labels], np.float32)
        return np.asarray(part.probability >= limits, np.bool_)


def read_run(folder: Path) -> TrainedRun:
    """One run.

    Raises:
        ConfigError: the folder holds no finished run, or something else than `train` writes.
    """
    path = folder / "run.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{folder} holds no run.json: name the folder of a finished run") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): name the folder of a finished run") from error
    _check(record, path)
    parts = {part: load_predictions(folder / f"predictions-{part}.npz") for part in ("val", "test")}
    wanted = len(record["labels"])
    if any(one.probability.shape[1:] != (wanted,) or one.target.shape[1:] != (wanted,) for one in parts.values()):
        raise ConfigError(f"{folder}: run.json names {wanted} labels, the predictions have another number")
    return TrainedRun(folder.name, record, parts["val"], parts["test"])


def find_runs(folder: Path) -> tuple[list[TrainedRun], list[str]]:
    """All finished runs below a folder, by name, and a sentence for each that was left out.

    Raises:
        ConfigError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: name the one that holds the folders of runs")
    runs, left_out = [], []
    for path in sorted(folder.rglob("run.json")):
        run = read_run(path.parent)
        if run.record.get("macs") is None:
            left_out.append(f"{run.name} was a smoke test of two steps")
        else:
            runs.append(run)
    return runs, left_out


def _check(record: Any, path: Path) -> None:
    missing = _missing(record, (*_WORDS, *_NUMBERS, "labels", "macs"))
    if missing:
        raise ConfigError(f"{path} lacks {', '.join(missing)}: it was not written by `python -m training train`")
    wrong = [name for name in _NUMBERS if isinstance(record[name], bool) or not isinstance(record[name], int | float)]
    wrong += [name for name in _WORDS if not isinstance(record[name], str)]
    if wrong or not isinstance(record["labels"], list):
        raise ConfigError(f"{path}: {', '.join(wrong) or 'labels'} has a value of another kind than train writes")


def _missing(record: Any, names: Iterable[str]) -> list[str]:
    return [name for name in names if name not in record] if isinstance(record, dict) else ["everything"]
