"""Where a fit stands, so that one that was stopped goes on at its last validation.

RUN/fit.json says what was reached so far. RUN/progress.npz holds the network's weights, their average, the optimizer's
state, the step and the best figure; it is removed when the fit is finished.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from training.train.system.durable_files import replacing, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

PROGRESS = "progress.npz"


@dataclass(frozen=True, slots=True, eq=False)
class FitProgress:
    """A moment of a fit.

    Attributes:
        step: that was done last.
        best: the best figure so far.
        weights: of the network.
        average: of the weights over steps.
        optimizer: values of the optimizer's variables.
    """

    step: int
    best: float
    weights: list[npt.NDArray[Any]]
    average: list[npt.NDArray[Any]]
    optimizer: list[npt.NDArray[Any]]

    def save(self, run: Path) -> None:
        """Replace what the folder holds of it."""
        arrays: dict[str, npt.NDArray[Any]] = {"step": np.array(self.step), "best": np.array(self.best)}
        for name, values in (("weights", self.weights), ("average", self.average), ("optimizer", self.optimizer)):
            arrays |= {f"{name}_{place:04d}": np.asarray(value) for place, value in enumerate(values)}
        held: dict[str, Any] = arrays
        with replacing(run / PROGRESS) as partial, partial.open("wb") as file:
            np.savez(file, **held)


def read_progress(run: Path) -> FitProgress | None:
    """Where the fit of a folder stands; None if none was begun, or it is finished.

    Raises:
        ConfigError: the file is damaged.
    """
    path = run / PROGRESS
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return FitProgress(
                int(archive["step"]),
                float(archive["best"]),
                *(_listed(archive, name) for name in ("weights", "average", "optimizer")),
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} holds no fit that can go on ({error}): delete it to begin anew") from None


def forget_progress(run: Path) -> None:
    """Remove it: the fit is finished."""
    (run / PROGRESS).unlink(missing_ok=True)


class FitLog:
    """RUN/fit.json: what is known of a fit from its beginning, and a row for each validation, written as they come.

    Args:
        run: the folder; where a fit in it goes on, its rows go on.
        begun: what is known, as JSON types.
    """

    def __init__(self, run: Path, begun: Mapping[str, Any]) -> None:
        self.out, self._path = run, run / "fit.json"
        self._rows: list[Mapping[str, Any]] = []
        if (run / PROGRESS).exists() and self._path.exists():
            self._rows = list(json.loads(self._path.read_text(encoding="utf-8"))["validations"])
        self._begun = begun

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one more row."""
        self._rows.append(row)
        write_json(self._path, {**self._begun, "validations": self._rows})


def _listed(archive: Any, name: str) -> list[npt.NDArray[Any]]:
    names: Sequence[str] = sorted(one for one in archive.files if one.startswith(f"{name}_"))
    return [archive[one] for one in names]
