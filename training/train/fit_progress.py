"""Where a fit stands, so that one that was stopped goes on at its last validation.

RUN/progress.npz holds the network's weights, their average, the optimizer's state, the step and the best figure. It is
removed when the fit is finished.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from training.train.system.durable_files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
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


def _listed(archive: Any, name: str) -> list[npt.NDArray[Any]]:
    names: Sequence[str] = sorted(one for one in archive.files if one.startswith(f"{name}_"))
    return [archive[one] for one in names]
