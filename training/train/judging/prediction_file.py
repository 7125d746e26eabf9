"""`predictions-PART.npz`: what a trained network gave for every window of a part, and what was right."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.errors import ConfigError
from training.train.system.durable_files import replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from training.train.system.prepared_parts import Place

    Float32 = npt.NDArray[np.float32]

FIELDS = ("file", "start_s", "end_s", "subject", "target", "probability")


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One line for each window.

    Attributes:
        file: relative to the collection's folder (n,).
        start_s: where the window's stretch begins (n,).
        end_s: where it ends (n,).
        subject: whom it belongs to (n,).
        target: 1 or 0 for each label (n, labels).
        probability: calibrated (n, labels).
    """

    file: npt.NDArray[np.str_]
    start_s: Float32
    end_s: Float32
    subject: npt.NDArray[np.str_]
    target: Float32
    probability: Float32


def predictions_of(places: Sequence[Place], target: Float32, probability: npt.NDArray[np.floating]) -> Predictions:
    """Predictions in the order of the places."""
    return Predictions(
        np.array([place.file for place in places], np.str_),
        np.array([place.start_s for place in places], np.float32),
        np.array([place.end_s for place in places], np.float32),
        np.array([place.subject for place in places], np.str_),
        target.astype(np.float32),
        probability.astype(np.float32),
    )


def save_predictions(path: Path, predictions: Predictions) -> None:
    """Write the file, replacing what is there; `numpy.savez` knows no array called `file`."""
    with replacing(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FIELDS:
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, getattr(predictions, name), allow_pickle=False)


def load_predictions(path: Path) -> Predictions:
    """Read what `save_predictions` wrote.

    Raises:
        ConfigError: it is missing or no such file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return Predictions(**{name: archive[name] for name in FIELDS})
    except (KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} is not what a training run leaves ({error}): name the folder of one") from error
