"""Where infants cry within the cry clips, as one archive on disk: it is written by `teach` and read by all that mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

    Mask = npt.NDArray[np.bool_]

ACTIVITY = "active.npz"
"""Name of the archive in the work folder."""


def save_activity(path: Path, active: Mapping[str, Mask]) -> None:
    """Write the marks of all cries, by file as listed."""
    np.savez_compressed(path, **active)  # type: ignore[arg-type]  # keys are files, values arrays


def load_activity(path: Path) -> dict[str, Mask]:
    """Read what `save_activity` wrote."""
    with np.load(path) as archive:
        return {file: archive[file] for file in archive.files}
