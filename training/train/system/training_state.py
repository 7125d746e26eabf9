"""What a run needs to go on as if it had never been killed: all variables after an epoch, and its history.

One file, replaced as a whole when an epoch has ended. Random choices are no part of it: each epoch draws its own from
the seed and its number, and the states of dropout layers are variables of the network.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from training.train.system.durable_files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class EpochLine:
    """One epoch: a line of `history.csv`.

    Attributes:
        epoch: from 1.
        learning_rate: in this epoch.
        loss: mean over its batches, weights of labels and mixing included.
        val_loss: plain cross entropy on validation.
        val_measure: the figure that chooses the checkpoint.
        batches: how many there were; fewer than in a full epoch if the budget ended it.
        seconds: of this epoch, its validation included.
    """

    epoch: int
    learning_rate: float
    loss: float
    val_loss: float
    val_measure: float
    batches: int
    seconds: float


COLUMNS = tuple(field.name for field in fields(EpochLine))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come.

    Attributes:
        lines: one for each epoch that has ended.
        seconds: of all of them, over all processes that the run took.
        core_seconds: of processor time in them.
        ended: why no further epoch follows; empty while one does.
    """

    lines: tuple[EpochLine, ...] = ()
    seconds: float = 0.0
    core_seconds: float = 0.0
    ended: str = ""

    @property
    def best(self) -> EpochLine | None:
        """The first epoch with the highest validation measure."""
        return max(self.lines, key=lambda line: line.val_measure, default=None)

    @property
    def since_best(self) -> int:
        """Epochs since the best one."""
        return len(self.lines) - self.best.epoch if self.best else 0


def save_state(path: Path, variables: list[Any], progress: Progress, settings: Mapping[str, Any]) -> None:
    """Replace the state by this one."""
    from keras import ops

    arrays = {f"v{index}": np.asarray(ops.convert_to_numpy(one)) for index, one in enumerate(variables)}
    texts = {"progress": json.dumps(asdict(progress)), "settings": json.dumps(dict(settings))}
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays, **{name: np.array(text) for name, text in texts.items()})  # type: ignore[arg-type]


def load_state(path: Path, variables: list[Any], settings: Mapping[str, Any]) -> Progress:
    """Assign what `save_state` wrote to the variables; how far the run had come, or a fresh start if there is none.

    Raises:
        ConfigError: the state is that of other settings, or damaged.
    """
    if not path.is_file():
        return Progress()
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = json.loads(str(archive["settings"]))
            _refuse_others(path, found, settings)
            for index, variable in enumerate(variables):
                variable.assign(archive[f"v{index}"])
            read = json.loads(str(archive["progress"]))
    except (KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{path} cannot be read ({error}): remove the run's folder and train anew") from error
    return Progress(**(read | {"lines": tuple(EpochLine(**line) for line in read["lines"])}))


def _refuse_others(path: Path, found: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """A run goes on with the settings that it began with, or not at all."""
    wanted = json.loads(json.dumps(dict(settings)))
    for name in wanted.keys() | found.keys():
        if found.get(name) != wanted.get(name):
            raise ConfigError(
                f"{path.parent.parent} holds a run with {name} {found.get(name)}, not {wanted.get(name)}: "
                "name another folder, or the settings that it began with"
            )
